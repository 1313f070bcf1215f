//! Requests to Ably's REST endpoints and to auth URLs, and their replies, as plain values: no I/O, no clock.
//!
//! | Request | Reply |
//! | --- | --- |
//! | [`Service::request_token`]: `POST /keys/{keyName}/requestToken` | [`read_token`] |
//! | [`Service::revoke_tokens`]: `POST /keys/{keyName}/revokeTokens` | [`read_revocation`] |
//! | [`Service::time`]: `GET /time` | [`read_time`] |
//! | [`auth_url_request`]: whatever the auth URL wants | [`read_auth_url`] |
//! | [`Service::authorized`]: any other REST request | [`error_of`] |

mod auth_url;
mod authorization;
mod query;
mod replies;
mod rest_error;
mod service;

pub use self::auth_url::{auth_url_request, read_auth_url};
pub use self::authorization::{BearerFormat, Credential};
pub use self::replies::{read_revocation, read_time, read_token};
pub use self::rest_error::{error_of, is_token_error};
pub use self::service::Service;

/// The protocol version that every REST request names in `X-Ably-Version` (RSC7e).
pub const PROTOCOL_VERSION: &str = "6";
/// What every REST request names in `Ably-Agent` (RSC7d).
pub const AGENT: &str = concat!("realtime-auth-rust/", env!("CARGO_PKG_VERSION"));
/// The service's primary domain (RSC25).
pub const PRIMARY_ENDPOINT: &str = "https://main.realtime.ably.net";
