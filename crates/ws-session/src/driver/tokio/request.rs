//! Requests and their replies, for whoever asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

use super::queue::Queue;
use crate::driver::Unsent;
use crate::requests::NotPending;

/// Why a request has no reply.
#[non_exhaustive]
pub enum RequestError {
    /// The dialect says nothing of replies, or its messages are not JSON; see [`Dialect::requests`](crate::dialect::Dialect::requests).
    Unsupported,
    /// The request is no JSON object or array, or what stands where its identifier goes is none.
    Unidentifiable,
    /// Another request with the same identifier waits for its reply, or has gone out on a connection that lives: a late reply to it would be
    /// taken for the reply to this.
    SameId,
    /// 256 requests wait for their replies already.
    TooMany,
    /// It was not sent.
    NotSent(Unsent),
    /// The connection ended before the reply: the request may have arrived.
    ConnectionLost,
    /// No reply came in time.
    TimedOut {
        /// Whether the request may have arrived; otherwise it will not be sent any more.
        may_have_arrived: bool,
    },
    /// The server's reply says that the request failed.
    Refused(Box<Value>),
}

impl RequestError {
    /// Whether the request may have arrived at the server.
    #[must_use]
    pub const fn may_have_arrived(&self) -> bool {
        match self {
            Self::ConnectionLost | Self::Refused(_) | Self::NotSent(Unsent::MayHaveArrived) => true,
            Self::TimedOut { may_have_arrived } => *may_have_arrived,
            Self::Unsupported | Self::Unidentifiable | Self::SameId | Self::TooMany | Self::NotSent(_) => {
                false
            }
        }
    }

    /// What the server said, if its reply says that the request failed.
    #[must_use]
    pub const fn reply(&self) -> Option<&Value> {
        match self {
            Self::Refused(reply) => Some(reply),
            _ => None,
        }
    }
}

impl fmt::Debug for RequestError {
    /// Leaves out what the server said.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => formatter.write_str("Unsupported"),
            Self::Unidentifiable => formatter.write_str("Unidentifiable"),
            Self::SameId => formatter.write_str("SameId"),
            Self::TooMany => formatter.write_str("TooMany"),
            Self::NotSent(reason) => formatter.debug_tuple("NotSent").field(reason).finish(),
            Self::ConnectionLost => formatter.write_str("ConnectionLost"),
            Self::TimedOut { may_have_arrived } => {
                formatter.debug_struct("TimedOut").field("may_have_arrived", may_have_arrived).finish()
            }
            Self::Refused(_) => formatter.debug_tuple("Refused").finish_non_exhaustive(),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unsupported => {
                "the dialect says nothing of replies; send a message, or describe them in the dialect"
            }
            Self::Unidentifiable => "the request has no place for its identifier; make it a JSON object",
            Self::SameId => "another request with this identifier may still be answered; give each its own",
            Self::TooMany => "too many requests wait for their replies; ask again when some have come",
            Self::NotSent(Unsent::Ended) => "the session has ended and the request was not sent",
            Self::NotSent(Unsent::QueueFull | Unsent::Dropped) => {
                "too much waits to be sent and the request was not; ask again when some has gone"
            }
            Self::ConnectionLost | Self::NotSent(Unsent::MayHaveArrived) => {
                "the connection ended before the reply; the request may have arrived"
            }
            Self::TimedOut { may_have_arrived: true } => {
                "no reply came in time; the request may have arrived"
            }
            Self::TimedOut { may_have_arrived: false } => {
                "the request could not be sent in time, and will not be; look at the session's state"
            }
            Self::Refused(_) => "the server's reply says that the request failed; look at the reply",
        })
    }
}

impl std::error::Error for RequestError {}

impl From<NotPending> for RequestError {
    fn from(reason: NotPending) -> Self {
        match reason {
            NotPending::TooMany => Self::TooMany,
            NotPending::SameId => Self::SameId,
        }
    }
}

/// How far a request is: whoever is first decides whether it goes out.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

const WAITS: u8 = 0;
const HANDED_OVER: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Progress {
    /// It goes out now; false when nobody wants that any more.
    pub(super) fn hand_over(&self) -> bool {
        self.leave(HANDED_OVER)
    }

    /// Nobody wants it sent any more, and it has not gone out.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.load(Ordering::Acquire) == GIVEN_UP
    }

    fn leave(&self, to: u8) -> bool {
        self.0.compare_exchange(WAITS, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Whoever waits for a reply. Dropping it gives up the request, unless it has gone out.
pub(super) struct Waiting<'a> {
    pub(super) progress: Arc<Progress>,
    /// Where it waits, before it goes out.
    pub(super) queue: &'a Queue,
}

impl Waiting<'_> {
    /// Gives up. Says whether the request may have arrived.
    pub(super) fn give_up(&self) -> bool {
        // The other one is the request's own.
        if self.progress.leave(GIVEN_UP) && Arc::strong_count(&self.progress) > 1 {
            self.queue.given_up();
        }
        self.progress.0.load(Ordering::Acquire) == HANDED_OVER
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}
