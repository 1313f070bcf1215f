//! Logging out (RFC 7009): the tokens end at the server, and the local copies in any case.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use auth_core::fingerprint::FingerprintKey;
use auth_core::{AuthEvent, Error, Observer, Secret};

use crate::exchange::HttpExchange;
use crate::told::Told;
use crate::wire::{RevocationEndpoint, TokenHint};

/// A revocation endpoint, and the way there.
pub struct Revocation {
    endpoint: RevocationEndpoint,
    http: Arc<dyn HttpExchange>,
    /// Whoever is told, and how it is told of tokens.
    told: Option<Told>,
}

impl Revocation {
    /// Revokes tokens at `endpoint`.
    #[must_use]
    pub fn new(endpoint: RevocationEndpoint, http: Arc<dyn HttpExchange>) -> Self {
        Self { endpoint, http, told: None }
    }

    /// The same, which tells this observer what came of each token, nobody by default. `names` is the key under which it is told of
    /// them: that of the token manager that had them, so that both speak of the same ones. A panic of the observer is caught, and costs it
    /// the event.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>, names: FingerprintKey) -> Self {
        Self { told: Some(Told::new(observer, names)), ..self }
    }

    /// Revokes one token. That the server never knew it is a success, too.
    ///
    /// # Errors
    ///
    /// Those of the exchange and of [`RevocationEndpoint::read`]: the token must be taken to be good still.
    pub async fn revoke(&self, token: &Secret, hint: TokenHint) -> Result<(), Error> {
        let outcome = self.revoking(token, hint).await;
        if let Some(told) = &self.told {
            let (token, target) = (Some(told.names.fingerprint(token)), None);
            told.tell(&match &outcome {
                Ok(()) => AuthEvent::TokenRevoked { token, target, peer: None },
                Err(error) => {
                    AuthEvent::RevocationFailed { token, target, kind: error.kind(), code: error.code() }
                }
            });
        }
        outcome
    }

    async fn revoking(&self, token: &Secret, hint: TokenHint) -> Result<(), Error> {
        let request = self.endpoint.request(token, hint, None)?;
        self.endpoint.read(&self.http.exchange(request).await?)
    }

    /// Ends a login: revokes the refresh token, then the access token, since the first could replace the second; then has
    /// `forget` drop the local copies, whatever came of that.
    ///
    /// # Errors
    ///
    /// The first failure of the three. The local copies are gone then, unless it is `forget`'s own.
    pub async fn log_out<Forgetting>(
        &self,
        refresh_token: Option<&Secret>,
        access_token: Option<&Secret>,
        forget: impl FnOnce() -> Forgetting,
    ) -> Result<(), Error>
    where
        Forgetting: Future<Output = Result<(), Error>>,
    {
        let mut outcome = Ok(());
        for (token, hint) in
            [(refresh_token, TokenHint::RefreshToken), (access_token, TokenHint::AccessToken)]
        {
            if let Some(token) = token {
                outcome = outcome.and(self.revoke(token, hint).await);
            }
        }
        outcome.and(forget().await)
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, http: _, told: _ } = self;
        formatter.debug_struct("Revocation").field("endpoint", endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use auth_core::ErrorKind;

    use super::*;
    use crate::testing::{Scripted, value};
    use crate::wire::ClientAuthentication;

    async fn log_out(
        answers: [(u16, &'static str); 2],
        forgets: Result<(), Error>,
    ) -> (Vec<String>, bool, Result<(), Error>) {
        let http = Scripted::of(answers);
        let client = ClientAuthentication::none("c").unwrap();
        let endpoint = RevocationEndpoint::new("https://a/revoke", client).unwrap();
        let forgotten = Cell::new(false);
        let outcome = Revocation::new(endpoint, Arc::clone(&http) as _)
            .log_out(Some(&Secret::from("r")), Some(&Secret::from("a")), || async {
                forgotten.set(true);
                forgets
            })
            .await;
        let revoked = http.asked().iter().map(|asked| value(asked, "token").unwrap()).collect();
        (revoked, forgotten.get(), outcome)
    }

    #[tokio::test]
    async fn the_refresh_token_ends_before_the_access_token() {
        let (revoked, forgotten, outcome) = log_out([(200, ""), (200, "")], Ok(())).await;
        assert_eq!((revoked, forgotten), (vec!["r".to_owned(), "a".to_owned()], true));
        outcome.unwrap();
    }

    #[tokio::test]
    async fn the_local_copies_go_even_when_the_server_fails() {
        let (revoked, forgotten, outcome) = log_out([(503, ""), (200, "")], Ok(())).await;
        assert_eq!((revoked.len(), forgotten), (2, true));
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ServerFailed);
    }

    #[tokio::test]
    async fn what_came_of_each_token_is_told_by_the_name_that_others_know_it_by() {
        let http = Scripted::of([(503, ""), (200, "")]);
        let client = ClientAuthentication::none("c").unwrap();
        let endpoint = RevocationEndpoint::new("https://a/revoke", client).unwrap();
        let (told, names) = (Arc::new(std::sync::Mutex::new(Vec::new())), FingerprintKey::new([1; 32]));
        let tells = Arc::clone(&told);
        let observer = Arc::new(move |event: &AuthEvent| tells.lock().unwrap().push(event.clone()));
        let revocation = Revocation::new(endpoint, http).with_observer(observer, names.clone());
        let [refresh, access] = [Secret::from("refresh-token"), Secret::from("access-token")];
        let outcome = revocation.log_out(Some(&refresh), Some(&access), || async { Ok(()) }).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ServerFailed);
        let (token, code) = (Some(names.fingerprint(&refresh)), Some(503));
        let failed = AuthEvent::RevocationFailed { token, target: None, kind: ErrorKind::ServerFailed, code };
        let token = Some(names.fingerprint(&access));
        assert_eq!(
            *told.lock().unwrap(),
            [failed, AuthEvent::TokenRevoked { token, target: None, peer: None }]
        );
    }

    #[tokio::test]
    async fn an_observer_that_panics_ends_no_logout() {
        let http = Scripted::of([(200, ""), (200, "")]);
        let client = ClientAuthentication::none("c").unwrap();
        let endpoint = RevocationEndpoint::new("https://a/revoke", client).unwrap();
        let failing = Arc::new(|_: &AuthEvent| std::panic::resume_unwind(Box::new("the SIEM is down")));
        let revocation = Revocation::new(endpoint, http).with_observer(failing, FingerprintKey::new([1; 32]));
        let forgotten = Cell::new(false);
        let token = Secret::from("r");
        let outcome = revocation.log_out(Some(&token), None, || async {
            forgotten.set(true);
            Ok(())
        });
        outcome.await.unwrap();
        assert!(forgotten.get());
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_dropped_is_reported() {
        let (.., outcome) =
            log_out([(200, ""), (200, "")], Err(Error::new(ErrorKind::StoreFailed, "full"))).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::StoreFailed);
    }
}
