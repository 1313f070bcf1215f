//! The seam between what is said to a token endpoint and how it gets there.

use async_trait::async_trait;
use auth_core::Error;
use bytes::Bytes;
use http::{Request, Response};

/// Something that sends one request and returns the reply: the one trait to implement for another HTTP client.
#[async_trait]
pub trait HttpExchange: Send + Sync {
    /// Sends `request` and returns the whole reply.
    ///
    /// An implementation bounds the time of the exchange and the size of the reply, follows no redirect, and
    /// asks for no content encoding.
    ///
    /// # Errors
    ///
    /// [`Timeout`](auth_core::ErrorKind::Timeout), [`Transport`](auth_core::ErrorKind::Transport), or
    /// [`MalformedResponse`](auth_core::ErrorKind::MalformedResponse) when the reply is too large. A request that
    /// certainly was not sent is marked [`without_effect`](Error::without_effect): a refresh token in it may be sent
    /// again, which is dangerous after any other failure.
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error>;
}

/// What requests are sent by where nothing else was given.
#[cfg(all(feature = "client", feature = "manager"))]
pub(crate) fn platform(plaintext: bool) -> std::io::Result<crate::client::HyperClient> {
    use crate::client::HyperClient;

    if plaintext { Ok(HyperClient::plaintext()) } else { HyperClient::with_platform_roots() }
}
