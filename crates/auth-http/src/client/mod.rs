//! The exchange over hyper: HTTP/1.1 and HTTP/2, TLS by rustls, proxies, an address race, bounded time and size.
//!
//! A connection comes about in phases, each with a deadline of its own, and a failure names its phase: the name is
//! resolved, its addresses race (RFC 8305), the proxy if any opens a tunnel, TLS is agreed upon. What fails before the
//! request was written is marked [`without_effect`](auth_core::Error::without_effect); after that a failure is in doubt. So is
//! a stream that an HTTP/2 server refuses, although it promises then to have done nothing (RFC 9113 §8.7): hyper shows that a
//! stream was reset, not why. A request is never sent twice.
//!
//! A reply is read up to a limit of 64 KiB, head and body each. Redirects are handed to the caller, not followed. No
//! compression is asked for, and none accepted.
//!
//! # What logs may hold
//!
//! This crate logs nothing. Of what it stands on, `h2` and `rustls` log: at level TRACE they name servers, sizes
//! and frames, but, as a test holds, neither headers, bodies, nor a proxy's credentials. `hyper` logs only when built with
//! `--cfg hyper_unstable_tracing`, and the operating system's tools see what they see. Leave these targets out of your
//! logs (`h2=info,hyper=info,rustls=info`) if you need no more than an observer of the renewal tells.

mod builder;
mod dialer;
mod pool;
mod proxy;
mod reply;
mod sending;
mod tls;

use std::fmt;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use auth_core::Error;
use bytes::Bytes;
use http::{Request, Response};

pub use self::builder::{Builder, ConfigError};
pub use self::dialer::Resolve;
use self::pool::Pool;
pub use self::proxy::Proxy;
use self::sending::Sending;
pub use self::tls::{Identity, Roots};
use crate::exchange::HttpExchange;

/// A pooled HTTP client; clones share their connections. It works inside a tokio runtime, with I/O and time enabled.
#[derive(Clone)]
pub struct HyperClient {
    pool: Pool,
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

impl HttpExchange for HyperClient {
    // By hand, not by `async_trait`, whose future would hold the request three times over: its size is a good part of what
    // an exchange costs beside the system calls.
    fn exchange<'a, 'b>(&'a self, request: Request<Bytes>) -> Exchange<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let mut sending = match Sending::of(request) {
            Ok(sending) => sending,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        Box::pin(async move {
            let now = pool::now();
            let exchange = async {
                let sent = self.pool.send(&mut sending, now).await;
                let (response, connection) = sent.map_err(reply::failed)?;
                let reply = reply::whole(response, self.largest_reply).await?;
                self.pool.keep(connection);
                Ok(reply)
            };
            let late = now.checked_add(self.timeout).unwrap_or_else(|| now + A_YEAR);
            match tokio::time::timeout_at(late, exchange).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    if sending.begun {
                        // The next request must not wait on a peer that may have vanished.
                        self.pool.forget(&sending.target);
                    }
                    Err(reply::late(sending.begun))
                }
            }
        })
    }
}

type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Error>> + Send + 'a>>;

/// As good as for ever, and within what a clock counts.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

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
