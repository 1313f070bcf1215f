//! The client credentials grant (RFC 6749 §4.4).

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::Error;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::Attempt;
use auth_core::scope::Scopes;

use super::Grant;
use super::asking::Asking;
use crate::exchange::HttpExchange;
use crate::wire::{TokenEndpoint, TokenForm, Wanted};

/// The client credentials grant (RFC 6749 §4.4): the client speaks for itself. A refresh token that a server sends all the
/// same is not used.
#[derive(Debug)]
pub struct ClientCredentials {
    asking: Asking,
    wanted: Wanted,
}

impl ClientCredentials {
    /// Obtains tokens from `endpoint`, with whatever scopes the server grants by default.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>) -> Self {
        Self { asking: Asking::new(endpoint, http), wanted: Wanted::new() }
    }

    /// Asks for these scopes. Genesys Cloud needs none: it grants what the client is configured for.
    #[must_use]
    pub fn with_scope(self, scope: Scopes) -> Self {
        Self { wanted: self.wanted.with_scope(scope), ..self }
    }

    /// Asks for this: scopes, resources, and what a provider wants besides.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

#[async_trait]
impl Grant for ClientCredentials {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        self.asking.ask(&TokenForm::client_credentials().with_wanted(&self.wanted), attempt).await
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }
}
