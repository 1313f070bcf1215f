//! What can be wrong about a Spatium session before anything is sent.

use crate::wire;

/// Why a session can't be had as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL of the service is none that credentials may be sent to.
    #[error(transparent)]
    Url(#[from] wire::ConfigError),
    /// The URL of the service has a query, which paths can't be appended to.
    #[error("the URL of the authorization service has a query; leave that out")]
    Query,
    /// The path of a call is none.
    #[error(
        "the path must begin with a slash and hold neither a query nor a fragment, such as /api/permission/refresh"
    )]
    Path,
    /// The token id is empty or longer than 256 bytes.
    #[error(
        "the token id must have from 1 to 256 bytes; give each device one of its own that stays the same, such as a UUID"
    )]
    TokenId,
    /// No permission was named, or an empty one.
    #[error("name at least one permission, such as read, and no empty one")]
    Permissions,
    /// TLS can't be set up.
    #[cfg(feature = "client")]
    #[error("TLS can't be set up; install the system's ca-certificates")]
    Tls(#[source] std::io::Error),
}
