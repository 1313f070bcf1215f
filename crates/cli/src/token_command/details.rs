//! A token as it is printed: TokenDetails JSON, without what is not known.

use auth_core::oauth::TokenType;
use auth_core::scope::Scopes;
use auth_core::time::Timestamp;
use auth_core::{Secret, Token, jwt};
use auth_http::store::TokenStore;
use serde::Serialize;

use super::witness::Witness;
use crate::clock;

/// What is known of a token; times by the clock of this machine.
pub(super) struct Details {
    token: Secret,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    scope: Option<Scopes>,
    token_type: TokenType,
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
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

impl Details {
    /// A token that nobody has said anything about but, if it is a JSON Web Token, itself.
    pub(super) fn fixed(token: Secret) -> Self {
        let claims = jwt::read(token.expose()).ok();
        let claims = claims.as_ref().map(jwt::Unverified::claims);
        let issued = claims.and_then(jwt::Claims::issued_at);
        let expires = claims.and_then(jwt::Claims::expires);
        Self { token, issued, expires, scope: None, token_type: TokenType::Bearer }
    }

    /// A token of a token manager: of one that another process obtained, the store knows the times.
    pub(super) async fn of(token: &Token, store: &dyn TokenStore, witness: &Witness) -> Self {
        let now = clock::now().wall;
        let mut details = Self {
            token: token.secret().clone(),
            issued: witness.issued(token),
            expires: token.expires_in().map(|left| now.saturating_add(left)),
            scope: token.scope().cloned(),
            token_type: token.token_type(),
        };
        if details.issued.is_none() {
            let record = store.load().await.ok().flatten();
            let stored = record.and_then(|record| record.access_token);
            if let Some(stored) = stored.filter(|stored| stored.secret == details.token) {
                details.issued = Some(stored.issued);
                details.expires = Some(stored.expires);
            }
        }
        details
    }

    /// The object, in one line or indented.
    pub(super) fn render(&self, one_line: bool) -> Secret {
        let Self { token, issued, expires, scope, token_type } = self;
        let wire = Wire {
            token: token.expose(),
            issued: issued.map(Timestamp::as_millis),
            expires: expires.map(Timestamp::as_millis),
            scope: scope.as_ref().filter(|scope| !scope.is_empty()).map(Scopes::to_string),
            token_type: (*token_type != TokenType::Bearer).then(|| token_type.name()),
        };
        let rendered =
            if one_line { serde_json::to_string(&wire) } else { serde_json::to_string_pretty(&wire) };
        Secret::from(rendered.unwrap_or_default())
    }
}
