//! The ways to a token, and the guard that no token is handed out twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::Attempt;
use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, TokenSource};

use super::UsedTokens;
use super::wire::{AuthenticationEndpoint, TicketEndpoint};
use crate::exchange::HttpExchange;
use crate::grant::Grant;

/// A closure that obtains a token.
pub(super) type Provider =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Secret, Error>> + Send>> + Send + Sync>;

/// A way to a token.
pub(super) enum Way {
    Credentials(Box<AuthenticationEndpoint>, Arc<dyn HttpExchange>),
    Ticket(TicketEndpoint, Arc<dyn HttpExchange>),
    Provider(Provider),
    /// A source, and the last of its tokens.
    Source(Arc<dyn TokenSource>, Mutex<Generation>),
}

/// Obtains tokens, none of them twice.
pub(super) struct Once {
    way: Way,
    seen: UsedTokens,
}

impl Once {
    pub(super) fn new(way: Way) -> Self {
        Self { way, seen: UsedTokens::new() }
    }
}

impl Way {
    async fn obtain(&self) -> Result<TokenResponse, Error> {
        match self {
            Self::Credentials(endpoint, http) => {
                let request = endpoint.request().map_err(Error::without_effect)?;
                endpoint.read(&http.exchange(request).await?)
            }
            Self::Ticket(endpoint, http) => endpoint.read(&http.exchange(endpoint.request()).await?),
            Self::Provider(provider) => Ok(TokenResponse::new(provider().await?)),
            Self::Source(source, last) => {
                let used = *last.lock().unwrap_or_else(PoisonError::into_inner);
                // The one before is used up, whether it has expired or not.
                let demand = if used == Generation::NONE { Demand::Current } else { Demand::InsteadOf(used) };
                let token = source.token(demand).await?;
                *last.lock().unwrap_or_else(PoisonError::into_inner) = token.generation();
                let mut issued = TokenResponse::new(token.secret().clone());
                issued.expires_in = token.expires_in();
                Ok(issued)
            }
        }
    }
}

#[async_trait]
impl Grant for Once {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        let issued = self.way.obtain().await?;
        if issued.access_token.is_empty() {
            let text = "the token provider gave an empty token; have it fail instead";
            return Err(Error::new(ErrorKind::InvalidToken, text).with_retry(Retry::Backoff));
        }
        if !self.seen.is_first_use(&issued.access_token) {
            let text = "a token was given a second time, and each opens one connection only; have whoever gives it mint a \
                        new one for each request, and let no cache stand in between";
            return Err(Error::new(ErrorKind::InvalidToken, text).with_retry(Retry::Backoff));
        }
        Ok(issued)
    }
}
