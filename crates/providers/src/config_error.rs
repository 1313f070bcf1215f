//! Why a provider can't be used as configured.

use std::io;

/// Why a provider can't be used as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The audit log can't be written, or an outlet's file.
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    /// There is no certificate of an authority among those to trust.
    #[error(transparent)]
    Authorities(auth_http::client::ConfigError),
    /// A server must not see the tokens.
    #[error(transparent)]
    Origin(auth_core::Error),
    /// The region is no domain.
    #[error("the region must be a domain such as mypurecloud.com, or the URL of a gateway")]
    Region,
    /// The WebSocket can't be reached as configured.
    #[error(transparent)]
    Session(#[from] ws_session::ConfigError),
    /// The authorization session can't be had as configured.
    #[error(transparent)]
    Spatium(#[from] auth_http::spatium::ConfigError),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}; install the system's ca-certificates")]
    Tls(#[source] io::Error),
    /// The file for tokens can't be used.
    #[error("the file for tokens can't be used: {0}")]
    TokenFile(#[source] auth_core::Error),
    /// The token endpoint, or another server that tokens go to, can't be used as configured.
    #[error(transparent)]
    Token(#[from] auth_http::wire::ConfigError),
}
