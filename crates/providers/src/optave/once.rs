//! Tokens that open one connection each.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{Demand, Error, ErrorKind, Retry, Token, TokenSource};
use auth_http::optave::UsedTokens;

/// Lets no token through that a connection was opened with before.
pub(super) struct Once {
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) used: Arc<UsedTokens>,
}

#[async_trait]
impl TokenSource for Once {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let token = self.tokens.token(demand).await?;
        if self.used.is_first_use(token.secret()) {
            return Ok(token);
        }
        let text = "a connection was opened with this token before, and each opens one only; authenticate again, and open the \
                    next with a fresh one";
        Err(Error::new(ErrorKind::InvalidToken, text))
    }
}

/// A source of one token that was given. There is no other, so that whoever has it of here does not wait for one: each failure is the
/// last.
pub(super) struct Given(pub(super) Arc<dyn TokenSource>);

#[async_trait]
impl TokenSource for Given {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        self.0.token(demand).await.map_err(|error| error.with_retry(Retry::Never))
    }
}
