//! A grant of one's own, as a closure.

use std::fmt;
use std::future::Future;

use async_trait::async_trait;
use auth_core::Error;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Attempt, Refresh};

use super::Grant;

/// A grant of your own: whatever the closure obtains is cached, renewed and shared like the token of any other.
///
/// ```
/// use auth_core::Secret;
/// use auth_core::oauth::TokenResponse;
/// use auth_http::grant::Callback;
///
/// let grant = Callback::new(|_attempt| async {
///     Ok(TokenResponse::new(Secret::from("read from the vault")))
/// });
/// ```
pub struct Callback<F> {
    obtain: F,
    refresh: Refresh,
}

impl<F, Obtaining> Callback<F>
where
    F: Fn(Attempt) -> Obtaining + Send + Sync,
    Obtaining: Future<Output = Result<TokenResponse, Error>> + Send,
{
    /// Obtains tokens by `obtain`, which bounds its own time. It is not called again before it has ended.
    #[must_use]
    pub const fn new(obtain: F) -> Self {
        Self { obtain, refresh: Refresh::Never }
    }

    /// Says what the closure does with refresh tokens: nothing by default.
    #[must_use]
    pub fn with_refresh(self, refresh: Refresh) -> Self {
        Self { refresh, ..self }
    }
}

#[async_trait]
impl<F, Obtaining> Grant for Callback<F>
where
    F: Fn(Attempt) -> Obtaining + Send + Sync,
    Obtaining: Future<Output = Result<TokenResponse, Error>> + Send,
{
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        (self.obtain)(attempt.clone()).await
    }

    fn refresh(&self) -> Refresh {
        self.refresh
    }
}

impl<F> fmt::Debug for Callback<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { obtain: _, refresh } = self;
        formatter.debug_struct("Callback").field("refresh", refresh).finish_non_exhaustive()
    }
}
