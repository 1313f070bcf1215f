//! Where to connect to, and whom to trust there.

use std::fmt;
use std::sync::{Arc, OnceLock};

use auth_core::Secret;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::{Address, ConfigError};

/// Where to connect to, and whom to trust there.
///
/// Clones share their TLS tickets, which halve the cost of a reconnect: make one for all sessions of a program.
#[derive(Clone)]
pub struct Target {
    /// As it was given; its path and query may be a credential.
    url: Secret,
    address: Address,
    trust: Arc<Trust>,
}

/// Whom to trust, and the TLS that comes of it: made once, when it is needed first.
#[derive(Default)]
pub(super) struct Trust {
    given: Option<RootCertStore>,
    /// No others are trusted.
    given_only: bool,
    tls: OnceLock<Arc<ClientConfig>>,
}

/// The server of one attempt: the configured one, or that of a URL which is itself the credential.
#[derive(Debug)]
pub struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    /// What to encrypt with, unless it is on this machine.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Server {
    /// Its name, or its address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether what goes there must be encrypted: always, unless it is on this machine.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }
}

impl Target {
    /// The WebSocket at `url`: absolute, `wss`, or `ws` on loopback. TLS trusts the platform's authorities.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the URL is not such, or TLS can't be set up.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::trusting(url, Trust::default())
    }

    /// The same, trusting the authorities of a PEM file, and no other.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`ConfigError::Tls`] when there is no certificate of an authority in it.
    pub fn with_roots(url: &str, pem: &[u8]) -> Result<Self, ConfigError> {
        Self::trusting(url, Trust::of(pem, false)?)
    }

    /// The same, trusting the authorities of a PEM file beside the platform's: for a company's own.
    ///
    /// # Errors
    ///
    /// As [`with_roots`](Self::with_roots).
    pub fn with_more_roots(url: &str, pem: &[u8]) -> Result<Self, ConfigError> {
        Self::trusting(url, Trust::of(pem, true)?)
    }

    fn trusting(url: &str, trust: Trust) -> Result<Self, ConfigError> {
        let address = Address::new(url)?;
        let target = Self { url: Secret::from(url), address, trust: Arc::new(trust) };
        target.at(&target.address)?;
        Ok(target)
    }

    /// The configured URL.
    pub(super) fn url(&self) -> &str {
        self.url.expose()
    }

    /// The server of a URL, under the same rules as the configured one.
    pub(super) fn server(&self, url: &str) -> Result<Server, ConfigError> {
        self.at(&Address::new(url)?)
    }

    fn at(&self, address: &Address) -> Result<Server, ConfigError> {
        let host = address.host().to_owned();
        let tls = if address.is_encrypted() {
            let name = ServerName::try_from(host.clone()).map_err(|_| ConfigError::NotAUrl)?;
            Some((self.trust.tls()?, name))
        } else {
            None
        };
        Ok(Server { host, port: address.port(), tls })
    }
}

impl Trust {
    /// The authorities of a PEM file, and the platform's where these are wanted too.
    pub(super) fn of(pem: &[u8], platform: bool) -> Result<Self, ConfigError> {
        let unreadable = || ConfigError::Tls("there is a root that is no authority's certificate".to_owned());
        let mut given = RootCertStore::empty();
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(pem) {
            given.add(certificate.map_err(|_| unreadable())?).map_err(|_| unreadable())?;
        }
        if given.is_empty() {
            return Err(unreadable());
        }
        Ok(Self { given: Some(given), given_only: !platform, tls: OnceLock::new() })
    }

    /// Made once: a program that only speaks to its own machine needs no authorities.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, ConfigError> {
        if let Some(known) = self.tls.get() {
            return Ok(Arc::clone(known));
        }
        let mut roots = self.given.clone().unwrap_or_else(RootCertStore::empty);
        if !self.given_only {
            // Platforms hold some that are too old to be read; those that can be are enough.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err(ConfigError::NoRoots);
        }
        // Named explicitly: a program that compiles in two providers would panic otherwise.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config))))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, address, trust: _ } = self;
        formatter.debug_tuple("Target").field(address).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ws_is_for_this_machine_only() {
        assert!(Target::new("ws://127.0.0.1:8080/ws").is_ok());
        assert!(Target::new("ws://[::1]:8080/ws").is_ok());
        assert!(matches!(Target::new("ws://api.example.com/ws"), Err(ConfigError::Plaintext)));
        for url in ["", "/ws", "http://127.0.0.1/", "127.0.0.1:8080", "wss://", "ws://user:secret@127.0.0.1/"]
        {
            assert!(matches!(Target::new(url), Err(ConfigError::NotAUrl)), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_a_credential_must_keep_to_the_same_rules() {
        let target = Target::new("ws://127.0.0.1/ws").unwrap();
        assert_eq!(target.server("ws://127.0.0.2:81/ticket").unwrap().port, 81);
        assert!(matches!(target.server("ws://api.example.com/ticket"), Err(ConfigError::Plaintext)));
    }

    #[test]
    fn debug_leaves_out_what_may_be_a_credential() {
        let target = Target::new("ws://127.0.0.1:8080/canary?access_token=canary#canary").unwrap();
        assert_eq!(format!("{target:?}"), "Target(Address(ws://127.0.0.1:8080))");
    }

    #[test]
    fn roots_that_are_none_are_refused() {
        assert!(matches!(Target::with_roots("wss://127.0.0.1/", b"canary"), Err(ConfigError::Tls(_))));
    }
}
