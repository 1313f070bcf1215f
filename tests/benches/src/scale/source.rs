//! Where the tokens of this suite come from: from memory, or from the token endpoint, one for each connection.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::renewal::Attempt;
use auth_core::source::FixedToken;
use auth_core::{Demand, Error, Secret, Token, TokenSource};
use auth_http::client::HyperClient;
use auth_http::grant::{ClientCredentials, Grant as _};
use auth_http::wire::TokenEndpoint;

/// A token that costs nothing.
pub(super) fn fixed() -> Arc<dyn TokenSource> {
    let token = format!("token-{}", "x".repeat(794));
    Arc::new(FixedToken::new(Token::new(Secret::from(token))))
}

/// Asks the endpoint each time that it is asked.
struct Endpoint(ClientCredentials);

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
pub(super) fn endpoint(url: &str) -> Arc<dyn TokenSource> {
    let url = format!("{url}/oauth/token");
    let endpoint = TokenEndpoint::new(&url, "client", Secret::from("secret")).expect("it is on loopback");
    Arc::new(Endpoint(ClientCredentials::new(endpoint, Arc::new(HyperClient::plaintext()))))
}

#[async_trait]
impl TokenSource for Endpoint {
    async fn token(&self, _: Demand) -> Result<Token, Error> {
        let reply = self.0.obtain(&Attempt::new(None)).await?;
        let token = Token::new(reply.access_token);
        Ok(match reply.expires_in {
            Some(life) => token.with_expires_in(life),
            None => token,
        })
    }
}
