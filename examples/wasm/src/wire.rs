//! What the host and the module say to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the host says.
#[derive(Deserialize)]
pub(crate) struct Request {
    /// Milliseconds since the epoch: `Date.now()`.
    pub(crate) wall_ms: u64,
    /// Milliseconds on a clock that nobody sets: `performance.now()`.
    pub(crate) mono_ms: u64,
    /// From a secure source: `crypto.getRandomValues`.
    pub(crate) random: [u8; 16],
    pub(crate) input: Input,
}

/// What happened.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Input {
    /// There shall be a session. The first input; nothing happens before `start`.
    New {
        url: String,
        dialect: String,
        /// Decides all jitter; different for each session.
        seed: u64,
        #[serde(default)]
        settings: Settings,
    },
    Start,
    Close,
    Renew,
    NetworkChanged,
    Tick,
    Token {
        ticket: u64,
        token: String,
        expires_in_ms: Option<u64>,
        renew_in_ms: Option<u64>,
    },
    NoToken {
        ticket: u64,
        /// Whether asking again gives the same.
        #[serde(rename = "final")]
        is_final: bool,
    },
    Opened {
        epoch: u64,
        /// `socket.protocol`, empty if there is none.
        protocol: String,
    },
    Ended {
        epoch: u64,
        /// What the close event says: 1006 for all that is no close.
        code: u16,
        reason: String,
    },
    Text {
        epoch: u64,
        text: String,
    },
    Binary {
        epoch: u64,
        bytes: Vec<u8>,
    },
}

/// Settings that differ from the defaults, in milliseconds.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) answer_ms: Option<u64>,
    pub(crate) open_ms: Option<u64>,
    pub(crate) backoff_ms: Option<[u64; 2]>,
    pub(crate) keep_alive_ms: Option<u64>,
}

/// What the module answers.
#[derive(Serialize)]
pub(crate) struct Answer {
    /// What the host must do, in order.
    pub(crate) outputs: Vec<Output>,
    /// After which time to say `tick`, if nothing happens before.
    pub(crate) wait_ms: Option<u64>,
    pub(crate) state: String,
    /// The connection that the user's messages go to.
    pub(crate) live: Option<u64>,
    /// Whether the message that was handed in belongs to the user.
    pub(crate) deliver: bool,
    /// Why the session failed.
    pub(crate) error: Option<String>,
}

/// What the host must do.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Output {
    /// Say `token` or `no_token` with this ticket.
    FetchToken {
        ticket: u64,
        /// Whether it must be another one than the last; otherwise any that is alive will do.
        fresh: bool,
    },
    /// `new WebSocket(url, subprotocols)`; say `opened` and `ended`.
    Open {
        epoch: u64,
        url: String,
        subprotocols: Vec<String>,
    },
    /// Ahead of the user's messages.
    Send {
        epoch: u64,
        text: String,
        binary: bool,
    },
    Close {
        epoch: u64,
    },
    /// Drop it; nothing more is to be said of it.
    Abort {
        epoch: u64,
    },
    /// Tell the observer.
    Event {
        event: Value,
    },
}

/// Milliseconds, rounded up: whoever waits for them is not too early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
