//! OAuth 2.0: what a token endpoint answers (RFC 6749 §5), with the shapes that real servers send, and proof keys for codes.

mod pkce;

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

pub use self::pkce::CodeVerifier;
use crate::json::from_object;
use crate::scope::Scopes;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Secret};

/// A successful answer of a token endpoint (RFC 6749 §5.1).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The token itself.
    pub access_token: Secret,
    /// How long the token lives, counted from the request; `None` when the server did not say.
    pub expires_in: Option<Duration>,
    /// The refresh token that replaces the one in use, where the server issued one.
    pub refresh_token: Option<Secret>,
    /// The scopes granted. `None` means "as requested" in the RFC, and "nobody knows" in practice.
    pub scope: Option<Scopes>,
    /// What the server's clock said when it answered (the `Date` of an HTTP reply); `None` when it did not say.
    pub server_time: Option<Timestamp>,
}

impl TokenResponse {
    /// A response with a token and nothing else, for sources that are not token endpoints.
    #[must_use]
    pub const fn new(access_token: Secret) -> Self {
        Self { access_token, expires_in: None, refresh_token: None, scope: None, server_time: None }
    }

    /// The same response with a lifetime.
    #[must_use]
    pub fn with_expires_in(self, expires_in: Duration) -> Self {
        Self { expires_in: Some(expires_in), ..self }
    }

    /// The same response with a refresh token.
    #[must_use]
    pub fn with_refresh_token(self, refresh_token: Secret) -> Self {
        Self { refresh_token: Some(refresh_token), ..self }
    }

    /// The same response with what the server's clock said.
    #[must_use]
    pub fn with_server_time(self, server_time: Option<Timestamp>) -> Self {
        Self { server_time, ..self }
    }

    /// Reads a JSON body. `expires_in` may be a number or a numeric string, `scope` a string or an array, and a
    /// missing `token_type` means bearer: all of these are met in the wild. Unknown members are ignored, and so is an
    /// optional member that can't be read: it must not cost the tokens beside it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedResponse`] when the body is no such answer, or its `token_type` is not bearer (a
    /// token of an unknown type must not be used, RFC 6749 §7.1); the kind of the verdict when a body with
    /// status 200 holds an `error`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let wire: WireResponse = from_object(body).map_err(|error| {
            // Position only: the text of a serde error may quote the body, and the body may hold a token.
            malformed(format!(
                "the token endpoint's answer is no token response (line {}, column {}); check the token URL",
                error.line(),
                error.column()
            ))
        })?;
        if let Some(code) = wire.error {
            return Err(ErrorResponse { code: clean(&code) }.into_error());
        }
        match wire.token_type.as_deref() {
            Some(token_type) if !token_type.eq_ignore_ascii_case("bearer") => {
                return Err(malformed("the token endpoint issued a token that is not a bearer token"));
            }
            Some(_) | None => {}
        }
        let Some(access_token) = wire.access_token.filter(|token| !token.is_empty()) else {
            return Err(malformed("the token endpoint's answer has no access_token; check the token URL"));
        };
        Ok(Self {
            access_token: Secret::from(access_token),
            expires_in: wire.expires_in.0.map(|Seconds(duration)| duration),
            refresh_token: wire.refresh_token.0.filter(|token| !token.is_empty()).map(Secret::from),
            scope: wire.scope.0,
            server_time: None,
        })
    }
}

/// An error answer of a token endpoint (RFC 6749 §5.2), reduced to its code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The `error` member, for example `invalid_grant`; what is not printable ASCII is dropped.
    pub code: String,
}

impl ErrorResponse {
    /// Reads a JSON body; `None` when it holds no `error`.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let wire: WireResponse = from_object(body).ok()?;
        Some(Self { code: clean(&wire.error?) })
    }

    /// The error that this verdict means. The description is left out: it is for developers, and may quote
    /// what was sent.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self.code.as_str() {
            "invalid_client" | "unauthorized_client" => Error::new(
                ErrorKind::InvalidClient,
                format!(
                    "the token endpoint refused the client ({}); check the client id and secret",
                    self.code
                ),
            ),
            "invalid_grant" => Error::new(
                ErrorKind::InvalidGrant,
                "the token endpoint refused the grant (invalid_grant); log in again",
            ),
            // "Unable to handle the request" is a whole answer: nothing was done.
            "temporarily_unavailable" => Error::new(
                ErrorKind::ServerFailed,
                "the token endpoint is overloaded (temporarily_unavailable); it may recover",
            )
            .without_effect(),
            // "An unexpected condition" may have come up after a refresh token was spent.
            "server_error" => Error::new(
                ErrorKind::ServerFailed,
                "the token endpoint failed (server_error); it may recover",
            ),
            code => Error::new(
                ErrorKind::Refused,
                format!("the token endpoint refused the request ({code}); check the grant and the scopes"),
            ),
        }
    }
}

fn malformed(message: impl Into<alloc::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::MalformedResponse, message)
}

/// An error code is at most 64 printable ASCII characters (RFC 6749 §5.2), whatever a server sends.
fn clean(code: &str) -> String {
    code.chars().filter(char::is_ascii_graphic).take(64).collect()
}

#[derive(Deserialize)]
struct WireResponse {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Tolerant<Seconds>,
    #[serde(default)]
    refresh_token: Tolerant<String>,
    #[serde(default)]
    scope: Tolerant<Scopes>,
    #[serde(default)]
    error: Option<String>,
}

/// A member that is taken for absent when it can't be read: the answer may hold the only copy of a rotated refresh token,
/// and a slip in a member beside it must not lose that.
struct Tolerant<T>(Option<T>);

impl<T> Default for Tolerant<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Tolerant<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(|value| Self(serde_json::from_value(value).ok()))
    }
}

/// A number of seconds as an integer, a finite float or a numeric string; negative reads as zero, which the
/// renewal machine treats as a token that arrived expired.
struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: another crate may have serde_json hand numbers over in a form of its own.
        let seconds = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => match number.as_u64() {
                Some(seconds) => return Ok(Self(Duration::from_secs(seconds))),
                None => number.as_f64(),
            },
            serde_json::Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        seconds
            .filter(|seconds: &f64| !seconds.is_nan())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a number of seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retry;

    fn expires_in(member: &str) -> Option<Duration> {
        let body = format!(r#"{{"access_token":"t","token_type":"Bearer"{member}}}"#);
        TokenResponse::parse(body.as_bytes()).unwrap().expires_in
    }

    #[test]
    fn the_genesys_document_s_answer_is_read() {
        let response = TokenResponse::parse(
            br#"{"access_token":"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...","token_type":"bearer","expires_in":3600,
                "refresh_token":"dGhpcyBpcyBhIHJlZnJlc2ggdG9rZW4...","scope":"conversation:read user:read analytics:read"}"#,
        )
        .unwrap();
        assert_eq!(response.access_token.expose(), "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...");
        assert_eq!(response.expires_in, Some(Duration::from_secs(3_600)));
        assert_eq!(response.refresh_token.unwrap().expose(), "dGhpcyBpcyBhIHJlZnJlc2ggdG9rZW4...");
        assert!(response.scope.unwrap().contains("analytics:read"));
    }

    #[test]
    fn lifetimes_are_read_in_every_shape_that_servers_send() {
        assert_eq!(expires_in(""), None);
        assert_eq!(expires_in(r#","expires_in":null"#), None);
        assert_eq!(expires_in(r#","expires_in":60"#), Some(Duration::from_secs(60)));
        assert_eq!(expires_in(r#","expires_in":"60""#), Some(Duration::from_secs(60)));
        assert_eq!(expires_in(r#","expires_in":59.5"#), Some(Duration::from_millis(59_500)));
        assert_eq!(expires_in(r#","expires_in":-5"#), Some(Duration::ZERO));
    }

    #[test]
    fn an_optional_member_that_cannot_be_read_does_not_cost_the_tokens() {
        for member in [
            r#""expires_in":"soon""#,
            r#""expires_in":{}"#,
            r#""expires_in":"NaN""#,
            r#""expires_in":"inf""#,
            r#""expires_in":true"#,
            r#""expires_in":1e300"#,
            r#""scope":"a\u0000b""#,
            r#""scope":5"#,
            r#""scope":[["a"]]"#,
        ] {
            let body = format!(r#"{{"access_token":"t","refresh_token":"r2",{member}}}"#);
            let response = TokenResponse::parse(body.as_bytes()).unwrap();
            assert_eq!((response.expires_in, response.scope), (None, None), "{member}");
            assert_eq!(response.refresh_token.unwrap().expose(), "r2");
        }
    }

    #[test]
    fn what_is_no_token_response_is_malformed() {
        for body in [
            &b""[..],
            b"<html>",
            b"[]",
            br#"["t","bearer",60]"#,
            b"{}",
            br#"{"access_token":""}"#,
            br#"{"access_token":5}"#,
            br#"{"access_token":"t","expires_in":1e400}"#,
            br#"{"access_token":"t","access_token":"u"}"#,
            br#"{"access_token":"t","token_type":"mac"}"#,
        ] {
            let error = TokenResponse::parse(body).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MalformedResponse, "{body:?}");
        }
    }

    #[test]
    fn a_malformed_answer_is_not_quoted_in_the_error() {
        let error = TokenResponse::parse(br#"{"access_token":"canary","token_type":"canary"}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn an_error_inside_a_success_is_an_error() {
        let error = TokenResponse::parse(br#"{"error":"invalid_grant"}"#).unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::InvalidGrant, Retry::Reauthorize));
    }

    #[test]
    fn verdicts_are_told_apart() {
        for (code, kind) in [
            ("invalid_client", ErrorKind::InvalidClient),
            ("invalid_grant", ErrorKind::InvalidGrant),
            ("invalid_scope", ErrorKind::Refused),
            ("temporarily_unavailable", ErrorKind::ServerFailed),
        ] {
            let body = format!(r#"{{"error":"{code}","error_description":"x"}}"#);
            assert_eq!(ErrorResponse::parse(body.as_bytes()).unwrap().into_error().kind(), kind);
        }
        assert_eq!(ErrorResponse::parse(b"<html>"), None);
    }
}
