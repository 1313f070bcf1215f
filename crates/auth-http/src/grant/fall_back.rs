//! From one grant to the next, on a kind of error that was named beforehand.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::{Attempt, Refresh};
use auth_core::{Error, ErrorKind, Secret};

use super::Grant;
use crate::store::CredentialKey;

/// Obtains tokens by one grant, and by another where the first fails in a way that was named: a refused refresh token falls
/// back to a new login, say. Any other failure is the caller's.
///
/// A token that is obtained anew begins with the first; where there is a refresh token, it is redeemed before anything is
/// obtained anew, also when only the second redeems any. A refresh token is redeemed by the grant that it came from; one that a store held, or the
/// configuration, by the first that redeems any. So both should be of one client at one server, if there is a store.
///
/// ```
/// # use auth_core::ErrorKind;
/// # use auth_http::grant::{AuthorizationCode, FallBack, RefreshToken};
/// # fn f(refresh_token: RefreshToken, code: AuthorizationCode) {
/// let grant = FallBack::new(refresh_token, code).on(ErrorKind::InvalidGrant);
/// # }
/// ```
pub struct FallBack<A, B> {
    first: A,
    second: B,
    kinds: Vec<ErrorKind>,
    /// Whether the last token, and so the refresh token that came with it, is the second's.
    fell: AtomicBool,
}

impl<A: Grant, B: Grant> FallBack<A, B> {
    /// Begins with `first`. No kind of error leads to `second` before one is named.
    #[must_use]
    pub const fn new(first: A, second: B) -> Self {
        Self { first, second, kinds: Vec::new(), fell: AtomicBool::new(false) }
    }

    /// Falls back on this kind of error. May be called for several.
    #[must_use]
    pub fn on(mut self, kind: ErrorKind) -> Self {
        self.kinds.push(kind);
        self
    }

    async fn anew(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        match self.first.obtain(attempt).await {
            Err(error) if self.kinds.contains(&error.kind()) => {
                let response = self.second.obtain(attempt).await?;
                self.fell.store(true, Ordering::Relaxed);
                Ok(response)
            }
            Ok(response) => {
                self.fell.store(false, Ordering::Relaxed);
                Ok(response)
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl<A: Grant, B: Grant> Grant for FallBack<A, B> {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let redeems = |refresh| refresh != Refresh::Never;
        if attempt.refresh_token.is_none() {
            return self.anew(attempt).await;
        }
        let of_second = self.fell.load(Ordering::Relaxed) && redeems(self.second.refresh());
        // A refusal is not fallen back on here: whoever keeps the refresh token must know that it is dead, and asks again
        // without one.
        match redeems(self.first.refresh()) && !of_second {
            true => self.first.obtain(attempt).await,
            false => self.second.obtain(attempt).await,
        }
    }

    fn refresh(&self) -> Refresh {
        match (self.first.refresh(), self.second.refresh()) {
            (Refresh::Never, Refresh::Never) => Refresh::Never,
            // Two that do nothing else have nothing to fall back on.
            (Refresh::Only, Refresh::Only) => Refresh::Only,
            _ => Refresh::Preferred,
        }
    }

    /// The first's: both must give tokens of one type.
    fn token_type(&self) -> TokenType {
        self.first.token_type()
    }

    fn configured(&self) -> Option<Secret> {
        self.first.configured().or_else(|| self.second.configured())
    }

    fn credential(&self) -> Option<CredentialKey> {
        // Of a token that may be the other's nothing is known, where nothing is known of the other.
        Some(self.first.credential()?.and(self.second.credential()?))
    }
}

impl<A: fmt::Debug, B: fmt::Debug> fmt::Debug for FallBack<A, B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, kinds, fell: _ } = self;
        formatter
            .debug_struct("FallBack")
            .field("first", first)
            .field("second", second)
            .field("kinds", kinds)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::grant::{Callback, ClientCredentials, RefreshToken};
    use crate::testing::{Scripted, TOKEN, value};
    use crate::wire::TokenEndpoint;

    fn endpoint() -> TokenEndpoint {
        TokenEndpoint::new("https://a/t", "c", Secret::from("s")).unwrap()
    }

    fn refresh_token(http: &Arc<Scripted>) -> RefreshToken {
        RefreshToken::new(endpoint(), Arc::clone(http) as _, Secret::from("r0"))
    }

    fn client_credentials(http: &Arc<Scripted>) -> ClientCredentials {
        ClientCredentials::new(endpoint(), Arc::clone(http) as _)
    }

    fn grants(http: &Scripted) -> Vec<String> {
        http.asked().iter().map(|asked| value(asked, "grant_type").unwrap()).collect()
    }

    /// The Genesys document: fall back to another grant when the refresh token is refused.
    #[tokio::test]
    async fn a_refused_refresh_token_falls_back_to_the_next_grant() {
        let http = Scripted::of([(400, r#"{"error":"invalid_grant"}"#), (200, TOKEN)]);
        let grant =
            FallBack::new(refresh_token(&http), client_credentials(&http)).on(ErrorKind::InvalidGrant);
        assert_eq!((grant.refresh(), grant.configured()), (Refresh::Preferred, Some(Secret::from("r0"))));
        // What the renewal machine does: it redeems, learns that the refresh token is dead, and asks anew.
        let refused = grant.obtain(&Attempt::new(grant.configured())).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidGrant);
        grant.obtain(&Attempt::new(None)).await.unwrap();
        assert_eq!(grants(&http), ["refresh_token", "client_credentials"]);
    }

    #[tokio::test]
    async fn an_error_that_was_not_named_is_the_callers() {
        let http = Scripted::of([(503, ""), (401, r#"{"error":"invalid_client"}"#)]);
        let grant =
            FallBack::new(client_credentials(&http), refresh_token(&http)).on(ErrorKind::InvalidGrant);
        for kind in [ErrorKind::ServerFailed, ErrorKind::InvalidClient] {
            assert_eq!(grant.obtain(&Attempt::new(None)).await.unwrap_err().kind(), kind);
        }
        assert_eq!(http.count(), 2);
    }

    #[tokio::test]
    async fn a_refresh_token_goes_to_the_grant_that_it_came_from() {
        let of = |name: &'static str, refresh| {
            Callback::new(move |attempt: Attempt| async move {
                match (&attempt.refresh_token, name) {
                    (None, "first") => Err(Error::new(ErrorKind::InvalidGrant, "used up")),
                    _ => Ok(TokenResponse::new(Secret::from(name))),
                }
            })
            .with_refresh(refresh)
        };
        let redeem = Attempt::new(Some(Secret::from("r")));
        let name = |response: Result<TokenResponse, Error>| response.unwrap().access_token;
        let both = FallBack::new(of("first", Refresh::Only), of("second", Refresh::Preferred));
        let both = both.on(ErrorKind::InvalidGrant);
        assert_eq!(name(both.obtain(&redeem).await), Secret::from("first"));
        assert_eq!(name(both.obtain(&Attempt::new(None)).await), Secret::from("second"));
        assert_eq!(name(both.obtain(&redeem).await), Secret::from("second"));
        let one = FallBack::new(of("first", Refresh::Never), of("second", Refresh::Preferred));
        assert_eq!(name(one.obtain(&redeem).await), Secret::from("second"));
    }

    /// The same with the renewal machine itself in between.
    #[cfg(feature = "tokio")]
    #[tokio::test]
    async fn a_token_manager_falls_back_by_itself_and_comes_back() {
        use auth_core::{Demand, TokenSource as _};

        use crate::manager::TokenManager;

        let http = Scripted::of([(400, r#"{"error":"invalid_grant"}"#), (200, TOKEN)]);
        let grant =
            FallBack::new(refresh_token(&http), client_credentials(&http)).on(ErrorKind::InvalidGrant);
        let manager = TokenManager::builder(grant).spawn();
        let token = manager.token(Demand::Current).await.unwrap();
        assert_eq!(token.secret().expose(), "t1");
        assert_eq!(grants(&http), ["refresh_token", "client_credentials"]);
        manager.shut_down().await;
    }
}
