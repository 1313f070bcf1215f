//! Why a request is refused, in Ably's own shape: a number, a status and words, in the body and in headers.

use std::time::Duration;

use auth_core::ably::{ErrorCode, ErrorInfo};
use auth_core::observe::Label;
use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::{code, json};

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    info: ErrorInfo,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
}

impl Refusal {
    /// A refusal with the status that usually goes with the number. `message` is for people: it says what to do, and holds
    /// no secret. Of a long one the beginning is sent.
    #[must_use]
    pub fn new(code: ErrorCode, message: &str) -> Self {
        Self::with_status(code, code.status(), message)
    }

    pub(super) fn with_status(code: ErrorCode, status: u16, message: &str) -> Self {
        Self { info: ErrorInfo::new(code, status, message), retry_after: None, allow: None }
    }

    /// Nothing is served under this path.
    #[must_use]
    pub fn unknown_path() -> Self {
        Self::new(ErrorCode::NOT_FOUND, "nothing is served under this path")
    }

    /// The body is larger than [`LARGEST_BODY`](super::LARGEST_BODY).
    #[must_use]
    pub fn body_too_large() -> Self {
        Self::with_status(code::TOO_LARGE, 413, "the body is too large: at most 64 KiB are read")
    }

    /// The body did not come in time, or not whole.
    #[must_use]
    pub fn body_incomplete(timed_out: bool) -> Self {
        if timed_out {
            Self::with_status(ErrorCode::TIMEOUT, 408, "the body did not come in time")
        } else {
            Self::new(ErrorCode::BAD_REQUEST, "the body did not come whole")
        }
    }

    /// Only these methods are served.
    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(code::METHOD, "this method is not served under this path") }
    }

    pub(super) fn rate_limited(retry_after: Duration) -> Self {
        let refusal = Self::new(ErrorCode::RATE_LIMITED, "too many requests for tokens of this key; wait");
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// There is no room to remember what must not be forgotten.
    pub(super) fn full(message: &str) -> Self {
        Self { retry_after: Some(Duration::from_secs(60)), ..Self::new(code::BUSY, message) }
    }

    /// What was asked for must be recorded first, and could not be.
    #[must_use]
    pub fn unrecorded() -> Self {
        let text = "this can't be recorded at the moment, so it is not done; ask again";
        Self { retry_after: Some(Duration::from_secs(1)), ..Self::new(code::BUSY, text) }
    }

    /// The number, the status and the words.
    #[must_use]
    pub const fn info(&self) -> &ErrorInfo {
        &self.info
    }

    /// The reply.
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        let body = self.info.to_json();
        self.into_response_with(body)
    }

    /// The reply with a body that holds more than the error.
    pub(super) fn into_response_with(self, body: String) -> Response<Bytes> {
        let status = StatusCode::from_u16(self.info.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, body);
        let headers = response.headers_mut();
        headers.insert("x-ably-errorcode", HeaderValue::from(self.info.code.number()));
        headers.insert("x-ably-errormessage", header_text(&self.info.message));
        if status == StatusCode::UNAUTHORIZED {
            // Bearer only: to a challenge for Basic, a browser answers with a dialog.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ably\""));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// The words in a header, where only printable ASCII may stand.
fn header_text(message: &Label) -> HeaderValue {
    let printable = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    let text: String = message.as_str().chars().map(printable).collect();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn an_error_stands_in_the_body_and_in_the_headers() {
        let response = Refusal::new(ErrorCode::TOKEN_EXPIRED, "the token has expired").into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()["x-ably-errorcode"], "40142");
        assert_eq!(response.headers()["x-ably-errormessage"], "the token has expired");
        let expected = r#"{"error":{"code":40142,"statusCode":401,"message":"the token has expired"}}"#;
        assert_eq!(response.body(), expected);
    }

    #[test]
    fn a_strangers_words_can_not_forge_a_header() {
        let response = Refusal::new(ErrorCode::CAPABILITY, "no \"é\"\r\nSet-Cookie: a=b").into_response();
        assert_eq!(response.headers()["x-ably-errormessage"], "no \"?\"??Set-Cookie: a=b");
    }

    #[test]
    fn a_wait_and_the_method_are_told_in_their_headers() {
        let response = Refusal::rate_limited(Duration::from_millis(1_200)).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (429, &HeaderValue::from(2))
        );
        let response = Refusal::method_not_allowed("POST").into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[ALLOW]),
            (405, &HeaderValue::from_static("POST"))
        );
    }
}
