//! Ably's REST authentication as a server sees it: time, token requests, revocations, and who a request comes from.
//!
//! [`respond`] answers `GET /time`, `POST /keys/{keyName}/requestToken` and `POST /keys/{keyName}/revokeTokens`;
//! [`authenticate`] says who sends any other request, and [`Caller`] what they may do. Both work on [`Records`], which are
//! plain data: whoever owns them brings the time and fresh random bytes, and decides where they live. [`realtime`] is the
//! other half, connections over WebSockets.
//!
//! Replies are JSON. A request that comes as msgpack, or accepts nothing else, is answered with 40013 as JSON: Ably's
//! libraries speak JSON when told `useBinaryProtocol: false`.
//!
//! ```
//! use auth_core::ably::ApiKey;
//! use auth_core::time::{Moment, Now, Timestamp};
//! use auth_http::endpoint::ably::{Records, ServedKey, respond};
//! use bytes::Bytes;
//! use http::Request;
//!
//! let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
//! let mut records = Records::new([1; 32]);
//! records.serve(ServedKey::new(ApiKey::parse("appid1.keyid1:SecretSecretSecret")?));
//! let request = Request::get("/time").body(Bytes::new())?;
//! let reply = respond(&mut records, now, [7; 32], &request, |_| Ok(())).unwrap();
//! assert_eq!(reply.body(), "[1700000000000]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authenticate;
mod body;
mod caller;
mod credentials;
mod path;
pub mod realtime;
mod records;
mod refusal;
mod reply;
mod request_token;
mod revoke_tokens;
#[cfg(test)]
mod tests;

use std::time::Duration;

use auth_core::ably::ErrorCode;
use auth_core::time::Now;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

pub use self::authenticate::{authenticate, caller_of_key, caller_of_token};
pub use self::body::check_format;
pub use self::caller::Caller;
pub use self::path::Path;
pub use self::records::{Records, ServedKey};
pub use self::refusal::Refusal;
pub use self::reply::json;

/// The largest request body that should be read, in bytes: what Ably's libraries publish at most.
pub const LARGEST_BODY: usize = 64 * 1_024;

/// Answers a request for the time, for a token, or for a revocation; `None` for any other path.
///
/// `fresh` must come from a secure random source, anew each time: a token is made of it. `admit` is asked once a request for
/// a token is known to come from the owner of the key that it names, before anything is granted; an `Err` says how long to
/// wait before the next is welcome.
pub fn respond(
    records: &mut Records,
    now: Now,
    fresh: [u8; 32],
    request: &Request<Bytes>,
    admit: impl FnOnce(&str) -> Result<(), Duration>,
) -> Option<Response<Bytes>> {
    let answer = match Path::of(request.uri().path()) {
        Path::Time => {
            let now = format!("[{}]", now.wall.as_millis());
            body::check(request, &Method::GET).map(|()| json(StatusCode::OK, now))
        }
        Path::RequestToken { key_name } => {
            return Some(request_token::respond(records, now, fresh, &key_name, request, admit));
        }
        Path::RevokeTokens { key_name } => {
            return Some(revoke_tokens::respond(records, now, &key_name, request));
        }
        Path::Messages { .. } | Path::Other => return None,
    };
    Some(answer.unwrap_or_else(Refusal::into_response))
}

/// Numbers of Ably's that only a server needs.
mod code {
    use super::ErrorCode;

    pub(super) const TOO_LARGE: ErrorCode = ErrorCode::new(40_009);
    pub(super) const CHANNEL_NAME: ErrorCode = ErrorCode::new(40_010);
    pub(super) const ENCODING: ErrorCode = ErrorCode::new(40_013);
    pub(super) const BATCH_FAILED: ErrorCode = ErrorCode::new(40_020);
    pub(super) const OTHER_KEYS_TOKENS: ErrorCode = ErrorCode::new(40_133);
    /// As in Ably's own list of errors, beyond the table of auth-core.
    pub(super) const TOO_MANY_CHANNELS: ErrorCode = ErrorCode::new(90_010);
    pub(super) const TOKEN_REVOKED: ErrorCode = ErrorCode::new(40_141);
    pub(super) const TOKEN_UNKNOWN: ErrorCode = ErrorCode::new(40_143);
    pub(super) const DISCONNECTED: ErrorCode = ErrorCode::new(80_003);
    pub(super) const NEEDS_BASIC: ErrorCode = ErrorCode::new(40_162);
    pub(super) const NOT_RESUMED: ErrorCode = ErrorCode::new(80_018);
    pub(super) const NOT_REVOCABLE: ErrorCode = ErrorCode::new(40_163);
    pub(super) const METHOD: ErrorCode = ErrorCode::new(40_500);
    pub(super) const BUSY: ErrorCode = ErrorCode::new(50_004);
}
