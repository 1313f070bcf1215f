//! What a token endpoint says when it refuses (RFC 6749 §5.2), and what each code means for whoever asked.

use alloc::format;
use alloc::string::String;

use serde::Deserialize;

use crate::json::from_object;
use crate::{Error, ErrorKind, Retry};

/// An error answer of a token endpoint (RFC 6749 §5.2), reduced to its code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The `error` member, for example `invalid_grant`; `unknown code` where it is no registered one, since a server may
    /// send back there what it was sent.
    pub code: String,
}

impl ErrorResponse {
    /// The answer with this code, reduced to what a code may have.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self { code: clean(code) }
    }

    /// Reads a JSON body; `None` when it holds no `error`.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let wire: Wire = from_object(body).ok()?;
        Some(Self::of(&wire.error?))
    }

    /// The error that this verdict means. The description is left out: it is for developers, and may quote
    /// what was sent.
    #[must_use]
    pub fn into_error(self) -> Error {
        let code = self.code.as_str();
        let refused = |advice: &str| {
            Error::new(
                ErrorKind::Refused,
                format!("the token endpoint refused the request ({code}); {advice}"),
            )
        };
        match code {
            "invalid_client" | "unauthorized_client" => Error::new(
                ErrorKind::InvalidClient,
                format!(
                    "the token endpoint refused the client ({code}); check its id, what it authenticates with, and how"
                ),
            ),
            "invalid_grant" => Error::new(
                ErrorKind::InvalidGrant,
                "the token endpoint refused the grant (invalid_grant); log in again",
            ),
            // RFC 8628 §3.5, and OpenID Connect Core §3.1.2.6, which some servers answer refresh tokens with.
            "expired_token" | "interaction_required" | "login_required" | "consent_required" => Error::new(
                ErrorKind::InvalidGrant,
                format!("the token endpoint wants a person to log in ({code}); log in again"),
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
            "slow_down" => Error::new(
                ErrorKind::RateLimited,
                "the token endpoint asks for fewer requests (slow_down); wait longer between them",
            ),
            "authorization_pending" => {
                refused("the person has not answered yet: ask again later").with_retry(Retry::Backoff)
            }
            // RFC 9449 §8: whoever asks has sent the nonce already, which came with the answer before.
            "use_dpop_nonce" => refused("it takes no nonce but its next one: a mistake of the server"),
            "invalid_dpop_proof" => refused("check the key of the proof, and this machine's clock"),
            "access_denied" => refused("whoever was asked said no"),
            "invalid_scope" => refused("ask for scopes that the client may have"),
            "invalid_target" => refused("ask for a resource or an audience that the server knows"),
            "unsupported_grant_type" => refused("use a grant that the server has"),
            _ => refused("check the grant and the scopes"),
        }
    }
}

/// The code, if it is a registered one: any other may be a secret that was sent, sent back.
fn clean(code: &str) -> String {
    String::from(if REGISTERED.contains(&code) { code } else { "unknown code" })
}

/// The error codes of the registry that RFC 6749 §11.4 founded, as far as an endpoint answers with them.
const REGISTERED: [&str; 29] = [
    "access_denied",
    "account_selection_required",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "login_required",
    "request_not_supported",
    "request_uri_not_supported",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    error: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn verdicts_are_told_apart() {
        for (code, kind, retry) in [
            ("invalid_client", ErrorKind::InvalidClient, Retry::Never),
            ("unauthorized_client", ErrorKind::InvalidClient, Retry::Never),
            ("invalid_grant", ErrorKind::InvalidGrant, Retry::Reauthorize),
            ("expired_token", ErrorKind::InvalidGrant, Retry::Reauthorize),
            ("interaction_required", ErrorKind::InvalidGrant, Retry::Reauthorize),
            ("invalid_scope", ErrorKind::Refused, Retry::Never),
            ("invalid_target", ErrorKind::Refused, Retry::Never),
            ("invalid_request", ErrorKind::Refused, Retry::Never),
            ("invalid_dpop_proof", ErrorKind::Refused, Retry::Never),
            ("access_denied", ErrorKind::Refused, Retry::Never),
            ("unsupported_grant_type", ErrorKind::Refused, Retry::Never),
            ("something_new", ErrorKind::Refused, Retry::Never),
            ("authorization_pending", ErrorKind::Refused, Retry::Backoff),
            ("use_dpop_nonce", ErrorKind::Refused, Retry::Never),
            ("slow_down", ErrorKind::RateLimited, Retry::Backoff),
            ("temporarily_unavailable", ErrorKind::ServerFailed, Retry::Backoff),
            ("server_error", ErrorKind::ServerFailed, Retry::Backoff),
        ] {
            let body = format!(r#"{{"error":"{code}","error_description":"canary"}}"#);
            let error = ErrorResponse::parse(body.as_bytes()).unwrap().into_error();
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{code}");
            assert_eq!(error.is_in_doubt(), code == "server_error", "{code}");
            let shown = if code == "something_new" { "unknown code" } else { code };
            assert!(error.to_string().contains(shown) && !error.to_string().contains("canary"), "{error}");
        }
        assert_eq!(ErrorResponse::parse(b"<html>"), None);
    }

    /// A server may send back what it was sent, and this text ends in logs.
    #[test]
    fn what_is_no_registered_code_is_not_repeated() {
        let long = "x".repeat(65);
        for code in [
            "",
            "correct_horse_battery",
            "canary4f1e",
            "Canary",
            "a b",
            "a\u{1b}[31m",
            "_a",
            "a__b",
            "\"",
            long.as_str(),
        ] {
            let error = ErrorResponse::of(code);
            assert_eq!(error.code, "unknown code", "{code:?}");
            assert!(error.into_error().to_string().contains("(unknown code)"));
        }
        assert_eq!(ErrorResponse::of("interaction_required").code, "interaction_required");
    }
}
