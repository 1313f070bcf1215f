//! The HTTP client over real sockets: what it makes of whatever a server, a proxy or the network does.

mod bad_answers;
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
use auth_http::client::{Builder, HyperClient, Resolve, Roots};
use auth_http::exchange::HttpExchange;
use auth_http::wire::{TokenEndpoint, TokenForm};
use realtime_auth_tests::authority::{self, Authority};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsAcceptor;

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

/// A server that speaks HTTP/1.1 over TLS.
async fn tls_server(acceptor: TlsAcceptor) -> RawServer {
    let serving = RawServer::serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = authority::accept(&acceptor, stream).await?;
            script::read(&mut stream).await?;
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{TOKEN}", TOKEN.len());
            stream.write_all(reply.as_bytes()).await?;
            stream.shutdown().await
        }
    });
    serving.await.unwrap()
}

/// A client that trusts this authority only, and finds every name on this machine.
fn trusting(authority: &Authority) -> Builder {
    let roots = Roots::none().with_pem(authority.pem().as_bytes()).unwrap();
    HyperClient::builder().with_roots(roots).with_resolver(at_loopback()).with_timeout(PATIENCE)
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
