//! What a token endpoint says when it issues a token (RFC 6749 §5.1).

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::ErrorResponse;
use crate::json::from_object;
use crate::scope::Scopes;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Retry, Secret};

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
    /// How the token is presented; a server that does not say means bearer.
    pub token_type: TokenType,
    /// What the server's clock said when it answered (the `Date` of an HTTP reply); `None` when it did not say.
    pub server_time: Option<Timestamp>,
    /// What else the issuer said of the token, in the words of whoever reads the store: kept there and never looked into.
    /// Ably's are [`TokenDetails`](crate::ably::TokenDetails) without the token.
    pub details: Option<String>,
}

impl TokenResponse {
    /// A response with a token and nothing else, for sources that are not token endpoints.
    #[must_use]
    pub const fn new(access_token: Secret) -> Self {
        Self {
            access_token,
            expires_in: None,
            refresh_token: None,
            scope: None,
            token_type: TokenType::Bearer,
            server_time: None,
            details: None,
        }
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

    /// The same response with what else its issuer said.
    #[must_use]
    pub fn with_details(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
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
    /// [`ErrorKind::MalformedResponse`] when the body is no such answer, its token is not of visible ASCII characters (RFC
    /// 6749 §A.12, RFC 6750 §2.1), or its `token_type` is not bearer (a token of an unknown type must not be used, §7.1); the kind of the verdict when a body with
    /// status 200 holds an `error`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        Self::parse_as(body, TokenType::Bearer)
    }

    /// Reads a JSON body whose token must be of this type: one that is bound to a key is no bearer token, and a bearer token
    /// where a proof was sent is one that whoever steals it can use (RFC 9449 §5).
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse); when a bearer token was issued in place of a bound one, never to be retried.
    pub fn parse_as(body: &[u8], expected: TokenType) -> Result<Self, Error> {
        let wire: WireResponse = from_object(body).map_err(|error| {
            // Position only: the text of a serde error may quote the body, and the body may hold a token.
            malformed(format!(
                "the token endpoint's answer is no token response (line {}, column {}); check the token URL",
                error.line(),
                error.column()
            ))
        })?;
        if let Some(code) = wire.error {
            return Err(ErrorResponse::of(&code).into_error());
        }
        expected.check(wire.token_type.as_deref())?;
        check_issued(wire.issued_token_type.as_deref())?;
        let Some(access_token) = wire.access_token.filter(|token| !token.is_empty()) else {
            return Err(malformed("the token endpoint's answer has no access_token; check the token URL"));
        };
        // Every byte, without an early end: that way it costs next to nothing on each fetch.
        if !access_token.bytes().fold(true, |visible, byte| visible & byte.is_ascii_graphic()) {
            return Err(malformed(
                "the token endpoint issued a token with characters that no request can carry; have the server mended",
            ));
        }
        Ok(Self {
            access_token: Secret::from(access_token),
            expires_in: wire.expires_in.0.map(|Seconds(duration)| duration),
            refresh_token: wire.refresh_token.0.filter(|token| !token.is_empty()).map(Secret::from),
            scope: wire.scope.0,
            token_type: expected,
            server_time: None,
            details: None,
        })
    }
}

/// How a token is presented (RFC 6749 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TokenType {
    /// Whoever has it can use it (RFC 6750).
    #[default]
    Bearer,
    /// It is bound to a key, whose holder proves it with each request (RFC 9449).
    Dpop,
}

impl TokenType {
    /// The name, as it stands in `token_type` and before the token in an `Authorization` header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// Checks what an answer says of its token. Who says nothing means bearer.
    fn check(self, stated: Option<&str>) -> Result<(), Error> {
        let stated = stated.unwrap_or("bearer");
        match self {
            _ if stated.eq_ignore_ascii_case(self.name()) => Ok(()),
            Self::Bearer => Err(malformed("the token endpoint issued a token that is not a bearer token")),
            // No verdict: what was redeemed for this token is spent.
            Self::Dpop if stated.eq_ignore_ascii_case("bearer") => Err(malformed(
                "the token endpoint issued a bearer token where one bound to a key was asked for; switch DPoP on there",
            )
            .with_retry(Retry::Never)),
            Self::Dpop => Err(malformed("the token endpoint issued a token of a type that is not known")),
        }
    }
}

/// Checks that a token exchange (RFC 8693 §2.2.1) gave a token to present, and not, say, a SAML assertion.
fn check_issued(issued: Option<&str>) -> Result<(), Error> {
    match issued {
        None
        | Some("urn:ietf:params:oauth:token-type:access_token" | "urn:ietf:params:oauth:token-type:jwt") => {
            Ok(())
        }
        Some(_) => Err(malformed("the token endpoint exchanged the token for one that is no access token")),
    }
}

fn malformed(message: impl Into<alloc::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::MalformedResponse, message)
}

#[derive(Deserialize)]
struct WireResponse {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    issued_token_type: Option<String>,
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
            br#"{"access_token":"t\r\nX: y"}"#,
            br#"{"access_token":"t u"}"#,
            "{\"access_token\":\"t\u{fc}\"}".as_bytes(),
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
    fn a_type_is_compared_in_any_case() {
        for (stated, expected) in [
            ("Bearer", TokenType::Bearer),
            ("bearer", TokenType::Bearer),
            ("BEARER", TokenType::Bearer),
            ("DPoP", TokenType::Dpop),
            ("dpop", TokenType::Dpop),
        ] {
            let body = format!(r#"{{"access_token":"t","token_type":"{stated}"}}"#);
            let response = TokenResponse::parse_as(body.as_bytes(), expected).unwrap();
            assert_eq!(response.token_type, expected);
        }
    }

    #[test]
    fn a_bound_token_and_a_bearer_token_are_not_taken_for_each_other() {
        let read = |token_type: &str, expected| {
            let body = format!(r#"{{"access_token":"t"{token_type}}}"#);
            TokenResponse::parse_as(body.as_bytes(), expected).unwrap_err().kind()
        };
        assert_eq!(read(r#","token_type":"DPoP""#, TokenType::Bearer), ErrorKind::MalformedResponse);
        assert_eq!(read(r#","token_type":"Bearer""#, TokenType::Dpop), ErrorKind::MalformedResponse);
        assert_eq!(read("", TokenType::Dpop), ErrorKind::MalformedResponse);
        assert_eq!(read(r#","token_type":"mac""#, TokenType::Dpop), ErrorKind::MalformedResponse);
    }

    /// RFC 8693 §2.3: the answer to the example.
    #[test]
    fn an_exchange_gives_an_access_token_or_nothing() {
        let read = |issued: &str| {
            let body = format!(
                r#"{{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:{issued}","token_type":"Bearer","expires_in":60}}"#
            );
            TokenResponse::parse(body.as_bytes())
        };
        assert!(read("access_token").is_ok() && read("jwt").is_ok());
        assert_eq!(read("saml2").unwrap_err().kind(), ErrorKind::MalformedResponse);
        assert_eq!(read("refresh_token").unwrap_err().kind(), ErrorKind::MalformedResponse);
    }
}
