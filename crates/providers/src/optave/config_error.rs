//! What can be wrong about an Optave client before anything is sent, and the SDK's names for it.

use auth_http::optave::ConfigError as TokenError;

/// Why a client can't be used as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no WebSocket URL.
    #[error(
        "the WebSocket URL is missing; copy it from the Optave console, such as wss://ws-sandbox.oco.optave.tech/"
    )]
    NoWebsocketUrl,
    /// The WebSocket can't be reached as configured.
    #[error(transparent)]
    Session(#[from] ws_session::ConfigError),
    /// A timeout of nothing.
    #[error("within no time nothing can be had; give the {0} timeout a length, or leave it out for 30 s")]
    ZeroTimeout(&'static str),
    /// What every provider may be told is wrong: the audit log, or whom to trust.
    #[error(transparent)]
    Setting(crate::ConfigError),
    /// No token can be had as configured.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl From<crate::ConfigError> for ConfigError {
    fn from(error: crate::ConfigError) -> Self {
        match error {
            crate::ConfigError::Session(error) => Self::Session(error),
            error => Self::Setting(error),
        }
    }
}

impl ConfigError {
    /// What the SDK calls this, where it has a name for it: `INVALID_WEBSOCKET_URL`, `INVALID_AUTHENTICATION_URL`,
    /// `INVALID_CLIENT_ID`, `CLIENT_SECRET_IN_CLIENT_ENV` or `MISSING_TOKEN`.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        use ws_session::ConfigError::{NotAUrl, Plaintext};
        match self {
            Self::NoWebsocketUrl | Self::Session(NotAUrl | Plaintext) => Some("INVALID_WEBSOCKET_URL"),
            Self::Token(TokenError::NoAuthenticationUrl | TokenError::Url(_)) => {
                Some("INVALID_AUTHENTICATION_URL")
            }
            Self::Token(TokenError::NoClientId) => Some("INVALID_CLIENT_ID"),
            Self::Token(TokenError::NoTokenSource) => Some("MISSING_TOKEN"),
            Self::Token(TokenError::SecretBesideProvider) => Some("CLIENT_SECRET_IN_CLIENT_ENV"),
            Self::Session(_) | Self::Setting(_) | Self::ZeroTimeout(_) | Self::Token(_) => None,
        }
    }
}
