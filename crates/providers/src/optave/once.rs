//! Tokens that open one connection each.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{Demand, Error, ErrorKind, Token, TokenSource};
use auth_http::optave::UsedTokens;

/// Lets no token through that a connection was opened with before.
pub(super) struct Once<S> {
    pub(super) tokens: S,
    pub(super) used: Arc<UsedTokens>,
}

#[async_trait]
impl<S: TokenSource> TokenSource for Once<S> {
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
