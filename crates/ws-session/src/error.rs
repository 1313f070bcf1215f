//! Why a session ended, or could not begin.

use std::fmt;

/// Why a session ended for good, or is not ready. Cheap to clone, and free of secrets.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    code: Option<u16>,
    message: &'static str,
    advice: &'static str,
    source: Option<auth_core::Error>,
}

/// What ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused a fresh credential too; or the only one, where the session does not reconnect.
    AuthenticationRefused,
    /// The session was closed by its user, or its driver is gone.
    Closed,
    /// The connection was lost, or not made, and the session [does not reconnect](crate::machine::Config::without_reconnection).
    ConnectionLost,
    /// The server, or a proxy on the way to it, refused the connection for a reason that a credential does not change.
    ConnectionRefused,
    /// The credential is good, and does not allow what the session is for.
    Forbidden,
    /// The caller's patience ended; the session keeps trying. Or the connection was not made in time, and the session
    /// [does not reconnect](crate::machine::Config::without_reconnection).
    Timeout,
    /// No token can be had; the [source](std::error::Error::source) says why.
    Token,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, code: Option<u16>, message: &'static str) -> Self {
        Self { kind, code, message, advice: "", source: None }
    }

    pub(crate) const fn token(error: auth_core::Error) -> Self {
        Self {
            kind: ErrorKind::Token,
            code: None,
            message: "no token can be had for the session",
            advice: "",
            source: Some(error),
        }
    }

    pub(crate) fn with_advice(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }

    #[cfg(any(feature = "blocking", feature = "polled"))]
    pub(crate) const fn closed() -> Self {
        Self::new(ErrorKind::Closed, None, "the session is closed; open another")
    }

    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) const fn not_in_time() -> Self {
        let text = "the session is not authenticated yet; check the network, the URLs, and the events of its observer";
        Self::new(ErrorKind::Timeout, None, text)
    }

    /// What ended the session.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The close code, the HTTP status of a refused upgrade, or the number in the server's last message, that decided it.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        self.code
    }

    /// The token source's own error, when [`kind`](Self::kind) is [`ErrorKind::Token`].
    #[must_use]
    pub const fn token_error(&self) -> Option<&auth_core::Error> {
        self.source.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message)?;
        match (self.code, &self.source) {
            (Some(code), _) => write!(formatter, " (code {code})")?,
            (None, Some(source)) => write!(formatter, ": {source}")?,
            (None, None) => {}
        }
        formatter.write_str(self.advice)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Why a session can't be opened as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL is not an absolute ws or wss URL.
    #[error("the WebSocket URL must be absolute, such as wss://api.example.com/ws")]
    NotAUrl,
    /// The URL would send credentials unencrypted to another machine.
    #[error("the WebSocket URL must use wss: plain ws is for this machine only")]
    Plaintext,
    /// The platform has no certificate authorities to trust.
    #[error("no certificate authorities were found on this system; install its ca-certificates")]
    NoRoots,
    /// The proxy's URL is none.
    #[error("the proxy's URL must be like http://user:password@proxy:3128; SOCKS is not supported")]
    Proxy,
    /// A header can't be sent with the upgrade.
    #[error("the header {0:?} can't be sent with the upgrade: {1}")]
    Header(String, &'static str),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}
