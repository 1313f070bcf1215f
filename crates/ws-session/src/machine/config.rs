//! The settings of a session, each with its reason.

use std::time::Duration;

use auth_core::backoff::Backoff;

/// The settings of a [`Session`](super::Session).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(super) fetch: Duration,
    pub(super) open: Duration,
    pub(super) answer: Option<Duration>,
    pub(super) close: Duration,
    pub(super) stable: Duration,
    pub(super) backoff: Backoff,
    pub(super) suspended_after: Duration,
    pub(super) keep_alive: Option<Duration>,
    pub(super) ping_frames: bool,
    pub(super) overlap: bool,
    pub(super) reconnects: bool,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fetch: Duration::from_secs(90),
            open: Duration::from_secs(30),
            answer: None,
            close: Duration::from_secs(5),
            stable: Duration::from_secs(30),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            suspended_after: Duration::from_secs(120),
            keep_alive: Some(Duration::from_secs(25)),
            ping_frames: true,
            overlap: true,
            reconnects: true,
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

    /// How long the server may take to answer a credential: by default what the dialect says, and 10 s where it says nothing.
    #[must_use]
    pub fn with_answer_timeout(self, answer: Duration) -> Self {
        Self { answer: Some(answer), ..self }
    }

    /// How long the server may take to answer a close, or a [farewell](crate::dialect::Farewell), or to take any more of what goes out before
    /// it: 5 s by default; then the connection is dropped, and what is left comes back to its senders. A server that takes a little now and then has twelve times as long.
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

    /// After how long without a connection the session counts as [`Suspended`](super::State::Suspended), where the server does not
    /// [say for how long it keeps one](crate::dialect::Captured::kept): 120 s by default, as long as Ably keeps the state of a connection.
    /// Attempts go on at the longest wait.
    #[must_use]
    pub fn with_suspended_after(self, suspended_after: Duration) -> Self {
        Self { suspended_after, ..self }
    }

    /// How long a connection may be silent before it is asked whether it lives: 25 s by default, less than the 60 s after which
    /// proxies drop an idle one. A peer that is gone is found within two of them. `None` never asks; less than 100 ms is raised to
    /// that.
    #[must_use]
    pub fn with_keep_alive(self, keep_alive: Option<Duration>) -> Self {
        Self { keep_alive: keep_alive.map(|interval| interval.max(Duration::from_millis(100))), ..self }
    }

    /// For a driver whose transport has no ping frames, as a browser's has not. A peer that is gone is then found only where the
    /// dialect has a ping of its own, or where its server promises not to be silent for long.
    #[must_use]
    pub fn without_ping_frames(self) -> Self {
        Self { ping_frames: false, ..self }
    }

    /// For a driver that can't serve two connections at a time: a renewal by reconnecting closes the old one first.
    #[must_use]
    pub fn without_overlap(self) -> Self {
        Self { overlap: false, ..self }
    }

    /// For whoever makes each connection himself: the session fails when its connection is lost, or when the first attempt to make one
    /// comes to nothing. A renewal by reconnecting is still tried again for as long as there is a connection.
    #[must_use]
    pub fn without_reconnection(self) -> Self {
        Self { reconnects: false, ..self }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
