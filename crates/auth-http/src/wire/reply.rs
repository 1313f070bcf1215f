//! What a reply of an OAuth endpoint means when it is no success: whose fault it is, and whether it passes.

use std::time::Duration;

use auth_core::oauth::ErrorResponse;
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Retry};
use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Response, StatusCode};

/// The error of a reply of `place` whose status is no success. A code inside the body of a 5xx reply is no verdict: a proxy
/// may have written it.
pub(crate) fn failure(place: &str, response: &Response<Bytes>) -> Error {
    let status = response.status();
    let error = |kind, what: &str| Error::new(kind, format!("{place} {what}"));
    let advised = |error: Error| match retry_after(response.headers()) {
        Some(wait) => error.with_retry(Retry::After(wait)),
        None => error,
    };
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS => {
            advised(error(ErrorKind::RateLimited, "asks for fewer requests")).without_effect()
        }
        // The server waited for the rest of the request (RFC 9110 §15.5.9), so it has not acted on it.
        StatusCode::REQUEST_TIMEOUT => error(ErrorKind::Timeout, "timed out").without_effect(),
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => {
            error(ErrorKind::Refused, "does not support the request; check its URL")
        }
        // The server is not able to handle the request (RFC 9110 §15.6.4): it was turned away.
        StatusCode::SERVICE_UNAVAILABLE => {
            advised(error(ErrorKind::ServerFailed, "is overloaded; it may recover")).without_effect()
        }
        _ if status.is_server_error() => advised(error(ErrorKind::ServerFailed, "failed; it may recover")),
        _ if status.is_redirection() => error(
            ErrorKind::Refused,
            "redirects, which is not followed with credentials; configure its final URL",
        ),
        _ => match (ErrorResponse::parse(response.body()), status) {
            (Some(verdict), _) => verdict.into_error(),
            (None, StatusCode::UNAUTHORIZED) => error(
                ErrorKind::InvalidClient,
                "refused the client; check the client id and secret, or log in again",
            ),
            (None, StatusCode::FORBIDDEN) => error(
                ErrorKind::Refused,
                "does not allow this to the client; allow it in the server's configuration of the client",
            ),
            (None, _) => error(ErrorKind::Refused, "refused the request; check its URL and the grant"),
        },
    };
    error.with_code(status.as_u16().into())
}

/// The OAuth code of a reply, where it is a verdict.
pub(crate) fn verdict(response: &Response<Bytes>) -> Option<ErrorResponse> {
    let told = !response.status().is_server_error() && !response.status().is_redirection();
    if told { ErrorResponse::parse(response.body()) } else { None }
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    auth_core::retry_after::parse(text(headers, RETRY_AFTER)?, text(headers, DATE))
}

pub(crate) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    auth_core::retry_after::http_date(text(headers, DATE)?.trim())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
