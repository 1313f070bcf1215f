//! OAuth grants: how each obtains a token from its endpoint.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::scope::Scopes;
use auth_core::{Error, Secret};

use crate::exchange::HttpExchange;
use crate::wire::TokenEndpoint;

/// A way to obtain one token: one request, no caching, no retry.
///
/// [`TokenManager`](crate::manager::TokenManager) calls it for whoever needs a token, one call at a time.
#[async_trait]
pub trait Grant: Send + Sync {
    /// Obtains a token. An implementation bounds its own time.
    ///
    /// # Errors
    ///
    /// Any kind; [`Error::retry`] decides whether and when the caller tries again.
    async fn obtain(&self) -> Result<TokenResponse, Error>;
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
    async fn obtain(&self) -> Result<TokenResponse, Error> {
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
    refresh_token: Mutex<Secret>,
}

impl RefreshToken {
    /// Redeems `refresh_token`, and its successors, at `endpoint`.
    ///
    /// Successors are kept in memory: a program that ends loses them.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>, refresh_token: Secret) -> Self {
        Self { endpoint, http, refresh_token: Mutex::new(refresh_token) }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Secret> {
        self.refresh_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Grant for RefreshToken {
    async fn obtain(&self) -> Result<TokenResponse, Error> {
        let request = self.endpoint.refresh_token(&self.current());
        let response = TokenEndpoint::read(&self.http.exchange(request).await?)?;
        if let Some(next) = &response.refresh_token {
            *self.current() = next.clone();
        }
        Ok(response)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, http: _, refresh_token: _ } = self;
        formatter.debug_struct("RefreshToken").field("endpoint", endpoint).finish_non_exhaustive()
    }
}
