//! What an issuer said of its last token: a store knows it only once the token is saved.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::{Attempt, Refresh};
use auth_core::{Error, Secret};
use auth_http::grant::Grant;
use auth_http::store::CredentialKey;

/// The last token that came, and its details.
#[derive(Default)]
pub(crate) struct Told(Mutex<Option<(Secret, String)>>);

impl Told {
    /// The details of this token, if it was the last.
    pub(crate) fn of(&self, token: &Secret) -> Option<String> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.as_ref().filter(|(of, _)| of == token).map(|(_, details)| details.clone())
    }
}

/// A grant whose answers are noted.
pub(super) struct Noted {
    pub(super) grant: Box<dyn Grant>,
    pub(super) told: Arc<Told>,
}

#[async_trait]
impl Grant for Noted {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let response = self.grant.obtain(attempt).await?;
        let details = response.details.clone().map(|details| (response.access_token.clone(), details));
        *self.told.0.lock().unwrap_or_else(PoisonError::into_inner) = details;
        Ok(response)
    }

    fn refresh(&self) -> Refresh {
        self.grant.refresh()
    }

    fn token_type(&self) -> TokenType {
        self.grant.token_type()
    }

    fn configured(&self) -> Option<Secret> {
        self.grant.configured()
    }

    fn credential(&self) -> Option<CredentialKey> {
        self.grant.credential()
    }
}
