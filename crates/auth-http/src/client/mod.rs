//! The exchange over hyper: HTTP/1.1 and HTTP/2, TLS by rustls, proxies, an address race, bounded time and size.
//!
//! A connection comes about in phases, each with a deadline of its own, and a failure names its phase: the name is
//! resolved, its addresses race (RFC 8305), the proxy if any opens a tunnel, TLS is agreed upon. What fails before the
//! request was written is marked [`without_effect`](auth_core::Error::without_effect); after that a failure is in doubt. A
//! request is never sent twice.
//!
//! A reply is read up to a limit of 64 KiB, head and body each. Redirects are handed to the caller, not followed. No
//! compression is asked for, and none accepted.
//!
//! # What logs may hold
//!
//! This crate logs nothing. Of what it stands on, `h2`, `hyper-util` and `rustls` log: at level TRACE they name servers, sizes
//! and frames, but, as a test holds, neither headers, bodies, nor a proxy's credentials. `hyper` logs only when built with
//! `--cfg hyper_unstable_tracing`, and the operating system's tools see what they see. Leave these targets out of your
//! logs (`h2=info,hyper=info,hyper_util=info,rustls=info`) if you need no more than an observer of the renewal tells.

mod builder;
mod dialer;
mod proxy;
mod reply;
mod tls;

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, PROXY_AUTHORIZATION};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;

pub use self::builder::{Builder, ConfigError};
use self::dialer::Dialer;
pub use self::dialer::Resolve;
pub use self::proxy::Proxy;
pub use self::tls::{Identity, Roots};
use crate::exchange::HttpExchange;

/// A pooled HTTP client; clones share their connections. It works inside a tokio runtime, with I/O and time enabled.
#[derive(Clone)]
pub struct HyperClient {
    pool: Client<Dialer, Full<Bytes>>,
    timeout: Duration,
    largest_reply: usize,
}

/// The largest reply that is read unless the builder says otherwise, in bytes. A token response is a few kilobytes.
pub const LARGEST_REPLY: usize = 64 * 1024;

impl HyperClient {
    /// A client for `https` URLs that trusts the platform's certificate authorities.
    ///
    /// # Errors
    ///
    /// An I/O error when the platform has none that can be read; install its `ca-certificates`.
    pub fn with_platform_roots() -> io::Result<Self> {
        Self::builder().build().map_err(io::Error::other)
    }

    /// A client for `http` URLs, which [`TokenEndpoint`](crate::wire::TokenEndpoint) accepts on loopback only.
    #[must_use]
    pub fn plaintext() -> Self {
        Builder::plaintext().over(None, None)
    }

    /// A client with other settings: roots, a certificate of its own, proxies, deadlines.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The time that one exchange may take in all: 30 s by default. A refresh that was sent is not abandoned
    /// lightly, since the server may have answered it with the only copy of a new refresh token.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

#[async_trait]
impl HttpExchange for HyperClient {
    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        if authority.is_empty() || request.uri().scheme().is_none() {
            let message = "the URL must be absolute, such as https://api.example.com/oauth/token";
            return Err(Error::new(ErrorKind::Misconfigured, message));
        }
        if authority.contains('@') {
            let message = "the URL holds credentials, which end up in logs; send them in a header";
            return Err(Error::new(ErrorKind::Misconfigured, message));
        }
        conceal(&mut request);
        let mut request = request.map(Full::new);
        let connection = capture_connection(&mut request);
        let exchange = async {
            match self.pool.request(request).await {
                Ok(response) => reply::whole(response, self.largest_reply).await,
                Err(error) => Err(reply::failed(error, connection.connection_metadata().is_some())),
            }
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let connection = connection.connection_metadata();
                if let Some(connection) = &*connection {
                    // The next request must not wait on a peer that may have vanished.
                    connection.poison();
                }
                Err(reply::late(connection.is_some()))
            }
        }
    }
}

/// Marks the headers that are secret, so that nobody's `Debug` shows them and HTTP/2 keeps them out of its tables.
fn conceal(request: &mut Request<Bytes>) {
    for name in [AUTHORIZATION, PROXY_AUTHORIZATION, HeaderName::from_static("dpop")] {
        if let Some(value) = request.headers_mut().get_mut(name) {
            value.set_sensitive(true);
        }
    }
}

impl fmt::Debug for HyperClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool: _, timeout, largest_reply } = self;
        formatter
            .debug_struct("HyperClient")
            .field("timeout", timeout)
            .field("largest_reply", largest_reply)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_headers_are_marked_before_anybody_sees_them() {
        let request = Request::post("https://login.example/");
        let request =
            request.header("authorization", "canary").header("dpop", "canary").header("accept", "shown");
        let mut request = request.body(Bytes::new()).unwrap();
        assert!(format!("{request:?}").contains("canary"), "the control");
        conceal(&mut request);
        let text = format!("{request:?}");
        assert!(!text.contains("canary") && text.contains("shown"), "{text}");
    }
}
