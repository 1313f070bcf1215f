//! The exchange over hyper: HTTP/1.1 and HTTP/2, TLS by rustls, no redirects, bounded time and size.

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::exchange::HttpExchange;

/// A pooled HTTP client; clones share their connections.
#[derive(Clone)]
pub struct HyperClient {
    client: Pool,
    timeout: Duration,
}

#[derive(Clone)]
enum Pool {
    Encrypted(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Plaintext(Client<HttpConnector, Full<Bytes>>),
}

/// The largest reply that is read, in bytes. A token response is a few kilobytes.
pub const LARGEST_REPLY: usize = 64 * 1024;

impl HyperClient {
    /// A client for `https` URLs that trusts the platform's certificate authorities.
    ///
    /// # Errors
    ///
    /// An I/O error when the platform has none that can be read; install its `ca-certificates`.
    pub fn with_platform_roots() -> io::Result<Self> {
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_only()
            .enable_all_versions()
            .wrap_connector(tcp(false));
        Ok(Self::over(Pool::Encrypted(Client::builder(TokioExecutor::new()).build(connector))))
    }

    /// A client for `http` URLs, which [`TokenEndpoint`](crate::wire::TokenEndpoint) accepts on loopback only.
    #[must_use]
    pub fn plaintext() -> Self {
        Self::over(Pool::Plaintext(Client::builder(TokioExecutor::new()).build(tcp(true))))
    }

    /// The time that one exchange may take in all: 30 s by default. A refresh that was sent is not abandoned
    /// lightly, since the server may have answered it with the only copy of a new refresh token.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    const fn over(client: Pool) -> Self {
        Self { client, timeout: Duration::from_secs(30) }
    }
}

fn tcp(enforce_http: bool) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(enforce_http);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(10)));
    connector
}

#[async_trait]
impl HttpExchange for HyperClient {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let exchange = async {
            let request = request.map(Full::new);
            let response = match &self.client {
                Pool::Encrypted(client) => client.request(request).await,
                Pool::Plaintext(client) => client.request(request).await,
            };
            let (head, body) = response.map_err(unreachable)?.into_parts();
            let body = Limited::new(body, LARGEST_REPLY).collect().await.map_err(|error| broken(&*error))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "the token endpoint did not answer in time; it may recover"))
        })
    }
}

impl fmt::Debug for HyperClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HyperClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn unreachable(error: hyper_util::client::legacy::Error) -> Error {
    if error.is_connect() {
        Error::new(ErrorKind::Transport, "the token endpoint can't be reached; check its URL and the network")
            .without_effect()
            .with_source(error)
    } else {
        Error::new(
            ErrorKind::Transport,
            "the connection broke before the token endpoint's reply; it may recover",
        )
        .with_source(error)
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Error {
    if error.is::<LengthLimitError>() {
        Error::new(
            ErrorKind::MalformedResponse,
            "the token endpoint's reply is larger than 64 KiB; check its URL",
        )
    } else {
        Error::new(
            ErrorKind::Transport,
            "the connection broke during the token endpoint's reply; it may recover",
        )
    }
}
