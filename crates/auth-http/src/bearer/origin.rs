//! Whose a URL is: scheme, host and port (RFC 6454 §4).

use std::fmt;

use http::Uri;

/// An origin; `wss` counts as `https`, and `ws` as `http`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Origin {
    encrypted: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of a URL, if it has one, and no credentials before its host.
    pub(super) fn of(url: &Uri) -> Option<Self> {
        let encrypted = match url.scheme_str()? {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().to_ascii_lowercase();
        let port = match authority.as_str().get(host.len()..)?.strip_prefix(':') {
            Some(port) if !port.is_empty() => port.parse().ok()?,
            _ if encrypted => 443,
            _ => 80,
        };
        (!host.is_empty()).then_some(Self { encrypted, host, port })
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { encrypted, host, port } = self;
        let scheme = if *encrypted { "https" } else { "http" };
        write!(formatter, "{scheme}://{host}:{port}")
    }
}
