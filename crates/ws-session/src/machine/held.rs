//! A token as the machine keeps it: without its secret, its deadlines on the driver's clocks.

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::fingerprint::Fingerprint;
use auth_core::time::{Deadline, Now};
use auth_core::token::Generation;

use super::{Identity, Ticket, TokenFacts};
use crate::dialect::RenewalTime;

/// A token that was handed out for an attempt or a renewal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// Under which the driver keeps its secret.
    pub(super) ticket: Ticket,
    pub(super) generation: Generation,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) expires: Option<Deadline>,
    renew_at: Option<Deadline>,
    identity: Option<Identity>,
}

impl Held {
    pub(super) fn new(now: Now, ticket: Ticket, facts: TokenFacts) -> Self {
        Self {
            ticket,
            generation: facts.generation,
            fingerprint: facts.fingerprint,
            expires: facts.expires_in.map(|after| now.expiry(after)),
            renew_at: renewal_of(facts.expires_in, facts.renew_in).map(|after| now.expiry(after)),
            identity: facts.identity,
        }
    }

    /// The server said how long the credential is good for: it counts if it is less than what is known, and for [`SHORTEST_TOLD`] at
    /// least. A server that says too little would be brought one credential after the other.
    pub(super) fn limited_to(self, now: Now, life: Option<Duration>) -> Self {
        let Some(life) = life else { return self };
        let life = life.max(SHORTEST_TOLD);
        if self.expires.is_some_and(|expires| expires.remaining(now) <= life) {
            return self;
        }
        let renew_at = renewal_of(Some(life), None).map(|after| now.expiry(after));
        let renew_at = match (self.renew_at, renew_at) {
            (Some(one), Some(other)) => Some(one.earlier(other, now)),
            (one, other) => one.or(other),
        };
        Self { expires: Some(now.expiry(life)), renew_at, ..self }
    }

    /// When to renew on a connection that was just accepted with this, and never at once. A source whose tokens are always
    /// due would be asked, and its tokens presented, in a loop.
    pub(super) fn renewal(&self, now: Now, when: RenewalTime) -> Option<Deadline> {
        let at = match when {
            RenewalTime::Early => self.renew_at,
            RenewalTime::AtExpiry => self.expires,
            RenewalTime::WhenAsked => None,
        };
        let life = self.valid_for(now).unwrap_or(Duration::MAX);
        let soonest = (life / 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
        at.map(|at| if at.remaining(now) < soonest { now.timer(soonest) } else { at })
    }

    pub(super) fn valid_for(&self, now: Now) -> Option<Duration> {
        self.expires.map(|expires| expires.remaining(now))
    }

    pub(super) fn has_expired(&self, now: Now) -> bool {
        self.expires.is_some_and(|expires| expires.passed(now))
    }
}

/// The shortest lifetime that a server is believed. What is renewed at half of a shorter one is sooner a wrong unit.
const SHORTEST_TOLD: Duration = Duration::from_secs(30);

/// A source that knows the lifetime but gives no advice: renew like the default policy does.
fn renewal_of(life: Option<Duration>, advice: Option<Duration>) -> Option<Duration> {
    let usual = |life: Duration| life.saturating_sub((life / 2).min(Duration::from_secs(120)));
    // Advice that comes after the end is none.
    let advice = advice.filter(|advice| life.is_none_or(|life| *advice < life));
    advice.or_else(|| life.map(usual))
}

/// The tokens that were presented, where each serves once: so many of the last.
#[derive(Debug, Default)]
pub(super) struct Spent(VecDeque<Identity>);

impl Spent {
    /// How many are remembered. A token that serves once lives for minutes: an older one is refused by its age.
    const REMEMBERED: usize = 256;

    pub(super) fn spend(&mut self, held: &Held) {
        if self.0.len() == Self::REMEMBERED {
            self.0.pop_front();
        }
        self.0.extend(held.identity);
    }

    /// Whether this one was presented; of one that can't be told from others, who knows?
    pub(super) fn has(&self, facts: &TokenFacts) -> bool {
        facts.identity.is_none_or(|identity| self.0.contains(&identity))
    }
}
