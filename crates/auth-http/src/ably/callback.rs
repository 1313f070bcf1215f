//! An auth callback as an asynchronous closure.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::Error;
use auth_core::ably::{AuthCallback, TokenParams, TokenReply};

/// An auth callback of a closure: it asks the backend that has the key.
///
/// ```
/// use auth_core::ably::{AuthOptions, TokenReply};
/// use auth_core::Secret;
/// use auth_http::ably;
///
/// let options = AuthOptions::new().with_auth_callback(ably::callback(|params| async move {
///     let client_id = params.client_id().map(|client_id| client_id.as_str().to_owned());
///     // … ask the backend for a token of this client …
///     Ok(TokenReply::Token(Secret::from("what the backend answered")))
/// }));
/// ```
pub fn callback<F, Asking>(ask: F) -> Arc<dyn AuthCallback>
where
    F: Fn(TokenParams) -> Asking + Send + Sync + 'static,
    Asking: Future<Output = Result<TokenReply, Error>> + Send + 'static,
{
    Arc::new(Closure(ask))
}

struct Closure<F>(F);

#[async_trait]
impl<F, Asking> AuthCallback for Closure<F>
where
    F: Fn(TokenParams) -> Asking + Send + Sync,
    Asking: Future<Output = Result<TokenReply, Error>> + Send,
{
    async fn token(&self, params: &TokenParams) -> Result<TokenReply, Error> {
        (self.0)(params.clone()).await
    }
}
