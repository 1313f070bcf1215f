//! What a client needs of its surroundings: a way to send, clocks, randomness, and a way to wait.

use std::fmt;
use std::sync::Arc;

use crate::exchange::HttpExchange;
use crate::fetched::Clock;
use crate::grant::Delay;

/// What an [`Auth`](super::Auth) needs of its surroundings. With the features `client` and `tokio`,
/// [`on_tokio`](Self::on_tokio) has all of it.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever has another runtime builds it, and a further need would be a new design"
)]
pub struct Surroundings {
    /// Sends requests. Its largest reply should be 128 KiB or more: an auth URL may answer that much.
    pub http: Arc<dyn HttpExchange>,
    /// Both clocks.
    pub clock: Clock,
    /// Bytes of a secure random source, for nonces.
    pub random: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
    /// Waits, to bound the time of an auth callback.
    pub delay: Arc<dyn Delay>,
}

impl Surroundings {
    /// Inside a tokio runtime, with the system's clocks and randomness, over this exchange.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn over(http: Arc<dyn HttpExchange>) -> Self {
        use crate::freshness::Freshness as _;
        let clock = crate::manager::StdClock::start();
        Self {
            http,
            clock: Arc::new(move || clock.now()),
            random: Arc::new(|| crate::freshness::SystemFreshness.random()),
            delay: Arc::new(crate::manager::TokioTimer::start()),
        }
    }

    /// The same, over a [`HyperClient`](crate::client::HyperClient) that trusts the platform's certificate authorities.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](auth_core::ErrorKind::Misconfigured) when the platform has none that can be read.
    #[cfg(all(feature = "client", feature = "tokio"))]
    pub fn on_tokio() -> Result<Self, auth_core::Error> {
        Self::by(crate::client::HyperClient::builder())
    }

    /// The same, over a client of which something else was said, such as its proxies or whom it trusts. How much it reads, and that it
    /// reaches a server on this machine without TLS, is seen to here.
    ///
    /// # Errors
    ///
    /// As [`on_tokio`](Self::on_tokio).
    #[cfg(all(feature = "client", feature = "tokio"))]
    pub fn by(client: crate::client::Builder) -> Result<Self, auth_core::Error> {
        let client = client.with_plaintext().with_largest_reply(LARGEST_REPLY).build().map_err(|error| {
            let text =
                "the platform has no certificate authorities that can be read; install its ca-certificates";
            auth_core::Error::new(auth_core::ErrorKind::Misconfigured, text).with_source(error)
        })?;
        Ok(Self::over(Arc::new(client)))
    }
}

/// One byte more than what is taken (RSA4f), so that a longer answer is refused as such.
#[cfg(all(feature = "client", feature = "tokio"))]
const LARGEST_REPLY: usize = auth_core::ably::TokenReply::LONGEST + 1;

impl fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { http: _, clock: _, random: _, delay: _ } = self;
        formatter.debug_struct("Surroundings").finish_non_exhaustive()
    }
}
