//! The HTTP client over real sockets: what it makes of whatever a server, a proxy or the network does.

mod connections;
mod http1;
mod http2;
mod logs;
mod proxies;
mod tls;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::{Error, Secret};
use auth_http::client::{HyperClient, Resolve};
use auth_http::exchange::HttpExchange;
use auth_http::wire::{TokenEndpoint, TokenForm};

/// A token response of one token.
const TOKEN: &str = r#"{"access_token":"t1","token_type":"bearer","expires_in":60}"#;

/// Longer than anything here takes that is not meant to be cut off.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the token endpoint at `url` for a token; panics if the client does not bound its time.
async fn ask(client: &HyperClient, url: &str) -> Result<TokenResponse, Error> {
    let endpoint = TokenEndpoint::new(&format!("{url}/token"), "id", Secret::from("secret")).unwrap();
    let exchange = client.exchange(endpoint.request(&TokenForm::client_credentials(), None)?);
    let response = tokio::time::timeout(2 * PATIENCE, exchange).await.expect("the client hangs");
    endpoint.read(&response?)
}

/// The token that was got.
fn token(outcome: Result<TokenResponse, Error>) -> String {
    outcome.unwrap().access_token.expose().to_owned()
}

/// A resolver to which every name is at the same addresses.
struct At(Vec<IpAddr>);

#[async_trait]
impl Resolve for At {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

fn at_loopback() -> std::sync::Arc<At> {
    std::sync::Arc::new(At(vec![IpAddr::from([127, 0, 0, 1])]))
}
