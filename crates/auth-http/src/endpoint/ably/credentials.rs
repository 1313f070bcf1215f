//! The credentials in a request: a key or a token, in a header or in the query, and the clientId beside them.

use auth_core::Secret;
use auth_core::ably::{ApiKey, ClientId, ErrorCode, InvalidClientId};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request};

use super::Refusal;

/// What a request presents.
#[derive(Debug)]
pub(super) enum Credentials {
    Key(ApiKey),
    Token(Secret),
}

/// Some libraries pad, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Credentials {
    /// Reads `Authorization: Basic` or `Bearer`, or `key`, `access_token` or `accessToken` in the query: exactly one of
    /// them.
    pub(super) fn read<T>(request: &Request<T>) -> Result<Self, Refusal> {
        let mut found = Vec::new();
        for header in request.headers().get_all(AUTHORIZATION) {
            found.push(Self::of_header(header)?);
        }
        let query = request.uri().query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "key" => found.push(Self::of_key(&value)?),
                "access_token" | "accessToken" => found.push(Self::Token(Secret::from(value.into_owned()))),
                _ => {}
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(credentials), true) => Ok(credentials),
            (Some(_), false) => {
                Err(Refusal::new(ErrorCode::BAD_REQUEST, "present one credential, not several"))
            }
            (None, _) => Err(wrong("present a key or a token: none was found in the request")),
        }
    }

    fn of_header(header: &HeaderValue) -> Result<Self, Refusal> {
        let malformed =
            || wrong("the Authorization header is neither Basic with a key nor Bearer with a token");
        let (scheme, value) =
            header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            Self::of_key(decoded(value).ok_or_else(malformed)?.expose())
        } else if scheme.eq_ignore_ascii_case("bearer") && !value.is_empty() {
            Ok(Self::Token(bearer(value)))
        } else {
            Err(malformed())
        }
    }

    fn of_key(text: &str) -> Result<Self, Refusal> {
        ApiKey::parse(text).map(Self::Key).map_err(|_| wrong("what was presented as a key is none"))
    }
}

/// The token of a Bearer header (RSA3b leaves base64 to the library). A token has dots and base64 has none.
fn bearer(value: &str) -> Secret {
    let decoded = if value.contains('.') { None } else { decoded(value) };
    decoded.unwrap_or_else(|| Secret::from(value))
}

fn decoded(value: &str) -> Option<Secret> {
    String::from_utf8(BASE64.decode(value).ok()?).ok().map(Secret::from)
}

/// The clientId that a library was configured with (`X-Ably-ClientId`), for which its credentials must be good.
pub(super) fn declared_client_id(headers: &HeaderMap) -> Result<Option<ClientId>, Refusal> {
    let Some(header) = headers.get("x-ably-clientid") else { return Ok(None) };
    let text = header.to_str().ok().and_then(decoded);
    let text = text.ok_or_else(|| invalid_client_id("X-Ably-ClientId is not the base64 of a clientId"))?;
    ClientId::new(text.expose())
        .map(Some)
        .map_err(|error: InvalidClientId| invalid_client_id(&error.to_string()))
}

pub(super) fn invalid_client_id(message: &str) -> Refusal {
    Refusal::new(ErrorCode::INVALID_CLIENT_ID, message)
}

/// Credentials that no other request will make good.
pub(super) fn wrong(message: &str) -> Refusal {
    Refusal::new(ErrorCode::INVALID_CREDENTIALS, message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn read(authorization: Option<&str>, uri: &str) -> Result<String, u32> {
        let mut request = Request::get(uri);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        match Credentials::read(&request.body(Bytes::new()).unwrap()) {
            Ok(Credentials::Key(key)) => Ok(format!("{}:{}", key.name(), key.secret().expose())),
            Ok(Credentials::Token(token)) => Ok(token.expose().to_owned()),
            Err(refusal) => Err(refusal.info().code.number()),
        }
    }

    #[test]
    fn every_place_in_which_the_libraries_put_credentials_is_read() {
        let key = Ok("appid1.keyid1:SecretSecretSecret".to_owned());
        let basic = "YXBwaWQxLmtleWlkMTpTZWNyZXRTZWNyZXRTZWNyZXQ";
        for padding in ["", "="] {
            assert_eq!(read(Some(&format!("Basic {basic}{padding}")), "/"), key);
            assert_eq!(read(Some(&format!("basic {basic}{padding}")), "/"), key);
        }
        assert_eq!(read(None, "/?x=1&key=appid1.keyid1%3ASecretSecretSecret"), key);
        for (authorization, uri) in [
            (Some("Bearer a.t"), "/"),
            (Some("bearer YS50"), "/"),
            (None, "/?access_token=a.t"),
            (None, "/?accessToken=a.t"),
        ] {
            assert_eq!(read(authorization, uri), Ok("a.t".to_owned()), "{authorization:?} {uri}");
        }
        assert_eq!(read(Some("Bearer YS50dA"), "/"), Ok("a.tt".to_owned()), "without padding");
        assert_eq!(read(Some("Bearer YS50dA=="), "/"), Ok("a.tt".to_owned()), "with padding");
        assert_eq!(read(Some("Bearer !"), "/"), Ok("!".to_owned()), "no base64 is a token as it stands");
    }

    #[test]
    fn what_is_no_credential_or_more_than_one_is_refused() {
        for authorization in
            ["Basic", "Basic !", "Basic YS5i", "Basic /w==", "Bearer", "Bearer ", "Digest x=y", "é"]
        {
            assert_eq!(read(Some(authorization), "/"), Err(40_101), "{authorization}");
        }
        assert_eq!(read(None, "/"), Err(40_101));
        assert_eq!(read(None, "/?key=abc"), Err(40_101));
        assert_eq!(read(Some("Bearer a.t"), "/?access_token=a.t"), Err(40_000));
        assert_eq!(read(None, "/?access_token=a.t&accessToken=a.t"), Err(40_000));
    }

    #[test]
    fn a_declared_client_id_is_the_base64_of_one() {
        let declared = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-ably-clientid", HeaderValue::from_str(value).unwrap());
            declared_client_id(&headers).map_err(|refusal| refusal.info().code.number())
        };
        assert_eq!(declared("em/DqyDimIM=").unwrap().unwrap().as_str(), "zoë ☃");
        for value in ["!", "", "Kg==", "/w=="] {
            assert_eq!(declared(value), Err(40_012), "{value}");
        }
        assert_eq!(declared_client_id(&HeaderMap::new()), Ok(None));
    }
}
