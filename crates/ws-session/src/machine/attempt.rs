//! The way to a connection: a token, the upgrade, the login.

use auth_core::time::Now;
use auth_core::{AuthEvent, Demand, Retry};

use super::held::Held;
use super::phase::{Attempt, Life};
use super::timers::Timer;
use super::{DialectMessage, Epoch, Output, Session, Ticket, TokenFacts};
use crate::Error;
use crate::dialect::{Acceptance, CredentialUse, Trigger};

/// How long a server may take to answer a credential, where neither the configuration nor the dialect says: the figure of the
/// Genesys document.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(10);

impl Session {
    pub(super) fn fetch(&mut self, now: Now, demand: Demand) {
        let ticket = self.request(demand);
        self.timers.set(Timer::Backoff, None);
        self.timers.set(Timer::Fetch, Some(now.timer(self.config.fetch)));
        self.attempt = Attempt::Fetching { ticket, demand, since: now };
    }

    pub(super) fn request(&mut self, demand: Demand) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.outputs.push_back(Output::FetchToken { ticket, demand });
        ticket
    }

    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.outputs.push_back(Output::Forget { ticket });
    }

    pub(super) fn token(&mut self, now: Now, answered: Ticket, result: Result<TokenFacts, auth_core::Error>) {
        if self.is_renewal(answered) && matches!(self.life, Life::Running) {
            return self.renewal_token(now, answered, result);
        }
        match (&self.attempt, result) {
            (Attempt::Fetching { ticket, demand, since }, Ok(facts)) if *ticket == answered => {
                let (demand, since) = (*demand, *since);
                self.timers.set(Timer::Fetch, None);
                self.attempt_token(now, answered, facts, demand, since);
            }
            (Attempt::Fetching { ticket, demand, .. }, Err(error)) if *ticket == answered => {
                let demand = *demand;
                self.no_token(now, demand, error);
            }
            // A token that nobody waits for any more.
            (_, Ok(_)) => self.forget(answered),
            (_, Err(_)) => {}
        }
    }

    fn attempt_token(&mut self, now: Now, ticket: Ticket, facts: TokenFacts, demand: Demand, since: Now) {
        // Before anything is opened: a bound token must not be shown to whoever would take it for a bearer token.
        let facts = match facts.presentable() {
            Ok(facts) => facts,
            Err(error) => {
                self.forget(ticket);
                return self.no_token(now, demand, error);
            }
        };
        if let Some(reason) = self.unusable(&facts, demand) {
            self.forget(ticket);
            return self.delay(now, reason, demand, None);
        }
        if self.live.is_some() && !facts.is_better_than(demand) {
            self.forget(ticket);
            return self.delay(now, "the source has no newer token yet", demand, None);
        }
        let held = Held::new(now, ticket, facts);
        match self.live.as_ref().map(|live| live.epoch) {
            Some(epoch) if !self.may_overlap() => {
                let stable = self.timers.get(Timer::Stable);
                self.drop_live();
                self.timers.set(Timer::Stable, stable);
                self.timers.arm(Timer::Suspend, now.timer(self.suspended_after()));
                self.retire(now, epoch);
                self.attempt = Attempt::Replacing { held, since };
            }
            _ => self.open(now, held, since),
        }
    }

    /// Why this token can't be presented, if it can't.
    pub(super) fn unusable(&self, facts: &TokenFacts, demand: Demand) -> Option<&'static str> {
        if facts.expires_in.is_some_and(|left| left.is_zero()) {
            return Some("the source handed out a token that has expired");
        }
        if self.dialect.credential_use == CredentialUse::Once && self.spent.has(facts) {
            return Some("the source handed out a token that was presented before and serves once");
        }
        // A source that does not number its tokens is believed: the server's second refusal ends the session.
        let refused = matches!(demand, Demand::InsteadOf(_)) && !demand.accepts(facts.generation);
        let refused = refused && facts.is_numbered();
        refused.then_some("the source handed out the token that was refused")
    }

    /// The source has no token for an attempt.
    fn no_token(&mut self, now: Now, demand: Demand, error: auth_core::Error) {
        self.timers.set(Timer::Fetch, None);
        let retry_after = match error.retry() {
            Retry::Never | Retry::Reauthorize => return self.attempt_is_hopeless(now, Error::token(error)),
            Retry::Backoff => None,
            Retry::After(wait) => Some(wait),
        };
        self.delay(now, &error.to_string(), demand, retry_after);
    }

    pub(super) fn no_token_in_time(&mut self, now: Now) {
        if let Attempt::Fetching { demand, .. } = self.attempt {
            self.delay(now, "the source handed out no token in time", demand, None);
        }
    }

    pub(super) fn open(&mut self, now: Now, held: Held, since: Now) {
        self.epoch = Epoch(self.epoch.0 + 1);
        let epoch = self.epoch;
        if self.dialect.presents_in_upgrade() {
            self.note_presented(&held);
        }
        self.attempt = Attempt::Opening { epoch, held, since, entered: now };
        let in_time = now.timer(self.config.open);
        // A credential that goes out with the upgrade must not do so once it has expired, however long the network takes.
        let expires = held.expires.filter(|_| self.dialect.presents_in_upgrade());
        self.timers.set(Timer::Open, Some(expires.map_or(in_time, |expires| in_time.or(expires))));
        let event = AuthEvent::Connecting { connection: epoch.0, failures: self.failures };
        self.outputs.extend([Output::Event(event), Output::Open { epoch, ticket: held.ticket }]);
    }

    /// By when an attempt must be opened: for drivers that dial where no tick of the machine reaches them.
    #[cfg(feature = "blocking")]
    pub(crate) fn open_deadline(&self) -> Option<auth_core::time::Deadline> {
        self.timers.get(Timer::Open)
    }

    pub(super) fn note_presented(&mut self, held: &Held) {
        self.refused = None;
        self.presented = self.presented.max(Some(held.generation));
        if self.dialect.credential_use == CredentialUse::Once {
            self.spent.spend(held);
        }
    }

    pub(super) fn opened(&mut self, now: Now, opened: Epoch) {
        let Attempt::Opening { epoch, held, since, .. } = self.attempt else {
            return self.opened_too_late(now, opened);
        };
        if epoch != opened || !matches!(self.life, Life::Running) {
            return;
        }
        self.timers.set(Timer::Open, None);
        if held.has_expired(now) && !self.dialect.login.is_empty() {
            return self.abandon_attempt(now, "the credential expired while the connection was being opened");
        }
        let captures = self.following();
        self.attempt = Attempt::LoggingIn { epoch, held, since, entered: now, step: 0, captures };
        self.timers.set(Timer::Answer, Some(now.timer(self.answer_timeout())));
        self.take_open_steps(now);
        if matches!(self.dialect.acceptance, Acceptance::Upgrade) {
            self.accepted(now);
        }
    }

    pub(super) fn answer_timeout(&self) -> std::time::Duration {
        let within = match self.dialect.acceptance {
            Acceptance::Message { within, .. } => within,
            Acceptance::Upgrade => None,
        };
        self.config.answer.or(within).unwrap_or(ANSWER)
    }

    /// Sends the steps of the login that wait for nothing.
    pub(super) fn take_open_steps(&mut self, now: Now) {
        while let Attempt::LoggingIn { step, .. } = self.attempt
            && self.dialect.login.get(step).is_some_and(|step| step.on == Trigger::Open)
        {
            self.take_step(now, step);
        }
    }

    /// Sends a step of the login.
    pub(super) fn take_step(&mut self, now: Now, index: usize) {
        let Attempt::LoggingIn { epoch, held, ref mut step, .. } = self.attempt else { return };
        *step = index + 1;
        let presents = self.dialect.step_presents(index);
        if presents && held.has_expired(now) {
            return self.abandon_attempt(now, "the credential expired before the server asked for it");
        }
        if presents {
            self.note_presented(&held);
        }
        let message = DialectMessage::Step(index);
        self.outputs.push_back(Output::Send { epoch, message, ticket: Some(held.ticket) });
    }
}
