//! The token endpoint (RFC 6749 §3.2) as a client sees it: the request of each grant, and what a reply means.

use std::fmt;
use std::time::Duration;

use auth_core::loopback::is_loopback;
use auth_core::oauth::{ErrorResponse, TokenResponse};
use auth_core::scope::Scopes;
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Retry, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};

/// A token endpoint and the client that is registered there.
///
/// The client authenticates by HTTP Basic, its id and secret form-encoded before base64 (RFC 6749 §2.3.1).
#[derive(Clone)]
pub struct TokenEndpoint {
    uri: Uri,
    authorization: HeaderValue,
}

impl TokenEndpoint {
    /// The endpoint at `uri`, an absolute `https` URL; plain `http` is accepted on loopback only.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the URL is not such, or the id or the secret is empty.
    pub fn new(uri: &str, client_id: &str, client_secret: Secret) -> Result<Self, ConfigError> {
        let uri: Uri = uri.parse().map_err(|_| ConfigError::NotAUrl)?;
        let host = uri.host().ok_or(ConfigError::NotAUrl)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(ConfigError::NotAUrl);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(host) => {}
            Some("http") => return Err(ConfigError::Plaintext),
            _ => return Err(ConfigError::NotAUrl),
        }
        if client_id.is_empty() {
            return Err(ConfigError::NoClientId);
        }
        if client_secret.is_empty() {
            return Err(ConfigError::NoClientSecret);
        }
        Ok(Self { uri, authorization: basic(client_id, &client_secret) })
    }

    /// Whether the endpoint is reached without TLS, which happens on loopback only.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        self.uri.scheme_str() == Some("http")
    }

    /// The request of the client credentials grant (RFC 6749 §4.4.2), asking for `scope` if there is any.
    #[must_use]
    pub fn client_credentials(&self, scope: &Scopes) -> Request<Bytes> {
        let scope = scope.to_string();
        self.request(&[("grant_type", "client_credentials"), ("scope", &scope)])
    }

    /// The request that redeems a refresh token (RFC 6749 §6).
    #[must_use]
    pub fn refresh_token(&self, refresh_token: &Secret) -> Request<Bytes> {
        self.request(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())])
    }

    /// A form POST; parameters without a value are left out (RFC 6749 §3.2).
    fn request(&self, parameters: &[(&str, &str)]) -> Request<Bytes> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
        let mut request = Request::new(Bytes::from(form.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    }

    /// What a reply of the endpoint means.
    ///
    /// A code inside the body of a 5xx reply is no verdict: a proxy may have written it.
    ///
    /// # Errors
    ///
    /// The kind says what to do: [`RateLimited`](ErrorKind::RateLimited) and
    /// [`ServerFailed`](ErrorKind::ServerFailed) pass with time, the others need a change.
    pub fn read(response: &Response<Bytes>) -> Result<TokenResponse, Error> {
        let status = response.status();
        if status.is_success() {
            return TokenResponse::parse(response.body())
                .map(|issued| issued.with_server_time(server_time(response.headers())))
                .map_err(|error| error.with_code(status.as_u16().into()));
        }
        let advised = |error: Error| match retry_after(response.headers()) {
            Some(wait) => error.with_retry(Retry::After(wait)),
            None => error,
        };
        let error = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                advised(Error::new(ErrorKind::RateLimited, "the token endpoint asks for fewer requests"))
                    .without_effect()
            }
            // The server waited for the rest of the request (RFC 9110 §15.5.9), so it has not acted on it.
            StatusCode::REQUEST_TIMEOUT => {
                Error::new(ErrorKind::Timeout, "the token endpoint timed out").without_effect()
            }
            StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => Error::new(
                ErrorKind::Refused,
                "the token endpoint does not support the request; check its URL",
            ),
            // The server is not able to handle the request (RFC 9110 §15.6.4): it was turned away.
            StatusCode::SERVICE_UNAVAILABLE => advised(Error::new(
                ErrorKind::ServerFailed,
                "the token endpoint is overloaded; it may recover",
            ))
            .without_effect(),
            _ if status.is_server_error() => {
                advised(Error::new(ErrorKind::ServerFailed, "the token endpoint failed; it may recover"))
            }
            _ if status.is_redirection() => Error::new(
                ErrorKind::Refused,
                "the token endpoint redirects, which is not followed with credentials; configure its final URL",
            ),
            _ => ErrorResponse::parse(response.body())
                .map_or_else(|| by_status(status), ErrorResponse::into_error),
        };
        Err(error.with_code(status.as_u16().into()))
    }
}

impl fmt::Debug for TokenEndpoint {
    /// Leaves the query out: some servers want a key there.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uri, authorization: _ } = self;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        write!(formatter, "TokenEndpoint({authority}{})", uri.path())
    }
}

fn by_status(status: StatusCode) -> Error {
    match status {
        StatusCode::UNAUTHORIZED => Error::new(
            ErrorKind::InvalidClient,
            "the token endpoint refused the client; check the client id and secret, or log in again",
        ),
        StatusCode::FORBIDDEN => Error::new(
            ErrorKind::Refused,
            "the client may not use this grant; allow it in the server's configuration of the client",
        ),
        _ => Error::new(
            ErrorKind::Refused,
            "the token endpoint refused the request; check its URL and the grant",
        ),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    auth_core::retry_after::parse(text(headers, RETRY_AFTER)?, text(headers, DATE))
}

fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    auth_core::retry_after::http_date(text(headers, DATE)?.trim())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The credentials of HTTP Basic.
#[expect(clippy::expect_used, reason = "base64 has only characters that a header may have")]
fn basic(client_id: &str, client_secret: &Secret) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(client_secret.expose()));
    let header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut header = header.expect("base64 fits a header");
    header.set_sensitive(true);
    header
}

/// Why a token endpoint can't be used as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client id is empty.
    #[error("the client id is empty; copy it from the server's configuration of the OAuth client")]
    NoClientId,
    /// The client secret is empty.
    #[error("the client secret is empty; copy it from the server's configuration of the OAuth client")]
    NoClientSecret,
    /// The URL is not an absolute http or https URL.
    #[error("the token URL must be absolute, such as https://api.example.com/oauth/token")]
    NotAUrl,
    /// The URL would send credentials unencrypted to another machine.
    #[error("the token URL must use https: plain http is for this machine only")]
    Plaintext,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str, secret: &str) -> TokenEndpoint {
        TokenEndpoint::new("https://api.mypurecloud.com/oauth/token", id, Secret::from(secret)).unwrap()
    }

    fn read(status: u16, headers: &[(&str, &str)], body: &str) -> Result<TokenResponse, Error> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        TokenEndpoint::read(&response.body(Bytes::from(body.to_owned())).unwrap())
    }

    /// What `purecloud-platform-client-v2` 262.0.0 from npm sends, read off a loopback socket.
    #[test]
    fn client_credentials_are_the_bytes_that_the_vendors_client_sends() {
        let request = endpoint("s1", "s1").client_credentials(&Scopes::default());
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "https://api.mypurecloud.com/oauth/token");
        assert_eq!(request.headers()[AUTHORIZATION], "Basic czE6czE=");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(&request.body()[..], b"grant_type=client_credentials");
    }

    #[test]
    fn a_refresh_token_is_form_encoded() {
        let request = endpoint("id", "secret").refresh_token(&Secret::from("a+b/c=&d"));
        assert_eq!(&request.body()[..], b"grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%26d");
    }

    #[test]
    fn scopes_are_asked_for_in_one_parameter() {
        let scopes = "a:read b".parse().unwrap();
        let request = endpoint("id", "secret").client_credentials(&scopes);
        assert_eq!(&request.body()[..], b"grant_type=client_credentials&scope=a%3Aread+b");
    }

    #[test]
    fn id_and_secret_are_form_encoded_before_base64() {
        let request = endpoint("a:b", "c%d é").client_credentials(&Scopes::default());
        let header = request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
        let decoded = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(decoded).unwrap(), "a%3Ab:c%25d+%C3%A9");
    }

    #[test]
    fn no_secret_shows_in_debug() {
        let endpoint = endpoint("id", "canary");
        let request = endpoint.client_credentials(&Scopes::default());
        let keyed = TokenEndpoint::new("https://a/t?key=canary", "i", Secret::from("s")).unwrap();
        let text = format!("{endpoint:?} {keyed:?} {:?}", request.headers());
        assert!(!text.contains("canary") && !text.contains(&STANDARD.encode("id:canary")), "{text}");
    }

    #[test]
    fn configuration_mistakes_are_found_at_construction() {
        let new = |uri, id, secret| TokenEndpoint::new(uri, id, Secret::from(secret)).unwrap_err();
        assert_eq!(new("https://a/t", "", "s"), ConfigError::NoClientId);
        assert_eq!(new("https://a/t", "i", ""), ConfigError::NoClientSecret);
        assert_eq!(new("http://api.example.com/t", "i", "s"), ConfigError::Plaintext);
        for uri in ["", "/oauth/token", "api.example.com", "ftp://a/t", "https://", "https://user:secret@a/t"]
        {
            assert_eq!(new(uri, "i", "s"), ConfigError::NotAUrl, "{uri:?}");
        }
        assert!(TokenEndpoint::new("http://127.0.0.1:9/t", "i", Secret::from("s")).unwrap().is_plaintext());
    }

    #[test]
    fn statuses_are_told_apart() {
        for (status, body, kind) in [
            (400, r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant),
            (400, r#"{"error":"invalid_client"}"#, ErrorKind::InvalidClient),
            (401, "", ErrorKind::InvalidClient),
            (403, "<html>", ErrorKind::Refused),
            (404, "", ErrorKind::Refused),
            (302, "", ErrorKind::Refused),
            (408, "", ErrorKind::Timeout),
            (429, "", ErrorKind::RateLimited),
            (500, "", ErrorKind::ServerFailed),
            (501, "", ErrorKind::Refused),
            (503, r#"{"error":"invalid_client"}"#, ErrorKind::ServerFailed),
            (200, r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant),
            (200, "<html>", ErrorKind::MalformedResponse),
        ] {
            let error = read(status, &[], body).unwrap_err();
            assert_eq!((error.kind(), error.code()), (kind, Some(u32::from(status))), "{status} {body}");
        }
    }

    #[test]
    fn the_servers_wait_becomes_the_advice() {
        let wait = Retry::After(Duration::from_secs(3));
        assert_eq!(read(429, &[("retry-after", "3")], "").unwrap_err().retry(), wait);
        assert_eq!(read(503, &[("retry-after", "3")], "").unwrap_err().retry(), wait);
        assert_eq!(read(429, &[], "").unwrap_err().retry(), Retry::Backoff);
        assert_eq!(read(400, &[("retry-after", "3")], "").unwrap_err().retry(), Retry::Never);
    }

    #[test]
    fn only_an_answer_that_may_hide_a_spent_token_is_in_doubt() {
        for (status, body, in_doubt) in [
            (400, r#"{"error":"invalid_grant"}"#, false),
            (400, r#"{"error":"temporarily_unavailable"}"#, false),
            (400, r#"{"error":"server_error"}"#, true),
            (200, r#"{"error":"temporarily_unavailable"}"#, false),
            (200, "<html>", true),
            (408, "", false),
            (429, "", false),
            (500, "", true),
            (502, "", true),
            (503, "", false),
            (504, "", true),
        ] {
            let error = read(status, &[], body).unwrap_err();
            assert_eq!(error.is_in_doubt(), in_doubt, "{status} {body}");
        }
    }

    #[test]
    fn the_date_of_a_reply_is_the_servers_time() {
        let body = r#"{"access_token":"t"}"#;
        let server_time = |headers: &[(&str, &str)]| read(200, headers, body).unwrap().server_time;
        let date = server_time(&[("date", "Fri, 20 Nov 2026 10:00:30 GMT")]).unwrap();
        assert_eq!(date.to_string(), "2026-11-20T10:00:30.000Z");
        assert_eq!(server_time(&[("date", "today")]), None);
        assert_eq!(server_time(&[]), None);
    }
}
