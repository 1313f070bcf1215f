//! Renewing the credential of a live connection: the old one serves until the new one is accepted.

use std::time::Duration;

use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Retry};

use super::held::Held;
use super::over::Over;
use super::phase::{Attempt, Life, Live, Renewal};
use super::timers::Timer;
use super::{DialectMessage, Epoch, Output, Session, Ticket, TokenFacts};
use crate::dialect::{self, Disposition, Verdict};
use crate::{Error, ErrorKind};

impl Session {
    /// The credential of the live connection should be renewed, by whichever way the dialect has.
    pub(super) fn renewal_due(&mut self, now: Now) {
        let Some(Live { renewal: Renewal::Scheduled { demand }, .. }) = self.live else { return };
        if matches!(self.dialect.renewal, dialect::Renewal::InBand { .. }) {
            self.renew(now, demand);
        } else if matches!(self.attempt, Attempt::Idle) {
            self.fetch(now, demand);
        }
    }

    /// The user, or the server, wants a fresh credential now.
    pub(super) fn renew_now(&mut self, now: Now) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        match (&mut self.live, &self.attempt) {
            (Some(live), attempt) => {
                if live.spared_until.is_some_and(|until| !until.passed(now)) {
                    return;
                }
                // Somebody may have changed what made it impossible.
                if matches!(live.renewal, Renewal::Impossible(_)) {
                    let newer = Demand::NewerThan(live.held.generation);
                    let demand = self.refused.map_or(newer, Demand::InsteadOf);
                    live.renewal = Renewal::Scheduled { demand };
                }
                if matches!(attempt, Attempt::Idle) {
                    self.renewal_due(now);
                } else if let Attempt::BackingOff { demand, advised: false } = *attempt {
                    self.fetch(now, demand);
                }
            }
            (None, Attempt::BackingOff { demand, advised: false }) => {
                let demand = self.unpresented(*demand);
                self.fetch(now, demand);
            }
            (None, _) => {}
        }
    }

    /// The user wants this credential, or a newer one, on the connection.
    pub(super) fn present(&mut self, now: Now, wanted: Generation) {
        let will_do = |held: &Held| held.generation >= wanted;
        let under_way = self.attempt.held().is_some_and(will_do);
        if !matches!(self.life, Life::Running) || self.live.as_ref().is_some_and(|live| will_do(&live.held)) {
            return;
        }
        self.wanted = self.wanted.max(wanted);
        let in_band = matches!(self.dialect.renewal, dialect::Renewal::InBand { .. });
        match &self.live {
            Some(live) if in_band => {
                let newer = Demand::NewerThan(live.held.generation);
                if !matches!(live.renewal, Renewal::Presented { .. }) {
                    self.renew(now, self.refused.map_or(newer, Demand::InsteadOf));
                }
            }
            _ if under_way || matches!(self.attempt, Attempt::BackingOff { advised: true, .. }) => {}
            _ => {
                if let Some(epoch) = self.attempt.epoch() {
                    self.outputs.push_back(Output::Abort { epoch });
                    let over = Over::unanswered("a newer credential takes the place of its own");
                    self.lost(epoch, over, Some(Duration::ZERO));
                }
                self.end_attempt();
                self.fetch(now, self.next_demand());
            }
        }
    }

    /// The server accepted a credential: one that the user wants more follows.
    pub(super) fn follow_up(&mut self, now: Now) {
        if self.generation() < Some(std::mem::take(&mut self.wanted)) {
            self.renewal_due(now);
        }
    }

    /// The demand for a credential that no server has seen, where one has seen any.
    fn unpresented(&self, demand: Demand) -> Demand {
        match (demand, self.presented) {
            (Demand::Current, Some(seen)) => Demand::NewerThan(seen),
            _ => demand,
        }
    }

    /// Whether a renewal by reconnecting may make the new connection before it closes the old one.
    pub(super) fn may_overlap(&self) -> bool {
        self.config.overlap
            && matches!(self.dialect.renewal, dialect::Renewal::Reconnect { overlap: true, .. })
    }

    /// Asks the source for the token of a renewal in band.
    pub(super) fn renew(&mut self, now: Now, demand: Demand) {
        let ticket = self.request(demand);
        self.timers.set(Timer::Renew, None);
        self.timers.set(Timer::RenewalFetch, Some(now.timer(self.config.fetch)));
        if let Some(live) = &mut self.live {
            live.renewal = Renewal::Fetching { ticket, demand };
        }
    }

    /// Whether this is the ticket of a renewal in band.
    pub(super) fn is_renewal(&self, answered: Ticket) -> bool {
        matches!(&self.live, Some(Live { renewal: Renewal::Fetching { ticket, .. }, .. }) if *ticket == answered)
    }

    /// Takes the source's answer to a renewal in band.
    pub(super) fn renewal_token(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<TokenFacts, auth_core::Error>,
    ) {
        let Some(Live { epoch, renewal: Renewal::Fetching { demand, .. }, .. }) = self.live else { return };
        self.timers.set(Timer::RenewalFetch, None);
        let result = result.and_then(|facts| {
            facts.presentable().inspect_err(|_| self.outputs.push_back(Output::Forget { ticket }))
        });
        let unusable = result.as_ref().ok().and_then(|facts| self.unusable(facts, demand));
        match result {
            Ok(facts) if unusable.is_none() && facts.is_better_than(demand) => {
                let next = Held::new(now, ticket, facts);
                if let Some(live) = &mut self.live {
                    live.renewal = Renewal::Presented { next, since: now };
                }
                self.note_presented(&next);
                let message = DialectMessage::Renewal;
                self.outputs.push_back(Output::Send { epoch, message, ticket: Some(ticket) });
                match &self.dialect.renewal {
                    dialect::Renewal::InBand { accepted, .. } if accepted.is_empty() => {
                        self.renewed(now, None)
                    }
                    _ => self.timers.set(Timer::RenewalAnswer, Some(now.timer(self.answer_timeout()))),
                }
            }
            // The source could do no better than the token in use; try again before it expires.
            Ok(_) => {
                self.forget(ticket);
                self.renew_later(now, unusable.unwrap_or("no newer token yet"), None);
            }
            Err(error) => match error.retry() {
                Retry::Backoff => self.renew_later(now, "no newer token yet", None),
                Retry::After(advice) => self.renew_later(now, "no newer token yet", Some(advice)),
                Retry::Never | Retry::Reauthorize => {
                    self.renewal_is_impossible(now, Error::token(error));
                }
            },
        }
    }

    /// The server accepted the fresh credential, and may have said how long it is good for.
    pub(super) fn renewed(&mut self, now: Now, expires_in: Option<Duration>) {
        let Some(live) = &mut self.live else { return };
        let Renewal::Presented { next, .. } = &live.renewal else { return };
        let held = next.limited_to(now, expires_in);
        live.held = held;
        live.credential_since = now;
        live.failures = 0;
        live.asked = false;
        live.renewal = Renewal::Scheduled { demand: Demand::NewerThan(held.generation) };
        let (connection, session_id) = (live.epoch.0, live.captures.session_id().cloned());
        self.timers.set(Timer::RenewalAnswer, None);
        // Armed once: renewals that come faster must not put it off for ever.
        self.timers.arm(Timer::Stable, now.timer(self.config.stable));
        self.schedule(now, held);
        self.outputs.push_back(Output::Event(AuthEvent::TokenRenewed {
            connection,
            token: held.fingerprint,
            session_id,
            in_band: true,
        }));
        self.forget(held.ticket);
        self.follow_up(now);
    }

    /// The server refused the fresh credential in a message. The old one still serves.
    pub(super) fn renewal_refused(&mut self, now: Now, verdict: Verdict) {
        let Some(live) = &mut self.live else { return };
        let Renewal::Presented { next, .. } = live.renewal else { return };
        self.timers.set(Timer::RenewalAnswer, None);
        self.forget(next.ticket);
        let refused = next.generation;
        let reason = "the server refused the new credential";
        let disposition = verdict.disposition();
        if matches!(disposition, Disposition::RetryWithFreshToken | Disposition::Fatal) {
            self.refused = self.refused.max(Some(refused));
        }
        match disposition {
            Disposition::RetryWithFreshToken if !self.tried_fresh => {
                self.tried_fresh = true;
                self.renewal_failed(now, reason, Some(Duration::ZERO));
                self.renew(now, Demand::InsteadOf(refused));
            }
            Disposition::RetryWithFreshToken | Disposition::Fatal => {
                let text = "the server refused to renew, with a fresh credential too";
                let kind = match verdict {
                    Verdict::Forbidden => ErrorKind::Forbidden,
                    _ => ErrorKind::AuthenticationRefused,
                };
                self.renewal_is_impossible(now, Error::new(kind, None, text));
            }
            Disposition::Retry | Disposition::RetryNow => {
                self.renew_again(now, "the server could not renew", None)
            }
            Disposition::RetrySlowly => {
                let wait = self.config.backoff.pause(u32::MAX, &mut self.jitter);
                self.renew_again(now, "the server is too busy to renew", Some(wait));
            }
        }
    }

    /// A renewal that was under way came to nothing, and nothing is said against its credential.
    fn renew_again(&mut self, now: Now, reason: &str, advice: Option<Duration>) {
        if let Some(live) = &mut self.live {
            let demand = Demand::NewerThan(live.held.generation);
            live.renewal = Renewal::Fetching { ticket: Ticket(0), demand };
        }
        self.renew_later(now, reason, advice);
    }

    /// A message of the dialect's could not be built: the credential can't stand in it, or what goes into it is not known.
    pub(super) fn unplaceable(&mut self, now: Now, epoch: Epoch, message: DialectMessage) {
        if message == DialectMessage::Farewell {
            self.leave_without_a_word(epoch);
        } else if self.live() == Some(epoch) {
            // A reply that can't be built is not sent; what the server makes of that, it will say.
            if let (DialectMessage::Renewal, Some(Live { renewal: Renewal::Presented { next, .. }, .. })) =
                (message, &self.live)
            {
                let ticket = next.ticket;
                self.timers.set(Timer::RenewalAnswer, None);
                self.forget(ticket);
                self.renew_again(now, "the fresh credential can't stand where the dialect wants it", None);
            }
        } else if self.attempt.epoch() == Some(epoch) {
            self.outputs.push_back(Output::Abort { epoch });
            self.ended(now, epoch, &dialect::Failure::Unplaceable, None);
        }
    }

    /// There will be no fresh credential. The one in use serves until it expires; where nothing expires, nothing ends.
    pub(super) fn renewal_is_impossible(&mut self, now: Now, error: Error) {
        let reason = match error.token_error() {
            Some(_) => "the source has no newer token for us",
            None => "the server refused the new credential",
        };
        if let Some(live) = &mut self.live {
            live.renewal = Renewal::Impossible(error);
        }
        self.timers.set(Timer::Renew, None);
        self.renewal_failed(now, reason, None);
    }

    /// Asks for the same again after a while.
    pub(super) fn renew_later(&mut self, now: Now, reason: &str, advice: Option<Duration>) {
        let Some(live) = &mut self.live else { return };
        let Renewal::Fetching { demand, .. } = live.renewal else { return };
        let failures = live.failures;
        let wait = self.delay_for(failures, advice);
        let Some(live) = &mut self.live else { return };
        live.failures = failures.saturating_add(1);
        live.renewal = Renewal::Scheduled { demand };
        // A source's advice is over after a sleep of that length too.
        live.spared_until = advice.map(|_| now.expiry(wait));
        let due = live.spared_until.unwrap_or_else(|| now.timer(wait));
        self.timers.set(Timer::RenewalFetch, None);
        self.timers.set(Timer::Renew, Some(due));
        self.renewal_failed(now, reason, Some(wait));
    }

    pub(super) fn renewal_failed(&mut self, now: Now, reason: &str, retry_in: Option<Duration>) {
        if let Some(live) = &self.live {
            self.outputs.push_back(Output::Event(AuthEvent::RenewalFailed {
                connection: live.epoch.0,
                reason: Label::new(reason),
                retry_in,
                valid_for: live.held.valid_for(now),
            }));
        }
    }
}

impl TokenFacts {
    /// Whether a token is worth presenting in the place of the one in use: alive, and what was asked for. A source that does not
    /// number its tokens is believed.
    pub(super) fn is_better_than(&self, demand: Demand) -> bool {
        let alive = !self.expires_in.is_some_and(|left| left.is_zero());
        alive && (demand.accepts(self.generation) || !self.is_numbered())
    }

    /// Whether its source numbers its tokens.
    pub(super) fn is_numbered(&self) -> bool {
        self.generation != Generation::NONE
    }
}
