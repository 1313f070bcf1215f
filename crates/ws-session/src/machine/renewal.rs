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
    pub(super) fn renew(&mut self, demand: Demand) {
        let ticket = self.request(demand);
        if let Phase::Connected { renewal, .. } = &mut self.phase {
            *renewal = Renewal::Fetching { ticket };
        }
    }

    pub(super) fn renewal_token(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<TokenFacts, auth_core::Error>,
    ) {
        let Phase::Connected { held, renewal, failures, .. } = &mut self.phase else { return };
        let wait = match result {
            Ok(facts)
                if !facts.expires_in.is_some_and(|left| left.is_zero())
                    && (facts.generation > held.generation || facts.generation == Generation::NONE) =>
            {
                let next = Held::new(now, facts);
                *renewal = Renewal::Presented { next };
                return self.present(now, ticket, next.generation);
            }
            // The source could do no better than the token in use; try again before it expires.
            Ok(_) => self.config.backoff.delay(*failures, &mut self.jitter),
            Err(error) => match error.retry() {
                Retry::Backoff => self.config.backoff.delay(*failures, &mut self.jitter),
                Retry::After(wait) => self.config.backoff.delay_after(wait, *failures, &mut self.jitter),
                Retry::Never | Retry::Reauthorize => {
                    *renewal = Renewal::Impossible(Error::token(error));
                    return self.renewal_failed(now, "the source has no newer token for us", None);
                }
            },
        };
        *failures = failures.saturating_add(1);
        *renewal = Renewal::Scheduled;
        self.timers.set(Timer::Renew, Some(now.timer(wait)));
        self.renewal_failed(now, "no newer token yet", Some(wait));
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
