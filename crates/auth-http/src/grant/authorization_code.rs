//! The authorization code grant (RFC 6749 §4.1): a code once, and its refresh tokens from then on.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::{Attempt, Refresh};
use auth_core::scope::Scopes;
use auth_core::{Error, ErrorKind, Retry};

use super::Grant;
use super::asking::Asking;
use crate::exchange::HttpExchange;
use crate::store::CredentialKey;
use crate::wire::{self, TokenEndpoint, Wanted};

/// The authorization code grant (RFC 6749 §4.1), after the browser has brought the code.
///
/// The code is redeemed once. From then on the refresh token is, where the server issued one; when that is refused, a person
/// must log in. A code whose answer was lost counts as redeemed.
pub struct AuthorizationCode {
    asking: Asking,
    code: Mutex<Option<wire::AuthorizationCode>>,
    wanted: Wanted,
}

impl AuthorizationCode {
    /// Redeems `code` at `endpoint`, and then the refresh tokens that come of it.
    ///
    /// A store that holds the refresh token of an earlier login is believed first: empty it before a new one, by
    /// [`replace`](crate::store::replace) with a record without tokens.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>, code: wire::AuthorizationCode) -> Self {
        Self { asking: Asking::new(endpoint, http), code: Mutex::new(Some(code)), wanted: Wanted::new() }
    }

    /// Asks for this: resources with the code (RFC 8707 §2.2), and scopes with refresh tokens only, since those of the code
    /// were asked for at the login.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<wire::AuthorizationCode>> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Grant for AuthorizationCode {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        if let Some(refresh_token) = &attempt.refresh_token {
            return self.asking.redeem(refresh_token, &self.wanted, attempt).await;
        }
        // Taken before it is sent: a future that is dropped may have sent it.
        let code = self.held().take();
        let code = code.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidGrant,
                "the login's code and refresh token are used up; log in again",
            )
        })?;
        let wanted = self.wanted.clone().with_scope(Scopes::default());
        match self.asking.ask(&code.form().with_wanted(&wanted), attempt).await {
            // The answer is there, and settles it: the code is spent, on a token that nobody can use.
            Err(error) if error.is_in_doubt() && error.retry() == Retry::Never => Err(error),
            Err(error) if error.is_in_doubt() => Err(Error::new(
                ErrorKind::InvalidGrant,
                "whether the login's code was redeemed is unknown, since its answer was lost; log in again",
            )
            .with_source(error)),
            Err(error) if error.kind() != ErrorKind::InvalidGrant => {
                *self.held() = Some(code);
                Err(error)
            }
            result => result,
        }
    }

    fn refresh(&self) -> Refresh {
        Refresh::Preferred
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }

    fn credential(&self) -> Option<CredentialKey> {
        self.asking.login(&self.wanted)
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asking, code: _, wanted } = self;
        formatter
            .debug_struct("AuthorizationCode")
            .field("endpoint", asking)
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_core::Secret;
    use auth_core::oauth::CodeVerifier;

    use super::*;
    use crate::testing::{Scripted, TOKEN, reply};
    use crate::wire::ClientAuthentication;

    fn grant(http: &Arc<Scripted>) -> AuthorizationCode {
        let client = ClientAuthentication::none("c").unwrap();
        let endpoint = TokenEndpoint::for_client("https://a/t", client).unwrap();
        let verifier = CodeVerifier::from_random([7; 32]);
        let code = wire::AuthorizationCode::new(Secret::from("canary"), "https://a/cb", verifier);
        let wanted = Wanted::new().with_scope("a".parse().unwrap()).with_resource("https://r/").unwrap();
        AuthorizationCode::new(endpoint, Arc::clone(http) as _, code).with_wanted(wanted)
    }

    async fn obtain(grant: &AuthorizationCode, refresh_token: Option<&str>) -> Result<TokenResponse, Error> {
        grant.obtain(&Attempt::new(refresh_token.map(Secret::from))).await
    }

    fn sent(http: &Scripted, index: usize) -> String {
        String::from_utf8(http.asked()[index].body().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_code_is_redeemed_once_and_its_refresh_token_from_then_on() {
        let http = Scripted::of([(200, TOKEN), (200, TOKEN), (400, r#"{"error":"invalid_grant"}"#)]);
        let grant = grant(&http);
        assert_eq!((grant.refresh(), grant.configured()), (Refresh::Preferred, None));
        obtain(&grant, None).await.unwrap();
        assert!(sent(&http, 0).starts_with("grant_type=authorization_code&code=canary&"));
        assert!(sent(&http, 0).ends_with("&resource=https%3A%2F%2Fr%2F&client_id=c"), "no scope");
        obtain(&grant, Some("r1")).await.unwrap();
        assert!(sent(&http, 1).starts_with("grant_type=refresh_token&refresh_token=r1&scope=a&"));

        obtain(&grant, Some("r1")).await.unwrap_err();
        let error = obtain(&grant, None).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::InvalidGrant, Retry::Reauthorize));
        assert_eq!(http.count(), 3, "a person must log in, and nobody else is asked");
    }

    #[tokio::test]
    async fn a_code_whose_answer_was_lost_is_never_sent_again() {
        let lost = Error::new(ErrorKind::Timeout, "no answer");
        for answer in [Err(lost), Ok(reply(502, &[], "")), Ok(reply(200, &[], "<html>"))] {
            let http = Scripted::new([answer]);
            let grant = grant(&http);
            for _ in 0..2 {
                assert_eq!(obtain(&grant, None).await.unwrap_err().retry(), Retry::Reauthorize);
            }
            assert_eq!(http.count(), 1);
        }
    }

    #[tokio::test]
    async fn an_answer_that_came_and_can_not_be_used_says_why_itself_and_uses_the_code_up() {
        let http = Scripted::of([(200, TOKEN)]);
        let grant = grant(&http);
        let dpop = wire::Dpop::new(crate::testing::es256(), crate::testing::Fixed::new()).unwrap();
        let endpoint = TokenEndpoint::for_client("https://a/t", ClientAuthentication::none("c").unwrap());
        let bound = Asking::new(endpoint.unwrap().with_dpop(dpop), Arc::clone(&http) as _);
        let grant = AuthorizationCode { asking: bound, ..grant };
        let error = obtain(&grant, None).await.unwrap_err();
        assert!(error.to_string().contains("a bearer token where one bound to a key"), "{error}");
        assert_eq!(obtain(&grant, None).await.unwrap_err().retry(), Retry::Reauthorize);
        assert_eq!(http.count(), 1);
    }

    #[tokio::test]
    async fn a_code_that_certainly_was_not_redeemed_may_be_sent_again() {
        let unsent = Error::new(ErrorKind::Transport, "unreachable").without_effect();
        let answers =
            [Err(unsent), Ok(reply(429, &[], "")), Ok(reply(503, &[], "")), Ok(reply(200, &[], TOKEN))];
        let http = Scripted::new(answers);
        let grant = grant(&http);
        for _ in 0..3 {
            assert_eq!(obtain(&grant, None).await.unwrap_err().retry(), Retry::Backoff);
        }
        obtain(&grant, None).await.unwrap();
    }

    #[tokio::test]
    async fn a_refused_code_is_never_sent_again() {
        let http = Scripted::of([(400, r#"{"error":"invalid_grant"}"#)]);
        let grant = grant(&http);
        obtain(&grant, None).await.unwrap_err();
        obtain(&grant, None).await.unwrap_err();
        assert_eq!(http.count(), 1);
        assert!(!format!("{grant:?}").contains("canary"));
    }

    /// The whole life of a login, with the renewal machine in between: the code, a rotation, and the end.
    #[cfg(feature = "tokio")]
    #[tokio::test(start_paused = true)]
    async fn a_token_manager_redeems_the_code_then_the_refresh_tokens_and_then_wants_a_person() {
        use std::time::Duration;

        use auth_core::{Demand, TokenSource as _};

        use crate::manager::TokenManager;

        let issued = |access: &str, refresh: &str| {
            Ok(reply(
                200,
                &[],
                &format!(r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":600}}"#),
            ))
        };
        let http = Scripted::new([
            issued("t1", "r1"),
            issued("t2", "r2"),
            Ok(reply(400, &[], r#"{"error":"invalid_grant"}"#)),
        ]);
        let manager = TokenManager::builder(grant(&http)).spawn();
        let first = manager.token(Demand::Current).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let second = manager.token(Demand::InsteadOf(first.generation())).await.unwrap();
        assert_eq!((first.secret().expose(), second.secret().expose()), ("t1", "t2"));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let error = manager.token(Demand::InsteadOf(second.generation())).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::InvalidGrant, Retry::Reauthorize));
        let sent: Vec<_> = (0..http.count()).map(|index| sent(&http, index)).collect();
        assert_eq!(sent.len(), 3);
        assert!(
            sent[0].contains("code=canary")
                && sent[1].contains("refresh_token=r1")
                && sent[2].contains("refresh_token=r2")
        );
    }
}
