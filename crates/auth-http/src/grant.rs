//! OAuth grants: how each obtains a token from its endpoint.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Attempt, Refresh};
use auth_core::scope::Scopes;
use auth_core::{Error, ErrorKind, Secret};

use crate::exchange::HttpExchange;
use crate::wire::TokenEndpoint;

/// A way to obtain one token: one request, no caching, no retry, no memory.
///
/// [`TokenManager`](crate::manager::TokenManager) calls it for whoever needs a token, one call at a time, and keeps the
/// refresh tokens that come back.
#[async_trait]
pub trait Grant: Send + Sync {
    /// Obtains a token. An implementation bounds its own time.
    ///
    /// # Errors
    ///
    /// Any kind; [`Error::retry`] decides whether and when the caller tries again, and [`Error::is_in_doubt`] whether
    /// the attempt's refresh token may have been spent.
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error>;

    /// What it does with refresh tokens: nothing by default.
    fn refresh(&self) -> Refresh {
        Refresh::Never
    }

    /// The refresh token that it was configured with, the first to be redeemed: none by default.
    fn configured(&self) -> Option<Secret> {
        None
    }
}

/// The client credentials grant (RFC 6749 §4.4): the client speaks for itself.
pub struct ClientCredentials {
    endpoint: TokenEndpoint,
    http: Arc<dyn HttpExchange>,
    scope: Scopes,
}

impl ClientCredentials {
    /// Obtains tokens from `endpoint`, with whatever scopes the server grants by default.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>) -> Self {
        Self { endpoint, http, scope: Scopes::default() }
    }

    /// Asks for these scopes. Genesys Cloud needs none: it grants what the client is configured for.
    #[must_use]
    pub fn with_scope(self, scope: Scopes) -> Self {
        Self { scope, ..self }
    }
}

#[async_trait]
impl Grant for ClientCredentials {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        let request = self.endpoint.client_credentials(&self.scope);
        TokenEndpoint::read(&self.http.exchange(request).await?)
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, http: _, scope } = self;
        formatter
            .debug_struct("ClientCredentials")
            .field("endpoint", endpoint)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

/// The refresh token grant (RFC 6749 §6). A server that rotates refresh tokens sends the next with each token;
/// from then on the old one is never sent again.
pub struct RefreshToken {
    endpoint: TokenEndpoint,
    http: Arc<dyn HttpExchange>,
    configured: Secret,
}

impl RefreshToken {
    /// Redeems `configured`, the refresh token of a login, and its successors at `endpoint`.
    ///
    /// Successors live in memory, and in the store of the [`TokenManager`](crate::manager::TokenManager) if it has
    /// one: without a store, a program that ends loses them.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>, configured: Secret) -> Self {
        Self { endpoint, http, configured }
    }
}

#[async_trait]
impl Grant for RefreshToken {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let refresh_token = attempt
            .refresh_token
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::InvalidGrant, "no refresh token is left; log in again"))?;
        let request = self.endpoint.refresh_token(refresh_token);
        TokenEndpoint::read(&self.http.exchange(request).await?)
    }

    fn refresh(&self) -> Refresh {
        Refresh::Only
    }

    fn configured(&self) -> Option<Secret> {
        Some(self.configured.clone())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, http: _, configured: _ } = self;
        formatter.debug_struct("RefreshToken").field("endpoint", endpoint).finish_non_exhaustive()
    }
}
