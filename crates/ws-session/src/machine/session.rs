//! The machine itself.

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::backoff::Jitter;
use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::token::Generation;
use auth_core::{ApiMisuse, AuthEvent, Demand, Retry};
use serde_json::Value;

use super::phase::{Held, Phase, Renewal};
use super::timers::{Timer, Timers};
use super::{Config, Epoch, Input, Output, Received, State, Ticket, TokenFacts};
use crate::dialect::{Acceptance, Dialect, Disposition, Failure, Reconnection, classify};
use crate::{Error, ErrorKind};

/// One session: at most one connection at a time, and whatever it takes to keep one. See the
/// [module](super) for the contract.
#[derive(Debug)]
pub struct Session {
    pub(super) dialect: Dialect,
    pub(super) config: Config,
    pub(super) jitter: Jitter,
    pub(super) phase: Phase,
    pub(super) timers: Timers,
    /// Failures since a connection was last stable; decides the backoff.
    pub(super) failures: u32,
    /// A fresh credential was already tried since a connection was last stable: a refusal is now fatal.
    pub(super) tried_fresh: bool,
    /// An upgrade was already refused since a connection was last stable: another refusal is now fatal.
    pub(super) tried_upgrade: bool,
    /// The newest credential that a server has seen.
    pub(super) presented: Option<Generation>,
    pub(super) epoch: Epoch,
    pub(super) next_ticket: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl Session {
    /// A session that has not begun. `seed` decides all jitter and should differ between sessions.
    #[must_use]
    pub fn new(dialect: Dialect, config: Config, seed: u64) -> Self {
        Self {
            dialect,
            config,
            jitter: Jitter::seeded(seed),
            phase: Phase::Initialized,
            timers: Timers::default(),
            failures: 0,
            tried_fresh: false,
            tried_upgrade: false,
            presented: None,
            epoch: Epoch::default(),
            next_ticket: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Initialized => State::Initialized,
            Phase::Fetching { .. } | Phase::Opening { .. } | Phase::Authenticating { .. } => {
                State::Connecting
            }
            Phase::Connected { .. } => State::Connected,
            Phase::BackingOff { .. } => State::Disconnected,
            Phase::Closing => State::Closing,
            Phase::Closed => State::Closed,
            Phase::Failed(_) => State::Failed,
        }
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Takes an input.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), ApiMisuse> {
        self.drained()?;
        match input {
            Input::Start => {
                if matches!(self.phase, Phase::Initialized) {
                    self.fetch(now, Demand::Current);
                }
            }
            Input::Close => self.close(now),
            Input::Tick => {}
            Input::Token { ticket, result } => self.token(now, ticket, result),
            Input::Opened { epoch } => self.opened(now, epoch),
            Input::Ended { epoch, failure, retry_after } => {
                if epoch == self.epoch {
                    self.ended(now, failure, retry_after);
                }
            }
        }
        self.advance(now);
        Ok(())
    }

    /// Takes a text message of the connection `epoch`.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub fn receive(&mut self, now: Now, epoch: Epoch, text: &str) -> Result<Received, ApiMisuse> {
        self.drained()?;
        if epoch != self.epoch {
            return Ok(Received::Consumed);
        }
        match &self.phase {
            Phase::Authenticating { .. } | Phase::Connected { renewal: Renewal::Presented { .. }, .. } => {}
            // Only an awaited answer is parsed: the user's messages pass untouched.
            Phase::Connected { .. } => return Ok(Received::Deliver),
            _ => return Ok(Received::Consumed),
        }
        let Acceptance::Message { accepted, refused, session_id } = &self.dialect.acceptance;
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let named = message.get(session_id).and_then(Value::as_str).map(Label::new);
        if accepted.matches(&message) {
            self.accepted(now, named);
        } else if refused.matches(&message) {
            self.refused(now);
        } else if matches!(self.phase, Phase::Connected { .. }) {
            return Ok(Received::Deliver);
        }
        Ok(Received::Consumed)
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub fn poll(&mut self, now: Now) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.timers.next(now)))
    }

    /// Whether [`poll`](Self::poll) would answer [`Output::Wait`]: nothing that was taken asks for anything.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.outputs.is_empty()
    }

    fn drained(&self) -> Result<(), ApiMisuse> {
        if self.outputs.is_empty() { Ok(()) } else { Err(ApiMisuse::OutputsPending) }
    }

    // Connecting.

    fn fetch(&mut self, now: Now, demand: Demand) {
        let ticket = self.request(demand);
        self.timers.set(Timer::Fetch, Some(now.timer(self.config.fetch)));
        self.phase = Phase::Fetching { ticket, demand, since: now };
    }

    pub(super) fn request(&mut self, demand: Demand) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.outputs.push_back(Output::FetchToken { ticket, demand });
        ticket
    }

    fn token(&mut self, now: Now, answered: Ticket, result: Result<TokenFacts, auth_core::Error>) {
        // Before anything is opened: a bound token must not be shown to whoever would take it for a bearer token.
        let result = result.and_then(TokenFacts::presentable);
        match (&mut self.phase, result) {
            (Phase::Fetching { ticket, since, .. }, Ok(facts)) if *ticket == answered => {
                let since = *since;
                self.timers.set(Timer::Fetch, None);
                self.phase = Phase::Opening { ticket: answered, held: Held::new(now, facts), since };
                self.epoch = Epoch(self.epoch.0 + 1);
                self.timers.set(Timer::Open, Some(now.timer(self.config.open)));
                let event = AuthEvent::Connecting { connection: self.epoch.0, failures: self.failures };
                self.outputs.extend([Output::Event(event), Output::Open { epoch: self.epoch }]);
            }
            (Phase::Fetching { ticket, demand, .. }, Err(error)) if *ticket == answered => {
                let demand = *demand;
                let retry_after = match error.retry() {
                    Retry::Never | Retry::Reauthorize => return self.fail(Error::token(error)),
                    Retry::Backoff => None,
                    Retry::After(wait) => Some(wait),
                };
                self.delay(now, &error.to_string(), demand, retry_after);
            }
            (Phase::Connected { renewal, .. }, result) => {
                if matches!(renewal, Renewal::Fetching { ticket, .. } if *ticket == answered) {
                    self.renewal_token(now, answered, result);
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, now: Now, epoch: Epoch) {
        if epoch != self.epoch {
            return;
        }
        if let Phase::Opening { ticket, held, since } = self.phase {
            self.timers.set(Timer::Open, None);
            if held.expires.is_some_and(|expires| expires.passed(now)) {
                return self.abandon(now, "the credential expired while the connection was being opened");
            }
            self.phase = Phase::Authenticating { held, since };
            self.present(now, ticket, held.generation);
        }
    }

    pub(super) fn present(&mut self, now: Now, ticket: Ticket, generation: Generation) {
        self.presented = self.presented.max(Some(generation));
        self.timers.set(Timer::Answer, Some(now.timer(self.config.answer)));
        self.outputs.push_back(Output::Present { epoch: self.epoch, ticket });
    }

    fn accepted(&mut self, now: Now, named: Option<Label>) {
        self.timers.set(Timer::Answer, None);
        match &mut self.phase {
            Phase::Authenticating { held, since } => {
                let (held, since) = (*held, *since);
                self.outputs.push_back(Output::Event(AuthEvent::Authenticated {
                    connection: self.epoch.0,
                    token: held.fingerprint,
                    session_id: named.clone(),
                    latency: now.mono.elapsed().saturating_sub(since.mono.elapsed()),
                }));
                self.live(now, held, named);
            }
            Phase::Connected { renewal: Renewal::Presented { next }, session_id, .. } => {
                let (held, session_id) = (*next, named.or_else(|| session_id.take()));
                self.outputs.push_back(Output::Event(AuthEvent::TokenRenewed {
                    connection: self.epoch.0,
                    token: held.fingerprint,
                    session_id: session_id.clone(),
                    in_band: true,
                }));
                self.live(now, held, session_id);
            }
            _ => {}
        }
    }

    fn live(&mut self, now: Now, held: Held, session_id: Option<Label>) {
        // Armed once: renewals that come faster must not put it off for ever.
        self.timers.arm(Timer::Stable, now.timer(self.config.stable));
        self.timers.set(Timer::Renew, held.renewal(now));
        self.timers.set(Timer::Expiry, held.expires);
        let renewal = Renewal::Scheduled { demand: Demand::NewerThan(held.generation) };
        self.phase = Phase::Connected { held, session_id, renewal, failures: 0 };
    }

    fn refused(&mut self, now: Now) {
        self.timers.set(Timer::Answer, None);
        match &mut self.phase {
            Phase::Connected { renewal, .. } => {
                // The old credential still serves; the refused one is replaced once.
                let Renewal::Presented { next } = renewal else { return };
                let refused = next.generation;
                let reason = "the server refused the new credential";
                if std::mem::replace(&mut self.tried_fresh, true) {
                    let text = "the server refused to renew, with a fresh credential too";
                    *renewal = Renewal::Impossible(Error::new(ErrorKind::AuthenticationRefused, None, text));
                    return self.renewal_failed(now, reason, None);
                }
                self.renewal_failed(now, reason, Some(Duration::ZERO));
                self.renew(now, Demand::InsteadOf(refused));
            }
            _ => {
                self.outputs.push_back(Output::Abort { epoch: self.epoch });
                self.retry(now, "the server refused the credential", None, classify(Failure::Refused), None);
            }
        }
    }

    // Ending.

    fn ended(&mut self, now: Now, failure: Failure, retry_after: Option<Duration>) {
        match self.phase {
            Phase::Closing => self.closed(),
            Phase::Opening { .. } | Phase::Authenticating { .. } | Phase::Connected { .. } => {
                let (reason, code) = describe(failure);
                self.retry(now, reason, code, classify(failure), retry_after);
            }
            _ => {}
        }
    }

    /// Ends the attempt, and with it the session if that is the verdict; else waits for the next one.
    fn retry(
        &mut self,
        now: Now,
        reason: &'static str,
        code: Option<u16>,
        disposition: Disposition,
        retry_after: Option<Duration>,
    ) {
        // In an upgrade no credential was presented, so that none is to blame: one more attempt, with any.
        // Later it is the one that the connection is on: a renewal that was not answered was not judged.
        let (tried, blamed) = match &self.phase {
            Phase::Authenticating { held, .. } | Phase::Connected { held, .. } => {
                (&mut self.tried_fresh, Some(held.generation))
            }
            _ => (&mut self.tried_upgrade, None),
        };
        let verdict = match disposition {
            Disposition::Fatal => Some((
                ErrorKind::ConnectionRefused,
                "the server refuses this connection; check its URL and its configuration",
            )),
            Disposition::RetryWithFreshToken if std::mem::replace(tried, true) => Some(match blamed {
                Some(_) => (
                    ErrorKind::AuthenticationRefused,
                    "the server refused a fresh credential too; check what the credential may do",
                ),
                None => (
                    ErrorKind::ConnectionRefused,
                    "the server refuses this connection before any credential; check its URL, and who may reach it",
                ),
            }),
            Disposition::Retry | Disposition::RetryWithFreshToken => None,
        };
        if let Some((kind, text)) = verdict {
            self.lost(reason, code, None);
            return self.fail(Error::new(kind, code, text));
        }
        let demand = match (disposition, blamed, self.presented) {
            (Disposition::RetryWithFreshToken, Some(refused), _) => Demand::InsteadOf(refused),
            (_, _, Some(seen)) => {
                let Reconnection::Fresh = self.dialect.reconnection;
                Demand::NewerThan(seen)
            }
            (_, _, None) => Demand::Current,
        };
        let wait = self.back_off(now, demand, retry_after);
        self.lost(reason, code, Some(wait));
    }

    /// Waits before the next request for a token.
    fn delay(&mut self, now: Now, reason: &str, demand: Demand, retry_after: Option<Duration>) {
        let retry_in = self.back_off(now, demand, retry_after);
        let (reason, failures) = (Label::new(reason), self.failures);
        self.outputs.push_back(Output::Event(AuthEvent::ConnectionDelayed { reason, failures, retry_in }));
    }

    fn back_off(&mut self, now: Now, demand: Demand, retry_after: Option<Duration>) -> Duration {
        self.timers.clear();
        let backoff = self.config.backoff;
        let wait = match retry_after {
            Some(advice) => backoff.delay_after(advice, self.failures, &mut self.jitter),
            None => backoff.delay(self.failures, &mut self.jitter),
        };
        self.failures = self.failures.saturating_add(1);
        self.timers.set(Timer::Backoff, Some(now.timer(wait)));
        self.phase = Phase::BackingOff { demand };
        wait
    }

    fn lost(&mut self, reason: &'static str, code: Option<u16>, retry_in: Option<Duration>) {
        let (connection, reason) = (self.epoch.0, Label::new(reason));
        self.outputs.push_back(Output::Event(AuthEvent::ConnectionLost {
            connection,
            reason,
            code,
            retry_in,
        }));
    }

    fn fail(&mut self, error: Error) {
        self.timers.clear();
        let reason = match error.token_error() {
            Some(cause) => Label::new(&cause.to_string()),
            None => Label::new(&error.to_string()),
        };
        self.outputs.push_back(Output::Event(AuthEvent::SessionFailed { reason, code: error.code() }));
        self.phase = Phase::Failed(error);
    }

    fn close(&mut self, now: Now) {
        let epoch = self.epoch;
        match self.phase {
            Phase::Authenticating { .. } | Phase::Connected { .. } => {
                self.timers.clear();
                self.timers.set(Timer::Close, Some(now.timer(self.config.close)));
                self.phase = Phase::Closing;
                self.outputs.push_back(Output::Close { epoch });
            }
            Phase::Opening { .. } => {
                self.outputs.push_back(Output::Abort { epoch });
                self.closed();
            }
            Phase::Initialized | Phase::Fetching { .. } | Phase::BackingOff { .. } => self.closed(),
            Phase::Closing | Phase::Closed | Phase::Failed(_) => {}
        }
    }

    fn closed(&mut self) {
        self.timers.clear();
        self.phase = Phase::Closed;
        self.outputs.push_back(Output::Event(AuthEvent::SessionClosed));
    }

    // Time.

    fn advance(&mut self, now: Now) {
        while let Some(timer) = self.timers.take_passed(now) {
            self.expired(now, timer);
        }
    }

    fn expired(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Fetch => {
                let reason = "the source handed out no token in time";
                match self.phase {
                    Phase::Fetching { demand, .. } => self.delay(now, reason, demand, None),
                    Phase::Connected { .. } => self.renew_later(now, reason, None),
                    _ => {}
                }
            }
            Timer::Open => self.abandon(now, "the connection was not opened in time"),
            Timer::Answer => self.abandon(now, "the server did not answer the credential in time"),
            Timer::Expiry => {
                if let Phase::Connected { renewal: Renewal::Impossible(error), .. } = &self.phase {
                    let error = error.clone();
                    self.outputs.push_back(Output::Abort { epoch: self.epoch });
                    self.lost("the credential expired and there is no newer one", None, None);
                    return self.fail(error);
                }
                self.abandon(now, "the credential expired before it could be renewed");
            }
            Timer::Renew => {
                if let Phase::Connected { renewal: Renewal::Scheduled { demand }, .. } = self.phase {
                    self.renew(now, demand);
                }
            }
            Timer::Stable => {
                self.failures = 0;
                self.tried_fresh = false;
                self.tried_upgrade = false;
            }
            Timer::Backoff => {
                if let Phase::BackingOff { demand } = self.phase {
                    self.fetch(now, demand);
                }
            }
            Timer::Close => {
                self.outputs.push_back(Output::Abort { epoch: self.epoch });
                self.closed();
            }
        }
    }

    /// Drops a connection that is of no more use, and goes for another.
    fn abandon(&mut self, now: Now, reason: &'static str) {
        self.outputs.push_back(Output::Abort { epoch: self.epoch });
        self.retry(now, reason, None, classify(Failure::Timeout), None);
    }
}

fn describe(failure: Failure) -> (&'static str, Option<u16>) {
    match failure {
        Failure::Status(status) => ("the server refused the upgrade", Some(status)),
        Failure::Closed(code) => ("the server closed the connection", code),
        Failure::Refused => ("the server refused the credential", None),
        Failure::Timeout => ("no answer came in time", None),
        Failure::Transport => ("the connection broke", None),
        Failure::Protocol => ("the server does not speak WebSocket", None),
        Failure::TooLarge => ("a message was larger than we read", None),
        Failure::Untrusted => ("the server's certificate is not to be trusted", None),
    }
}
