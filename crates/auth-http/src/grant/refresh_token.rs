//! The refresh token grant (RFC 6749 §6).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::{Attempt, Refresh};
use auth_core::{Error, ErrorKind, Secret};

use super::Grant;
use super::asking::Asking;
use crate::exchange::HttpExchange;
use crate::store::CredentialKey;
use crate::wire::{TokenEndpoint, Wanted};

/// The refresh token grant (RFC 6749 §6). A server that rotates refresh tokens sends the next with each token;
/// from then on the old one is never sent again.
pub struct RefreshToken {
    asking: Asking,
    configured: Option<Secret>,
    wanted: Wanted,
}

impl RefreshToken {
    /// Redeems `configured`, the refresh token of a login, and its successors at `endpoint`.
    ///
    /// Successors live in memory, and in the store of the [`TokenManager`](crate::manager::TokenManager) if it has
    /// one: without a store, a program that ends loses them.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>, configured: Secret) -> Self {
        Self { configured: Some(configured), ..Self::stored(endpoint, http) }
    }

    /// Redeems at `endpoint` what the store of the [`TokenManager`](crate::manager::TokenManager) holds of an earlier login:
    /// nothing is configured, and without such a store there is nothing to redeem.
    #[must_use]
    pub fn stored(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>) -> Self {
        Self { asking: Asking::new(endpoint, http), configured: None, wanted: Wanted::new() }
    }

    /// Asks for tokens that are worth less than the login: fewer scopes, one of its resources.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

#[async_trait]
impl Grant for RefreshToken {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let refresh_token = attempt
            .refresh_token
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::InvalidGrant, "no refresh token is left; log in again"))?;
        self.asking.redeem(refresh_token, &self.wanted, attempt).await
    }

    fn refresh(&self) -> Refresh {
        Refresh::Only
    }

    fn configured(&self) -> Option<Secret> {
        self.configured.clone()
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }

    fn credential(&self) -> Option<CredentialKey> {
        self.asking.login(&self.wanted)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asking, configured: _, wanted } = self;
        formatter
            .debug_struct("RefreshToken")
            .field("endpoint", asking)
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scripted, TOKEN};

    #[tokio::test]
    async fn fewer_scopes_than_were_granted_may_be_asked_for() {
        let http = Scripted::of([(200, TOKEN)]);
        let endpoint = TokenEndpoint::new("https://a/t", "c", Secret::from("s")).unwrap();
        let grant = RefreshToken::new(endpoint, Arc::clone(&http) as _, Secret::from("r0"))
            .with_wanted(Wanted::new().with_scope("a".parse().unwrap()));
        assert_eq!((grant.refresh(), grant.configured()), (Refresh::Only, Some(Secret::from("r0"))));
        grant.obtain(&Attempt::new(Some(Secret::from("r1")))).await.unwrap();
        assert_eq!(&http.asked()[0].body()[..], b"grant_type=refresh_token&refresh_token=r1&scope=a");
        let error = grant.obtain(&Attempt::new(None)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidGrant);
        assert!(!format!("{grant:?}").contains("r0"));
    }

    #[tokio::test]
    async fn what_a_store_holds_of_an_earlier_login_needs_no_configuration() {
        let http = Scripted::of([(200, TOKEN)]);
        let endpoint = TokenEndpoint::new("https://a/t", "c", Secret::from("s")).unwrap();
        let grant = RefreshToken::stored(endpoint, Arc::clone(&http) as _);
        assert_eq!((grant.refresh(), grant.configured()), (Refresh::Only, None));
        grant.obtain(&Attempt::new(Some(Secret::from("of the store")))).await.unwrap();
        assert_eq!(http.count(), 1);
    }
}
