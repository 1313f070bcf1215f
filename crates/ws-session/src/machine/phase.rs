//! Where the machine is, and what it holds there: what a phase needs is in the phase, so that nothing of another is lying about.

use auth_core::Demand;
use auth_core::time::{Deadline, Now};

use super::held::Held;
use super::{Epoch, Ticket};
use crate::Error;
use crate::dialect::Captures;

/// The life of a session.
#[derive(Debug)]
pub(super) enum Life {
    Initialized,
    Running,
    /// The user closed it, and this connection is being closed.
    Closing {
        epoch: Epoch,
        /// When that is over, however slowly the server takes what goes out before.
        until: Deadline,
        goodbye: Goodbye,
        /// Since when it has been on its way in, and what the server has said there: for a farewell to a connection that is not live.
        entered: Now,
        captures: Box<Captures>,
    },
    Closed,
    Failed(Error),
}

/// How far a session is that its user closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goodbye {
    /// The server has yet to let it in, and is told farewell then.
    Awaited,
    /// The farewell is said, and not answered.
    Said,
    /// The close frame is due, or sent.
    Closing,
}

/// The way to the next connection.
#[derive(Debug)]
pub(super) enum Attempt {
    /// None is wanted.
    Idle,
    BackingOff {
        demand: Demand,
        /// The server named the wait.
        advised: bool,
    },
    Fetching {
        ticket: Ticket,
        demand: Demand,
        since: Now,
    },
    /// The old connection must end first.
    Replacing {
        held: Held,
        since: Now,
    },
    Opening {
        epoch: Epoch,
        held: Held,
        since: Now,
        entered: Now,
    },
    LoggingIn {
        epoch: Epoch,
        held: Held,
        since: Now,
        entered: Now,
        /// The next step of the dialect's login.
        step: usize,
        captures: Captures,
    },
}

impl Attempt {
    /// The connection that it makes, once there is one.
    pub(super) const fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Opening { epoch, .. } | Self::LoggingIn { epoch, .. } => Some(*epoch),
            Self::Idle | Self::BackingOff { .. } | Self::Fetching { .. } | Self::Replacing { .. } => None,
        }
    }

    /// The token that it holds.
    pub(super) const fn held(&self) -> Option<&Held> {
        match self {
            Self::Replacing { held, .. } | Self::Opening { held, .. } | Self::LoggingIn { held, .. } => {
                Some(held)
            }
            Self::Idle | Self::BackingOff { .. } | Self::Fetching { .. } => None,
        }
    }
}

/// The connection that serves.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) epoch: Epoch,
    pub(super) held: Held,
    pub(super) captures: Captures,
    pub(super) since: Now,
    /// Since when it has been on the credential that it is on.
    pub(super) credential_since: Now,
    pub(super) renewal: Renewal,
    /// Renewals that failed in a row.
    pub(super) failures: u32,
    /// The server has asked for the next credential, while this one was fresh.
    pub(super) asked: bool,
    /// Until when the source wants to be left alone, if it said so.
    pub(super) spared_until: Option<Deadline>,
    /// Whether anything came since the silence was last looked at.
    pub(super) heard: bool,
    pub(super) silence: Silence,
}

/// How far a renewal in band is.
#[derive(Debug)]
pub(super) enum Renewal {
    /// The timer decides when this is asked for.
    Scheduled {
        demand: Demand,
    },
    Fetching {
        ticket: Ticket,
        demand: Demand,
    },
    Presented {
        next: Held,
        since: Now,
    },
    /// There will be no newer credential: the session ends, for this reason, when the one in use expires.
    Impossible(Error),
}

/// How the silence of a live connection is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing was asked.
    Unasked,
    /// It was asked whether it lives, and must have answered when the timer fires.
    Asked,
    /// It broke half of its promise.
    HalfPromised,
}

/// Whether the session counts as suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspension {
    Not,
    /// It does as soon as it waits: an attempt is under way.
    Due,
    /// It does, and the observer knows.
    Told,
}
