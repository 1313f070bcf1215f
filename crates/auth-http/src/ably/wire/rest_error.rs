//! What an error reply of Ably's service means: its number from the body or the headers, else from the status.

use auth_core::ably::{Action, ErrorCode, ErrorInfo};
use auth_core::{Error, Retry};
use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::wire::retry_after;

/// The header that names the number beside the body: a reply in a format that is not read here still says it.
const ERROR_CODE: &str = "x-ably-errorcode";

/// The error that a reply means; `None` for a success.
///
/// The number is the body's, else the header's, else the status's followed by two zeros, as Ably counts. What the
/// service says for people is not in it.
#[must_use]
pub fn error_of(response: &Response<Bytes>) -> Option<Error> {
    if response.status().is_success() {
        return None;
    }
    Some(advised(info(response).to_error(), response.headers()))
}

/// The same error, to be tried again no sooner than the reply wishes.
pub(super) fn advised(error: Error, headers: &HeaderMap) -> Error {
    match retry_after(headers) {
        Some(wait) if error.retry() == Retry::Backoff => error.with_retry(Retry::After(wait)),
        _ => error,
    }
}

/// Whether a reply refuses the token that was sent, so that another may be accepted: HTTP status 401, and a number from
/// 40140 to 40149 in the body or in the header (RSC10).
#[must_use]
pub fn is_token_error(response: &Response<Bytes>) -> bool {
    let status = response.status().as_u16();
    let by = |code: Option<ErrorCode>| {
        code.is_some_and(|code| code.is_token_error(status) && code.action(status) == Action::RenewToken)
    };
    by(body_code(response)) || by(header_code(response))
}

pub(super) fn info(response: &Response<Bytes>) -> ErrorInfo {
    let status = response.status().as_u16();
    let told = body_code(response).or_else(|| header_code(response));
    ErrorInfo::new(told.unwrap_or_else(|| ErrorCode::new(u32::from(status) * 100)), status, "")
}

fn body_code(response: &Response<Bytes>) -> Option<ErrorCode> {
    ErrorInfo::parse(response.body()).map(|info| info.code)
}

fn header_code(response: &Response<Bytes>) -> Option<ErrorCode> {
    let text = response.headers().get(ERROR_CODE)?.to_str().ok()?;
    text.trim().parse().ok().map(ErrorCode::new)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::ErrorKind;

    use super::*;
    use crate::testing::reply;

    const EXPIRED: &str = r#"{"error":{"code":40142,"statusCode":401,"message":"canary"}}"#;

    #[test]
    fn rsc10_either_the_body_or_the_header_is_enough() {
        let header = [(ERROR_CODE, "40142")];
        for response in
            [reply(401, &[], EXPIRED), reply(401, &header, ""), reply(401, &header, "\u{1}msgpack")]
        {
            assert!(is_token_error(&response));
            assert_eq!(error_of(&response).unwrap().code(), Some(40_142));
        }
        for response in [
            reply(200, &header, EXPIRED),
            reply(400, &header, EXPIRED),
            reply(401, &[], ""),
            reply(401, &[(ERROR_CODE, "40100")], ""),
            reply(401, &[(ERROR_CODE, "40142x")], "{}"),
        ] {
            assert!(!is_token_error(&response), "{response:?}");
        }
    }

    #[test]
    fn a_status_alone_has_the_number_that_it_stands_for() {
        for (status, code, kind, retry) in [
            (401, 40_100, ErrorKind::InvalidClient, Retry::Never),
            (403, 40_300, ErrorKind::Refused, Retry::Never),
            (404, 40_400, ErrorKind::Refused, Retry::Never),
            (302, 30_200, ErrorKind::Refused, Retry::Never),
            (500, 50_000, ErrorKind::ServerFailed, Retry::Backoff),
            (502, 50_200, ErrorKind::ServerFailed, Retry::Backoff),
        ] {
            let error = error_of(&reply(status, &[], "<html>canary")).unwrap();
            assert_eq!((error.code(), error.kind(), error.retry()), (Some(code), kind, retry));
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        assert!(error_of(&reply(201, &[], "")).is_none());
    }

    #[test]
    fn the_wait_that_the_service_names_is_taken_over() {
        let error = error_of(&reply(429, &[("retry-after", "7")], "")).unwrap();
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
        let error = error_of(&reply(401, &[("retry-after", "7")], EXPIRED)).unwrap();
        assert_eq!(error.retry(), Retry::Reauthorize);
    }
}
