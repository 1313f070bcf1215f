//! The settings of a session, each with its reason.

use std::time::Duration;

use auth_core::backoff::Backoff;

/// The settings of a [`Session`](super::Session).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(super) fetch: Duration,
    pub(super) open: Duration,
    pub(super) answer: Duration,
    pub(super) close: Duration,
    pub(super) stable: Duration,
    pub(super) backoff: Backoff,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fetch: Duration::from_secs(90),
            open: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            close: Duration::from_secs(5),
            stable: Duration::from_secs(30),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
        }
    }

    /// How long the source may take to hand out a token: 90 s by default, more than a flight of attempts takes. Then it
    /// is asked again.
    #[must_use]
    pub fn with_fetch_timeout(self, fetch: Duration) -> Self {
        Self { fetch, ..self }
    }

    /// How long name resolution, TCP, TLS and the upgrade may take together: 30 s by default.
    #[must_use]
    pub fn with_open_timeout(self, open: Duration) -> Self {
        Self { open, ..self }
    }

    /// How long the server may take to answer a credential: 10 s by default, the figure of the Genesys document.
    #[must_use]
    pub fn with_answer_timeout(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// How long the server may take to answer a close: 5 s by default; then the connection is dropped.
    #[must_use]
    pub fn with_close_timeout(self, close: Duration) -> Self {
        Self { close, ..self }
    }

    /// How long a connection must have been authenticated before earlier failures are forgotten: 30 s by default. A
    /// server that accepts and then drops would otherwise hold its clients at the shortest wait.
    #[must_use]
    pub fn with_stable_after(self, stable: Duration) -> Self {
        Self { stable, ..self }
    }

    /// The wait between attempts: up to 0.5 s at first, at most 30 s.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
