//! Why the authorization service gives no tokens.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::endpoint::token::{json as json_reply, whole_seconds};

/// Why there are no tokens. The body is ours, since the vendor documents none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    Unauthorized,
    /// A spent refresh token was presented, and its session is revoked. The client sees an [`Unauthorized`](Self::Unauthorized).
    Reused,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    TooManyRequests(Duration),
    /// There is room for no more sessions, or the key can't sign.
    Unavailable,
}

impl Refusal {
    /// The `code` in the reply.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized | Self::Reused => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooManyRequests(_) => "too_many_requests",
            Self::Unavailable => "unavailable",
        }
    }

    pub(super) fn into_response(self, request_id: Option<&str>) -> Response<Bytes> {
        let (status, message) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "the request is malformed"),
            Self::Unauthorized | Self::Reused => {
                (StatusCode::UNAUTHORIZED, "the credentials are wrong, or no longer good")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "a permission is not granted"),
            Self::NotFound => (StatusCode::NOT_FOUND, "there is no such call"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "use POST"),
            Self::TooManyRequests(_) => (StatusCode::TOO_MANY_REQUESTS, "ask more slowly"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "the service has no room; ask again later")
            }
        };
        let mut body = json!({ "error": { "code": self.code(), "message": message } });
        if let Some(id) = request_id {
            body["requestId"] = Value::from(id);
        }
        let mut response = json_reply(status, &body);
        match self {
            Self::MethodNotAllowed => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::TooManyRequests(wait) => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
            }
            Self::BadRequest
            | Self::Unauthorized
            | Self::Reused
            | Self::Forbidden
            | Self::NotFound
            | Self::Unavailable => {}
        }
        response
    }
}
