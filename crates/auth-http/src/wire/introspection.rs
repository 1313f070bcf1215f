//! Introspection (RFC 7662) as a protected resource uses it: asking the issuer what a token is worth.

use std::time::Duration;

use auth_core::scope::Scopes;
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::reply::failure;
use super::token::post;
use super::url::EndpointUrl;
use super::{ClientAuthentication, ConfigError, TokenForm, TokenHint};

/// An introspection endpoint, and the credentials of the resource that asks there: its own, never those of the token.
#[derive(Debug, Clone)]
pub struct IntrospectionEndpoint {
    url: EndpointUrl,
    resource: ClientAuthentication,
}

/// What the issuer says of a token.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a token is active or it is not")]
pub enum Introspection {
    /// It is good for nothing; why is nobody's business, and whatever else the answer says is not read.
    Inactive,
    /// It is good, for what the answer says.
    Active(ActiveToken),
}

/// A token that is good. Each member is the issuer's word, absent where it says nothing that can be read.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ActiveToken {
    /// What it grants.
    pub scope: Option<Scopes>,
    /// Whom it was issued to.
    pub client_id: Option<String>,
    /// Whom it speaks of.
    pub subject: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Whom it is meant for; empty when the answer does not say.
    pub audience: Vec<String>,
    /// From when on it is good for nothing.
    pub expires: Option<Timestamp>,
    /// Whether it is presented as bearer or with a proof.
    pub token_type: Option<String>,
    /// The thumbprint of the key that it is bound to (`cnf.jkt`): without a proof of that key it must be refused.
    pub bound_to: Option<String>,
    /// The thumbprint of the certificate that it is bound to (`cnf.x5t#S256`, RFC 8705 §3.2): over a connection without
    /// that certificate it must be refused.
    pub bound_to_certificate: Option<String>,
}

impl Introspection {
    /// How long the answer may be reused: no longer than the token lives, and never more than a minute, so that a
    /// revocation counts soon. An inactive token may be asked about again at once.
    #[must_use]
    pub fn reusable_for(&self, now: Timestamp) -> Duration {
        match self {
            Self::Inactive => Duration::ZERO,
            Self::Active(token) => {
                let lives = token.expires.map_or(Duration::MAX, |expires| expires.saturating_since(now));
                lives.min(Duration::from_secs(60))
            }
        }
    }
}

impl IntrospectionEndpoint {
    /// The endpoint at `uri`. Take it from the issuer's metadata: a token is sent there.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`].
    pub fn new(uri: &str, resource: ClientAuthentication) -> Result<Self, ConfigError> {
        Ok(Self { url: EndpointUrl::parse(uri)?, resource })
    }

    /// The request (RFC 7662 §2.1).
    ///
    /// # Errors
    ///
    /// Those of the key that signs, if one does.
    pub fn request(
        &self,
        token: &Secret,
        hint: Option<TokenHint>,
        server_time: Option<Timestamp>,
    ) -> Result<Request<Bytes>, Error> {
        let hint = Secret::from(hint.map_or("", TokenHint::name));
        let form = TokenForm::empty().with("token", token).with("token_type_hint", &hint);
        post(&self.url, &self.resource, &form, server_time)
    }

    /// What a reply means (RFC 7662 §2.2). Whoever reads it still checks audience, issuer and scope.
    ///
    /// # Errors
    ///
    /// As for a token endpoint; [`MalformedResponse`](ErrorKind::MalformedResponse) when `active` is no boolean.
    pub fn read(&self, response: &Response<Bytes>) -> Result<Introspection, Error> {
        if !response.status().is_success() {
            return Err(failure("the introspection endpoint", response));
        }
        let malformed = || {
            let text =
                "the introspection endpoint's answer does not say whether the token is active; check its URL";
            Error::new(ErrorKind::MalformedResponse, text)
        };
        let members: Map<String, Value> = serde_json::from_slice(response.body()).map_err(|_| malformed())?;
        // Read on its own: a map would let the last of two equal members win.
        let Stated { active } = serde_json::from_slice(response.body()).map_err(|_| malformed())?;
        Ok(if active { Introspection::Active(ActiveToken::of(&members)) } else { Introspection::Inactive })
    }
}

/// The one member that an answer must have.
#[derive(Deserialize)]
struct Stated {
    active: bool,
}

impl ActiveToken {
    fn of(members: &Map<String, Value>) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let audience = match members.get("aud") {
            Some(Value::String(audience)) => vec![audience.clone()],
            Some(Value::Array(audience)) => {
                audience.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let bound_to = |name: &str| {
            members.get("cnf").and_then(|cnf| cnf.get(name)).and_then(Value::as_str).map(str::to_owned)
        };
        let seconds =
            members.get("exp").and_then(Value::as_f64).and_then(|exp| Duration::try_from_secs_f64(exp).ok());
        Self {
            scope: members.get("scope").and_then(|scope| serde_json::from_value(scope.clone()).ok()),
            client_id: text("client_id"),
            subject: text("sub"),
            issuer: text("iss"),
            audience,
            expires: seconds.map(Timestamp::since_epoch),
            token_type: text("token_type"),
            bound_to: bound_to("jkt"),
            bound_to_certificate: bound_to("x5t#S256"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reply;

    fn endpoint() -> IntrospectionEndpoint {
        let resource = ClientAuthentication::basic("rs", &Secret::from("s")).unwrap();
        IntrospectionEndpoint::new("https://server.example.com/introspect", resource).unwrap()
    }

    fn read(body: &str) -> Result<Introspection, Error> {
        endpoint().read(&reply(200, &[], body))
    }

    /// RFC 7662 §2.1.
    #[test]
    fn the_request_is_that_of_rfc_7662_with_the_resources_own_credentials() {
        let token = Secret::from("2YotnFZFEjr1zCsicMWpAA");
        let request = endpoint().request(&token, Some(TokenHint::AccessToken), None).unwrap();
        assert_eq!(&request.body()[..], b"token=2YotnFZFEjr1zCsicMWpAA&token_type_hint=access_token");
        assert!(request.headers().contains_key("authorization"));
        assert_eq!(
            &endpoint().request(&token, None, None).unwrap().body()[..],
            b"token=2YotnFZFEjr1zCsicMWpAA"
        );
    }

    /// RFC 7662 §2.2.
    #[test]
    fn the_answer_of_rfc_7662_is_read() {
        let answer = read(
            r#"{"active":true,"client_id":"l238j323ds-23ij4","username":"jdoe","scope":"read write dolphin",
                "sub":"Z5O3upPC88QrAjx00dis","aud":"https://protected.example.net/resource",
                "iss":"https://server.example.com/","exp":1419356238,"iat":1419350238,"extension_field":"twenty-seven"}"#,
        );
        let Introspection::Active(token) = answer.unwrap() else { panic!("the token is active") };
        assert_eq!(token.scope.unwrap().to_string(), "read write dolphin");
        assert_eq!(token.audience, ["https://protected.example.net/resource"]);
        assert_eq!(token.subject.as_deref(), Some("Z5O3upPC88QrAjx00dis"));
        assert_eq!(token.expires.unwrap().as_secs(), 1_419_356_238);
        assert_eq!(token.bound_to, None);
    }

    #[test]
    fn only_the_boolean_true_is_active() {
        for body in [
            "",
            "{}",
            "[]",
            "<html>",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"active":false,"active":true}"#,
        ] {
            assert_eq!(read(body).unwrap_err().kind(), ErrorKind::MalformedResponse, "{body}");
        }
        assert_eq!(
            read(r#"{"active":false,"scope":"admin","sub":"root"}"#).unwrap(),
            Introspection::Inactive
        );
    }

    #[test]
    fn a_key_that_the_token_is_bound_to_is_told() {
        let answer = read(
            r#"{"active":true,"token_type":"DPoP","cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},"aud":["a","b"]}"#,
        );
        let Introspection::Active(token) = answer.unwrap() else { panic!("the token is active") };
        assert_eq!(token.bound_to.as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
        assert_eq!((token.audience.len(), token.token_type.as_deref()), (2, Some("DPoP")));
        assert_eq!(token.bound_to_certificate, None);
    }

    /// RFC 8705 §3.2.
    #[test]
    fn a_certificate_that_the_token_is_bound_to_is_told() {
        let answer =
            read(r#"{"active":true,"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}"#);
        let Introspection::Active(token) = answer.unwrap() else { panic!("the token is active") };
        let certificate = token.bound_to_certificate.as_deref();
        assert_eq!(certificate, Some("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"));
        assert_eq!(token.bound_to, None);
    }

    #[test]
    fn an_answer_is_reused_for_a_minute_and_never_past_the_tokens_end() {
        let now = Timestamp::from_millis(1_000_000);
        let answer = |exp: &str| read(&format!(r#"{{"active":true{exp}}}"#)).unwrap().reusable_for(now);
        assert_eq!(answer(""), Duration::from_secs(60));
        assert_eq!(answer(r#","exp":5000"#), Duration::from_secs(60));
        assert_eq!(answer(r#","exp":1010"#), Duration::from_secs(10));
        assert_eq!(answer(r#","exp":900"#), Duration::ZERO);
        assert_eq!(Introspection::Inactive.reusable_for(now), Duration::ZERO);
    }
}
