//! Who speaks: the host, the program and the service that records come from.

use super::fields::is_unsafe;

/// Who speaks in the records that are rendered: a SIEM files them by it.
///
/// Texts are made safe to stand in a record: at most 255 characters, controls replaced. By default nobody has said who speaks: what
/// is rendered then says `realtime-auth` on `localhost`, and a log's `trail_opened` no host and the name of the program's file.
///
/// ```
/// use audit::format::Origin;
///
/// let origin = Origin::new("gw-1.example.com", "gateway").with_process(4_711).with_service("orders");
/// assert_eq!(origin.service(), "orders");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    host: Option<String>,
    application: Option<String>,
    process: Option<u32>,
    version: Option<String>,
    service: Option<String>,
    enterprise_number: u32,
}

/// The number that RFC 5612 reserves for documentation: nobody's.
pub const DOCUMENTATION_ENTERPRISE_NUMBER: u32 = 32_473;

/// The most characters kept of each text: what RFC 5424 §6.2.4 allows a host's name.
const LONGEST: usize = 255;

impl Default for Origin {
    fn default() -> Self {
        Self {
            host: None,
            application: None,
            process: None,
            version: None,
            service: None,
            enterprise_number: DOCUMENTATION_ENTERPRISE_NUMBER,
        }
    }
}

impl Origin {
    /// The program `application` on `host`.
    #[must_use]
    pub fn new(host: &str, application: &str) -> Self {
        Self { host: Some(safe(host)), ..Self::default() }.with_application(application)
    }

    /// The same, of the program of this name: for a program that does not know its host.
    #[must_use]
    pub fn with_application(mut self, application: &str) -> Self {
        self.application = Some(safe(application));
        self
    }

    /// The same, in the process of this number; none by default.
    #[must_use]
    pub fn with_process(mut self, process: u32) -> Self {
        self.process = Some(process);
        self
    }

    /// The same, in this version of the program; by default a log has none, and what must have one is rendered with this library's.
    #[must_use]
    pub fn with_version(mut self, version: &str) -> Self {
        self.version = Some(safe(version));
        self
    }

    /// The same, for the service of this name: at a server its own, at a client the one that is logged in to. The application's
    /// name by default.
    #[must_use]
    pub fn with_service(mut self, service: &str) -> Self {
        self.service = Some(safe(service));
        self
    }

    /// The same, with the IANA private enterprise number that names our structured data in RFC 5424 (`rtauth@32473`).
    ///
    /// The default, [`DOCUMENTATION_ENTERPRISE_NUMBER`], belongs to nobody: receivers take it, but can't tell our parameters from
    /// those of another program that does the same. An organisation with a number of its own should give it.
    #[must_use]
    pub const fn with_enterprise_number(mut self, number: u32) -> Self {
        self.enterprise_number = number;
        self
    }

    /// The host's name, `localhost` where nobody said it.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.as_deref().unwrap_or("localhost")
    }

    /// The program's name, `realtime-auth` where nobody said it.
    #[must_use]
    pub fn application(&self) -> &str {
        self.application.as_deref().unwrap_or("realtime-auth")
    }

    /// The number of its process.
    #[must_use]
    pub const fn process(&self) -> Option<u32> {
        self.process
    }

    /// The program's version, this library's where nobody said it.
    #[must_use]
    pub fn version(&self) -> &str {
        self.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    /// The service's name.
    #[must_use]
    pub fn service(&self) -> &str {
        self.service.as_deref().unwrap_or_else(|| self.application())
    }

    /// The enterprise number of our structured data.
    #[must_use]
    pub const fn enterprise_number(&self) -> u32 {
        self.enterprise_number
    }

    /// The host, the program and its version, as far as somebody said them: a log is to hold no guess.
    pub(crate) fn told(&self) -> [Option<&str>; 3] {
        [&self.host, &self.application, &self.version].map(Option::as_deref)
    }
}

fn safe(text: &str) -> String {
    let safe = |character: char| if is_unsafe(character) { '\u{fffd}' } else { character };
    text.chars().take(LONGEST).map(safe).collect()
}
