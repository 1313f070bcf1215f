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
    Forbidden,
    NotFound,
    MethodNotAllowed,
    TooManyRequests(Duration),
    /// There is room for no more sessions, or the key can't sign.
    Unavailable,
}

impl Refusal {
    pub(super) fn into_response(self, request_id: Option<&str>) -> Response<Bytes> {
        let (status, code, message) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request", "the request is malformed"),
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "the credentials are wrong, or no longer good")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "a permission is not granted"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is no such call"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use POST"),
            Self::TooManyRequests(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "ask more slowly")
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the service has no room; ask again later")
            }
        };
        let mut body = json!({ "error": { "code": code, "message": message } });
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
            Self::BadRequest | Self::Unauthorized | Self::Forbidden | Self::NotFound | Self::Unavailable => {}
        }
        response
    }
}
