//! A token as it is printed: TokenDetails JSON, without what is not known.

use auth_core::ably::TokenDetails;
use auth_core::oauth::TokenType;
use auth_core::scope::Scopes;
use auth_core::time::Timestamp;
use auth_core::{Secret, Token, jwt};
use auth_http::store::TokenStore;
use serde::Serialize;

use super::witness::Witness;
use crate::clock;
use crate::source::Told;

/// What is known of a token; times by the clock of this machine, or as its issuer said.
pub(super) struct Details {
    token: Secret,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    scope: Option<Scopes>,
    token_type: TokenType,
    capability: Option<String>,
    client_id: Option<String>,
}

/// The names are those of Ably's TokenDetails, and `scope` is as in RFC 6749 §5.1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

impl Details {
    /// A token that nobody has said anything about but, if it is a JSON Web Token, itself.
    pub(super) fn fixed(token: Secret) -> Self {
        Self::told(TokenDetails::new(token))
    }

    /// A token with what its issuer said of it: of nothing at all, what the token itself says, if it can be read.
    fn told(told: TokenDetails) -> Self {
        let claims = jwt::read(told.token().expose()).ok();
        let claims = claims.as_ref().map(jwt::Unverified::claims);
        let claims = claims.filter(|_| told == TokenDetails::new(told.token().clone()));
        Self {
            token: told.token().clone(),
            issued: told.issued().or_else(|| claims.and_then(jwt::Claims::issued_at)),
            expires: told.expires().or_else(|| claims.and_then(jwt::Claims::expires)),
            scope: None,
            token_type: TokenType::Bearer,
            capability: told.capability_text().map(str::to_owned),
            client_id: told.client_id().map(|client_id| client_id.as_str().to_owned()),
        }
    }

    /// A token of a source, of which the store knows what its issuer said, or else when another process obtained it.
    pub(super) async fn of(token: &Token, store: &dyn TokenStore, told: &Told, witness: &Witness) -> Self {
        let record = store.load().await.ok().flatten();
        let stored = record.and_then(|record| record.access_token);
        let stored = stored.filter(|stored| stored.secret == *token.secret());
        let told = told.of(token.secret()).or_else(|| stored.as_ref()?.details.clone());
        let told = told.map(|told| TokenDetails::parse_of(token.secret().clone(), &told));
        if let Some(Ok(told)) = told {
            return Self::told(told);
        }
        let now = clock::now().wall;
        let mut details = Self {
            token: token.secret().clone(),
            issued: witness.issued(token),
            expires: token.expires_in().map(|left| now.saturating_add(left)),
            scope: token.scope().cloned(),
            token_type: token.token_type(),
            capability: None,
            client_id: None,
        };
        if let Some(stored) = stored.filter(|_| details.issued.is_none()) {
            details.issued = Some(stored.issued);
            details.expires = Some(stored.expires);
        }
        details
    }

    /// The object, in one line or indented.
    pub(super) fn render(&self, one_line: bool) -> Secret {
        let Self { token, issued, expires, scope, token_type, capability, client_id } = self;
        let wire = Wire {
            token: token.expose(),
            issued: issued.map(Timestamp::as_millis),
            expires: expires.map(Timestamp::as_millis),
            capability: capability.as_deref(),
            client_id: client_id.as_deref(),
            scope: scope.as_ref().filter(|scope| !scope.is_empty()).map(Scopes::to_string),
            token_type: (*token_type != TokenType::Bearer).then(|| token_type.name()),
        };
        let rendered =
            if one_line { serde_json::to_string(&wire) } else { serde_json::to_string_pretty(&wire) };
        Secret::from(rendered.unwrap_or_default())
    }
}
