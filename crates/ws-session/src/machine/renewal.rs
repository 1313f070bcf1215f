//! Renewing the credential of a live connection: the old one serves until the new one is accepted.

use std::time::Duration;

use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Retry};

use super::phase::{Held, Phase, Renewal};
use super::timers::Timer;
use super::{Output, Session, Ticket, TokenFacts};
use crate::Error;

impl Session {
    pub(super) fn renew(&mut self, now: Now, demand: Demand) {
        let ticket = self.request(demand);
        self.timers.set(Timer::Fetch, Some(now.timer(self.config.fetch)));
        if let Phase::Connected { renewal, .. } = &mut self.phase {
            *renewal = Renewal::Fetching { ticket, demand };
        }
    }

    /// Takes the source's answer to a renewal.
    pub(super) fn renewal_token(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<TokenFacts, auth_core::Error>,
    ) {
        self.timers.set(Timer::Fetch, None);
        let Phase::Connected { renewal, .. } = &mut self.phase else { return };
        let Renewal::Fetching { demand, .. } = *renewal else { return };
        match result {
            Ok(facts) if is_better(&facts, demand) => {
                let next = Held::new(now, facts);
                *renewal = Renewal::Presented { next };
                self.present(now, ticket, next.generation);
            }
            // The source could do no better than the token in use; try again before it expires.
            Ok(_) => self.renew_later(now, "no newer token yet", None),
            Err(error) => match error.retry() {
                Retry::Backoff => self.renew_later(now, "no newer token yet", None),
                Retry::After(advice) => self.renew_later(now, "no newer token yet", Some(advice)),
                Retry::Never | Retry::Reauthorize => {
                    *renewal = Renewal::Impossible(Error::token(error));
                    self.renewal_failed(now, "the source has no newer token for us", None);
                }
            },
        }
    }

    /// Asks for the same again after a while.
    pub(super) fn renew_later(&mut self, now: Now, reason: &'static str, advice: Option<Duration>) {
        let Phase::Connected { renewal, failures, .. } = &mut self.phase else { return };
        let Renewal::Fetching { demand, .. } = *renewal else { return };
        let wait = match advice {
            Some(advice) => self.config.backoff.delay_after(advice, *failures, &mut self.jitter),
            None => self.config.backoff.delay(*failures, &mut self.jitter),
        };
        *failures = failures.saturating_add(1);
        *renewal = Renewal::Scheduled { demand };
        self.timers.set(Timer::Renew, Some(now.timer(wait)));
        self.renewal_failed(now, reason, Some(wait));
    }

    pub(super) fn renewal_failed(&mut self, now: Now, reason: &'static str, retry_in: Option<Duration>) {
        if let Phase::Connected { held, .. } = &self.phase {
            self.outputs.push_back(Output::Event(AuthEvent::RenewalFailed {
                connection: self.epoch.0,
                reason: Label::new(reason),
                retry_in,
                valid_for: held.valid_for(now),
            }));
        }
    }
}

/// Whether a token is worth presenting: alive, and what was asked for. A source that does not number its tokens is
/// believed.
fn is_better(facts: &TokenFacts, demand: Demand) -> bool {
    let alive = !facts.expires_in.is_some_and(|left| left.is_zero());
    alive && (demand.accepts(facts.generation) || facts.generation == Generation::NONE)
}
