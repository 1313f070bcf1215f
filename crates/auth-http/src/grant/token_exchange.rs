//! Token exchange (RFC 8693): a token of one server or user for one of another.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::Attempt;
use auth_core::{Demand, Error, Secret, TokenSource};

use super::Grant;
use super::asking::Asking;
use crate::exchange::HttpExchange;
use crate::store::CredentialKey;
use crate::wire::{TokenEndpoint, TokenForm, Wanted};

/// Token exchange (RFC 8693): what the token at hand is worth to whom is said in another. The source of the token at hand
/// keeps it fresh: another [`TokenManager`](crate::manager::TokenManager), or a
/// [`FixedToken`](auth_core::source::FixedToken).
pub struct TokenExchange {
    asking: Asking,
    subject: Party,
    actor: Option<Party>,
    subject_name: Option<Secret>,
    wanted: Wanted,
}

struct Party {
    source: Arc<dyn TokenSource>,
    token_type: String,
}

impl TokenExchange {
    /// The type of an access token of whatever form (RFC 8693 §3).
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// The type of a JWT (RFC 8693 §3).
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    /// The type of an ID token (RFC 8693 §3).
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

    /// Exchanges tokens of `subject`, which are of `token_type`, at `endpoint`.
    #[must_use]
    pub fn new(
        endpoint: TokenEndpoint,
        http: Arc<dyn HttpExchange>,
        subject: Arc<dyn TokenSource>,
        token_type: &str,
    ) -> Self {
        let subject = Party { source: subject, token_type: token_type.to_owned() };
        let asking = Asking::new(endpoint, http);
        Self { asking, subject, actor: None, subject_name: None, wanted: Wanted::new() }
    }

    /// Names who acts for the subject, by a token of theirs.
    #[must_use]
    pub fn with_actor(self, actor: Arc<dyn TokenSource>, token_type: &str) -> Self {
        Self { actor: Some(Party { source: actor, token_type: token_type.to_owned() }), ..self }
    }

    /// Names the subject, so that a store keeps its tokens apart from those of others: two that are not named are one to a
    /// store.
    #[must_use]
    pub fn with_subject_name(self, name: &str) -> Self {
        Self { subject_name: Some(Secret::from(name)), ..self }
    }

    /// Asks for this: audience, resources, scopes.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

#[async_trait]
impl Grant for TokenExchange {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let subject = self.subject.source.token(Demand::Current).await.map_err(Error::without_effect)?;
        let subject = (subject.secret(), self.subject.token_type.as_str());
        let form = match &self.actor {
            Some(actor) => {
                let token = actor.source.token(Demand::Current).await.map_err(Error::without_effect)?;
                TokenForm::token_exchange(subject, Some((token.secret(), &actor.token_type)))
            }
            None => TokenForm::token_exchange(subject, None),
        };
        self.asking.ask(&form.with_wanted(&self.wanted), attempt).await
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }

    fn credential(&self) -> Option<CredentialKey> {
        let any = Secret::from("any");
        let actor = self.actor.as_ref().map(|actor| (&any, &*actor.token_type));
        let form = TokenForm::token_exchange((&any, &self.subject.token_type), actor);
        self.asking
            .credential(&form.with_wanted(&self.wanted))
            .map(|key| key.of_subject(self.subject_name.as_ref()))
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asking, subject, actor, subject_name: _, wanted } = self;
        formatter
            .debug_struct("TokenExchange")
            .field("endpoint", asking)
            .field("subject", &subject.token_type)
            .field("actor", &actor.as_ref().map(|actor| &actor.token_type))
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_core::source::FixedToken;
    use auth_core::{ErrorKind, Token};

    use super::*;
    use crate::testing::{Scripted, value};

    fn fixed(token: &str) -> Arc<dyn TokenSource> {
        Arc::new(FixedToken::new(Token::new(Secret::from(token))))
    }

    fn grant(http: &Arc<Scripted>) -> TokenExchange {
        let endpoint = TokenEndpoint::new("https://a/t", "c", Secret::from("s")).unwrap();
        TokenExchange::new(endpoint, Arc::clone(http) as _, fixed("subject"), TokenExchange::ACCESS_TOKEN)
            .with_actor(fixed("actor"), TokenExchange::JWT)
            .with_wanted(Wanted::new().with_audience("urn:example:cooperation-context"))
    }

    /// RFC 8693 §2.3.
    #[tokio::test]
    async fn tokens_at_hand_are_exchanged_for_an_access_token() {
        let http = Scripted::of([(
            200,
            r#"{"access_token":"new","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":60}"#,
        )]);
        assert_eq!(grant(&http).obtain(&Attempt::new(None)).await.unwrap().access_token.expose(), "new");
        let asked = http.asked();
        let value = |name| value(&asked[0], name).unwrap();
        assert_eq!(
            (value("subject_token"), value("subject_token_type")),
            ("subject".into(), TokenExchange::ACCESS_TOKEN.into())
        );
        assert_eq!(
            (value("actor_token"), value("actor_token_type")),
            ("actor".into(), TokenExchange::JWT.into())
        );
        assert_eq!(value("audience"), "urn:example:cooperation-context");
    }

    #[tokio::test]
    async fn a_target_that_the_server_does_not_know_is_final() {
        let http = Scripted::of([(400, r#"{"error":"invalid_target"}"#)]);
        let error = grant(&http).obtain(&Attempt::new(None)).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Refused, auth_core::Retry::Never));
        assert!(!format!("{:?}", grant(&http)).contains("subject\""));
    }
}
