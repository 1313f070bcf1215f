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
use crate::store::CredentialKey;
use crate::wire::{TokenEndpoint, TokenForm, Wanted};

/// The client credentials grant (RFC 6749 §4.4): the client speaks for itself. A refresh token that a server sends all the
/// same is not used.
#[derive(Debug)]
pub struct ClientCredentials {
    asking: Asking,
    wanted: Wanted,
    /// Made once: each attempt sends the same.
    form: TokenForm,
}

impl ClientCredentials {
    /// Obtains tokens from `endpoint`, with whatever scopes the server grants by default.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>) -> Self {
        Self {
            asking: Asking::new(endpoint, http),
            wanted: Wanted::new(),
            form: TokenForm::client_credentials(),
        }
    }

    /// Asks for these scopes. Genesys Cloud needs none: it grants what the client is configured for.
    #[must_use]
    pub fn with_scope(self, scope: Scopes) -> Self {
        let wanted = self.wanted.clone().with_scope(scope);
        self.with_wanted(wanted)
    }

    /// Asks for this: scopes, resources, and what a provider wants besides.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { form: TokenForm::client_credentials().with_wanted(&wanted), wanted, ..self }
    }
}

#[async_trait]
impl Grant for ClientCredentials {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        self.asking.ask(&self.form, attempt).await
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }

    fn credential(&self) -> Option<CredentialKey> {
        self.asking.credential(&self.form)
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use std::time::Duration;

    use auth_core::{Demand, Secret, TokenSource as _};

    use super::*;
    use crate::manager::TokenManager;
    use crate::testing::{Scripted, value};

    #[tokio::test(start_paused = true)]
    async fn a_refresh_token_that_nobody_asked_for_is_not_used() {
        let http = Scripted::of([
            (200, r#"{"access_token":"t1","refresh_token":"canary","expires_in":600}"#),
            (200, r#"{"access_token":"t2","refresh_token":"canary","expires_in":600}"#),
        ]);
        let endpoint = TokenEndpoint::new("https://a/t", "c", Secret::from("s")).unwrap();
        let manager = TokenManager::builder(ClientCredentials::new(endpoint, Arc::clone(&http) as _)).spawn();
        let first = manager.token(Demand::Current).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        manager.token(Demand::InsteadOf(first.generation())).await.unwrap();
        assert_eq!(http.count(), 2);
        for asked in http.asked() {
            assert_eq!(value(&asked, "grant_type").as_deref(), Some("client_credentials"));
            assert_eq!(value(&asked, "refresh_token"), None);
        }
    }
}
