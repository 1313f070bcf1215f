//! Permission tokens as a grant: by refresh token, and for services by their merchant key.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Attempt, Refresh};
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::{Request, Response};

use super::wire::{AuthorizationService, IssuedTokens, RequestId, WantedPermissions};
use crate::exchange::HttpExchange;
use crate::freshness::Freshness;
use crate::grant::Grant;
use crate::store::CredentialKey;

/// Obtains permission tokens: by the refresh token of a session, and where there is none by the merchant key, if it has one.
///
/// A refresh token that has expired, by the clock of the service, is not sent.
pub struct PermissionGrant {
    service: AuthorizationService,
    http: Arc<dyn HttpExchange>,
    freshness: Arc<dyn Freshness>,
    wanted: WantedPermissions,
    merchant_key: Option<Secret>,
    /// The last refresh token, and when it expires.
    expiry: Mutex<Option<(Secret, Timestamp)>>,
    progress: Mutex<Progress>,
}

/// What came of the requests so far.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// How many gave tokens.
    pub(super) obtained: u64,
    /// Why the last one did not, if it did not.
    pub(super) failure: Option<Error>,
}

impl PermissionGrant {
    /// For services: a permission token by `merchant_key`, and its refresh tokens from then on. A refresh token that is
    /// refused leads back to the key.
    #[must_use]
    pub fn by_merchant_key(
        service: AuthorizationService,
        http: Arc<dyn HttpExchange>,
        freshness: Arc<dyn Freshness>,
        wanted: WantedPermissions,
        merchant_key: Secret,
    ) -> Self {
        Self { merchant_key: Some(merchant_key), ..Self::of_session(service, http, freshness, wanted) }
    }

    /// The refresh tokens of a session, which a store has.
    pub(super) fn of_session(
        service: AuthorizationService,
        http: Arc<dyn HttpExchange>,
        freshness: Arc<dyn Freshness>,
        wanted: WantedPermissions,
    ) -> Self {
        let (expiry, progress) = (Mutex::default(), Mutex::default());
        Self { service, http, freshness, wanted, merchant_key: None, expiry, progress }
    }

    async fn anew(&self) -> Result<IssuedTokens, Error> {
        let key = self.merchant_key.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidGrant, "the session has no refresh token; establish it again")
        })?;
        let id = self.request_id();
        let response = self.exchange(self.service.issue_by_key(&id, &self.wanted, key)).await?;
        self.service.read_by_key(&id, &response)
    }

    async fn redeem(&self, refresh_token: &Secret, attempt: &Attempt) -> Result<IssuedTokens, Error> {
        let expired = {
            let expiry = lock(&self.expiry);
            let known =
                expiry.as_ref().filter(|(token, _)| token == refresh_token).map(|(_, expires)| *expires);
            // By the clock of the service only: the local one may be wrong, and then the service had better decide.
            known.zip(attempt.server_time).is_some_and(|(expires, now)| expires <= now)
        };
        if expired {
            return Err(Error::new(
                ErrorKind::InvalidGrant,
                "the session's refresh token has expired; establish the session again",
            ));
        }
        let id = self.request_id();
        let response = self.exchange(self.service.refresh(&id, refresh_token)).await?;
        self.service.read_refresh(&id, &response)
    }

    /// Notes when a refresh token expires.
    pub(super) fn note(&self, issued: &IssuedTokens) {
        if let (Some(token), Some(expires)) = (&issued.refresh_token, issued.refresh_expires_at) {
            *lock(&self.expiry) = Some((token.clone(), expires));
        }
    }

    /// Forgets why the session before gave no tokens.
    #[cfg(feature = "manager")]
    pub(super) fn begin_anew(&self) {
        lock(&self.progress).failure = None;
    }

    #[cfg(feature = "manager")]
    pub(super) fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }

    #[cfg(feature = "manager")]
    pub(super) const fn service(&self) -> &AuthorizationService {
        &self.service
    }

    #[cfg(feature = "manager")]
    pub(super) const fn wanted(&self) -> &WantedPermissions {
        &self.wanted
    }

    /// Whose tokens a store keeps.
    pub(super) fn key(&self) -> CredentialKey {
        self.wanted.credential(&self.service.to_string())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.freshness.now()
    }

    pub(super) fn request_id(&self) -> RequestId {
        let random = self.freshness.random();
        let mut bits = [0; 16];
        bits.copy_from_slice(random.split_at(16).0);
        RequestId::from_random(bits)
    }

    pub(super) async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.http.exchange(request).await
    }
}

#[async_trait]
impl Grant for PermissionGrant {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let issued = match &attempt.refresh_token {
            Some(refresh_token) => self.redeem(refresh_token, attempt).await,
            None => self.anew().await,
        };
        let mut progress = lock(&self.progress);
        match issued {
            Ok(issued) => {
                progress.obtained += 1;
                progress.failure = None;
                self.note(&issued);
                Ok(issued.into_response(self.now()))
            }
            Err(error) => {
                progress.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    fn refresh(&self) -> Refresh {
        if self.merchant_key.is_some() { Refresh::Preferred } else { Refresh::Only }
    }

    fn credential(&self) -> Option<CredentialKey> {
        Some(self.key())
    }
}

impl fmt::Debug for PermissionGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, http: _, freshness: _, wanted, merchant_key: _, expiry: _, progress: _ } = self;
        formatter
            .debug_struct("PermissionGrant")
            .field("service", service)
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
