//! Where the machine is, and what it holds there.

use std::time::Duration;

use auth_core::Demand;
use auth_core::fingerprint::Fingerprint;
use auth_core::observe::Label;
use auth_core::time::{Deadline, Now};
use auth_core::token::Generation;

use super::{Ticket, TokenFacts};
use crate::Error;

/// Where a session is. What a phase needs is in the phase, so that nothing of another is lying about.
#[derive(Debug)]
pub(super) enum Phase {
    Initialized,
    Fetching { ticket: Ticket, demand: Demand, since: Now },
    Opening { ticket: Ticket, held: Held, since: Now },
    Authenticating { held: Held, since: Now },
    Connected { held: Held, session_id: Option<Label>, renewal: Renewal, failures: u32 },
    BackingOff { demand: Demand },
    Closing,
    Closed,
    Failed(Error),
}

/// How far the renewal of a live connection is.
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
    },
    /// There will be no newer credential: the session ends, for this reason, when the one in use expires.
    Impossible(Error),
}

/// A token as the machine keeps it: deadlines on the driver's clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) generation: Generation,
    pub(super) fingerprint: Option<Fingerprint>,
    renew_at: Option<Deadline>,
    pub(super) expires: Option<Deadline>,
}

impl Held {
    pub(super) fn new(now: Now, facts: TokenFacts) -> Self {
        // A source that knows the lifetime but gives no advice: renew like the default policy does.
        let usual = |life: Duration| life.saturating_sub((life / 2).min(Duration::from_secs(120)));
        let renew_in = facts.renew_in.or_else(|| facts.expires_in.map(usual));
        Self {
            generation: facts.generation,
            fingerprint: facts.fingerprint,
            renew_at: renew_in.map(|after| now.expiry(after)),
            expires: facts.expires_in.map(|after| now.expiry(after)),
        }
    }

    /// When to renew on a connection that was just accepted with this: as the source advises, and never at once. A
    /// source whose tokens are always due would be asked, and its tokens presented, in a loop.
    pub(super) fn renewal(&self, now: Now) -> Option<Deadline> {
        let life = self.valid_for(now).unwrap_or(Duration::MAX);
        let soonest = (life / 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
        self.renew_at.map(|at| if at.remaining(now) < soonest { now.timer(soonest) } else { at })
    }

    pub(super) fn valid_for(&self, now: Now) -> Option<Duration> {
        self.expires.map(|expires| expires.remaining(now))
    }
}
