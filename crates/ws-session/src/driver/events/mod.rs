//! What a session tells of itself, in the words of whoever uses it.
//!
//! Both these events and those of an [`Observer`](auth_core::Observer) come from the machine's, in their order: nothing else decides what
//! happened. An observer is told of credentials and connections, for an audit; these tell where the session stands, for whoever waits for it.

mod channel;
mod narrator;

use std::fmt;
use std::time::Duration;

use auth_core::observe::Label;

pub use self::channel::Events;
pub(super) use self::channel::{Publisher, Subscribing};
pub(super) use self::narrator::Narrator;
use crate::Error;
use crate::machine::State;

/// What happened to a session. Holds no secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The session stands elsewhere now; also the first event of each channel, which says where it stands then.
    State {
        /// Where.
        state: State,
        /// Why, where something had to happen.
        reason: Option<Label>,
        /// Which attempt to connect this is, or will be, from 1: those before it failed since a connection was last stable.
        attempt: u32,
        /// The wait before it, where the session waits.
        retry_in: Option<Duration>,
    },
    /// The server accepted the credential of a connection.
    Authenticated {
        /// The session's name at the server, where it told one.
        session_id: Option<Label>,
        /// From the decision to connect to the acceptance.
        latency: Duration,
        /// Whether the server took up the session of the connection before, where the dialect tells.
        resumed: Option<bool>,
    },
    /// The server accepted a fresh credential, on a connection that lived.
    Renewed {
        /// Whether it went over that connection, rather than over a new one that took its place.
        in_band: bool,
        /// How long it is good for, where that is known.
        valid_for: Option<Duration>,
    },
    /// A renewal failed; the connection goes on with what it has.
    RenewalFailed {
        /// Why.
        reason: Label,
        /// The wait before the next; `None` when there will be none.
        retry_in: Option<Duration>,
        /// How long the credential in use is still good.
        valid_for: Option<Duration>,
    },
    /// A connection, or the attempt to make one, ended without our asking.
    Closed {
        /// The close code, the HTTP status of a refused upgrade, or the number in the server's last message.
        code: Option<u16>,
        /// Why.
        reason: Label,
        /// The wait before the next attempt; `None` when there will be none.
        retry_in: Option<Duration>,
    },
    /// The session gave up for good.
    Failed {
        /// Why.
        error: Error,
    },
    /// Events were dropped here, because nobody took them in time.
    Missed {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for State {
    /// As scripts read it: `connecting`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Initialized => "initialized",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
        })
    }
}
