//! What the service answers: a token, what came of a revocation, the time.

use auth_core::ably::{RevocationResult, TokenDetails};
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::Response;

use super::error_of;

/// Reads the reply to [`Service::request_token`](super::Service::request_token).
///
/// # Errors
///
/// Ably's own, with its number; [`MalformedResponse`](ErrorKind::MalformedResponse) for a success that holds no token.
pub fn read_token(response: &Response<Bytes>) -> Result<TokenDetails, Error> {
    error_of(response).map_or_else(|| TokenDetails::parse(response.body()), Err)
}

/// Reads the reply to [`Service::revoke_tokens`](super::Service::revoke_tokens): what came of each target.
///
/// # Errors
///
/// Ably's own where it refused the request as a whole; [`MalformedResponse`](ErrorKind::MalformedResponse) for anything
/// else.
pub fn read_revocation(response: &Response<Bytes>) -> Result<RevocationResult, Error> {
    error_of(response).map_or_else(|| RevocationResult::parse(response.body()), Err)
}

/// Reads the reply to [`Service::time`](super::Service::time): an array of one integer.
///
/// # Errors
///
/// Ably's own; [`MalformedResponse`](ErrorKind::MalformedResponse) when it is something else.
pub fn read_time(response: &Response<Bytes>) -> Result<Timestamp, Error> {
    if let Some(error) = error_of(response) {
        return Err(error);
    }
    let [millis]: [u64; 1] = serde_json::from_slice(response.body()).map_err(|_| {
        let text = "the answer of /time is not the time; check the endpoint's URL";
        Error::new(ErrorKind::MalformedResponse, text)
    })?;
    Ok(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reply;

    #[test]
    fn rsc16_the_time_is_an_array_of_one_integer() {
        assert_eq!(read_time(&reply(200, &[], "[1700000000000]")).unwrap().as_millis(), 1_700_000_000_000);
        for body in ["", "[]", "[1,2]", "[-1]", "[1.5]", "1700000000000", r#"{"time":1}"#, "<html>canary"] {
            let error = read_time(&reply(200, &[], body)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MalformedResponse, "{body}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        assert_eq!(read_time(&reply(503, &[], "[1]")).unwrap_err().kind(), ErrorKind::ServerFailed);
    }

    #[test]
    fn a_token_comes_with_any_success_and_errors_keep_their_number() {
        for status in [200, 201] {
            let details = read_token(&reply(status, &[], r#"{"token":"t"}"#)).unwrap();
            assert_eq!(details.token().expose(), "t");
        }
        let refused = r#"{"error":{"code":40160,"statusCode":401}}"#;
        assert_eq!(read_token(&reply(401, &[], refused)).unwrap_err().code(), Some(40_160));
        assert_eq!(read_revocation(&reply(401, &[], refused)).unwrap_err().code(), Some(40_160));
        assert_eq!(read_token(&reply(200, &[], refused)).unwrap_err().kind(), ErrorKind::MalformedResponse);
        assert_eq!(read_token(&reply(302, &[], "")).unwrap_err().kind(), ErrorKind::Refused);
    }
}
