//! The machine itself: one credential, at most one flight, and a pause after failure.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::policy::{LONGEST_LIFETIME, PAUSE_AFTER_VERDICT, USUAL_LIFETIME};
use super::{Answer, Input, Output, Policy, Ticket};
use crate::backoff::Jitter;
use crate::fingerprint::{Fingerprint, FingerprintKey};
use crate::oauth::TokenResponse;
use crate::scope::Scopes;
use crate::time::{Deadline, Now};
use crate::token::Generation;
use crate::{ApiMisuse, AuthEvent, Demand, Error, ErrorKind, Retry, Secret, Token};

/// Decides when to fetch a token and whom to serve. See the [module](super) for the contract.
#[derive(Debug)]
pub struct Renewal {
    policy: Policy,
    names: FingerprintKey,
    jitter: Jitter,
    credential: Option<Credential>,
    flight: Flight,
    /// Failed flights since the last success; decides how long to pause.
    failed_flights: u32,
    generation: Generation,
    next_ticket: u64,
    outputs: VecDeque<Output>,
}

/// A token as the machine keeps it, with deadlines on its driver's clocks.
#[derive(Debug, Clone)]
pub struct Credential {
    secret: Secret,
    generation: Generation,
    fingerprint: Fingerprint,
    scope: Option<Scopes>,
    renew_at: Deadline,
    expires: Deadline,
    rejected: bool,
}

#[derive(Debug)]
enum Flight {
    Idle,
    /// An attempt is under way, or about to be when `due` has not passed.
    Flying {
        attempt: u32,
        phase: Phase,
        gives_up: Deadline,
    },
    /// The last flight failed; nothing is sent before `until`, and callers share its error.
    Paused {
        error: Error,
        until: Deadline,
    },
}

#[derive(Debug)]
enum Phase {
    Sent { ticket: Ticket, at: Now },
    Waiting { due: Deadline },
}

impl Renewal {
    /// A machine without a token. `names` is the key under which events name tokens; `seed` decides all jitter
    /// and should differ between processes.
    #[must_use]
    pub const fn new(policy: Policy, names: FingerprintKey, seed: u64) -> Self {
        Self {
            policy,
            names,
            jitter: Jitter::seeded(seed),
            credential: None,
            flight: Flight::Idle,
            failed_flights: 0,
            generation: Generation::NONE,
            next_ticket: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), ApiMisuse> {
        if !self.outputs.is_empty() {
            return Err(ApiMisuse::OutputsPending);
        }
        match input {
            Input::Tick => {}
            Input::Demanded(demand) => self.demanded(now, demand),
            Input::Issued { ticket, response } => self.issued(now, ticket, response),
            Input::Failed { ticket, error } => self.failed(now, ticket, error),
        }
        self.advance(now);
        Ok(())
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// What a caller gets whose demand was handled: ask with the time of the input that this answers.
    #[must_use]
    pub fn answer(&self, now: Now, demand: Demand) -> Answer {
        let held = self.credential.as_ref().filter(|credential| credential.serves(now));
        let wanted = held.filter(|credential| demand.accepts(credential.generation));
        match (wanted, &self.flight) {
            (Some(credential), _) => Answer::Serve(credential.token(now)),
            (None, Flight::Flying { .. }) => Answer::Wait,
            (None, Flight::Idle | Flight::Paused { .. }) => match (demand, held) {
                // Better the old token, which is still alive, than none.
                (Demand::NewerThan(_), Some(credential)) => Answer::Serve(credential.token(now)),
                _ => Answer::Fail(self.shared_error(now)),
            },
        }
    }

    /// What callers are told while nothing is under way. The wait that the server named runs from its answer, not from
    /// the call.
    fn shared_error(&self, now: Now) -> Error {
        match &self.flight {
            Flight::Paused { error, until } => match error.retry() {
                Retry::Never | Retry::Reauthorize => error.clone(),
                Retry::Backoff | Retry::After(_) => {
                    error.clone().with_retry(Retry::After(until.remaining(now)))
                }
            },
            Flight::Idle | Flight::Flying { .. } => Error::new(
                ErrorKind::InvalidToken,
                "the newest token is no newer than the one that was refused; the refusal names another source's token",
            ),
        }
    }

    /// The credential that readers may serve without asking, see [`Credential::fresh`].
    #[must_use]
    pub const fn current(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    fn demanded(&mut self, now: Now, demand: Demand) {
        if let Demand::InsteadOf(refused) = demand {
            self.reject(refused);
        }
        let satisfied = self
            .credential
            .as_ref()
            .is_some_and(|credential| credential.fresh(now) && demand.accepts(credential.generation));
        let paused = matches!(&self.flight, Flight::Paused { until, .. } if !until.passed(now));
        if !satisfied && !paused && !matches!(self.flight, Flight::Flying { .. }) {
            let gives_up = now.timer(self.policy.flight);
            self.send(now, 1, gives_up);
        }
    }

    fn reject(&mut self, refused: Generation) {
        let Some(credential) = &mut self.credential else { return };
        if credential.generation == refused && !credential.rejected {
            credential.rejected = true;
            let event =
                AuthEvent::TokenRejected { token: credential.fingerprint, generation: credential.generation };
            self.outputs.extend([Output::Event(event), Output::Changed]);
        }
    }

    fn issued(&mut self, now: Now, answered: Ticket, response: TokenResponse) {
        let Some((attempt, anchor)) = self.flying(answered) else { return };
        let life = lifetime(&response).min(LONGEST_LIFETIME);
        // Counted from the request: the server counts from its answer, which is later.
        let expires = anchor.expiry(life);
        let expires_in = expires.remaining(now);
        if expires_in.is_zero() {
            let error = Error::new(
                ErrorKind::MalformedResponse,
                "the token endpoint issued a token that had already expired; check its clock and its lifetimes",
            )
            .with_retry(Retry::Backoff);
            return self.attempt_failed(now, attempt, error);
        }
        let fingerprint = self.names.fingerprint(&response.access_token);
        if self.credential.as_ref().is_some_and(|held| held.rejected && held.fingerprint == fingerprint) {
            let error = Error::new(
                ErrorKind::InvalidToken,
                "the token endpoint issued the very token that was refused; check what the server has against it",
            )
            .with_retry(Retry::Backoff);
            return self.attempt_failed(now, attempt, error);
        }
        let renew_after = self.policy.renew_after(life, &mut self.jitter);
        self.generation = self.generation.next();
        let credential = Credential {
            fingerprint,
            secret: response.access_token,
            generation: self.generation,
            scope: response.scope,
            renew_at: anchor.expiry(renew_after),
            expires,
            rejected: false,
        };
        let event = AuthEvent::TokenIssued {
            token: credential.fingerprint,
            generation: credential.generation,
            expires_in,
            renews_in: credential.renew_at.remaining(now),
        };
        self.credential = Some(credential);
        self.flight = Flight::Idle;
        self.failed_flights = 0;
        self.outputs.extend([Output::Event(event), Output::Changed]);
    }

    fn failed(&mut self, now: Now, answered: Ticket, error: Error) {
        if let Some((attempt, _)) = self.flying(answered) {
            self.attempt_failed(now, attempt, error);
        }
    }

    /// The attempt that `answered` belongs to, unless it is an old one.
    fn flying(&self, answered: Ticket) -> Option<(u32, Now)> {
        match &self.flight {
            Flight::Flying { attempt, phase: Phase::Sent { ticket, at }, .. } if *ticket == answered => {
                Some((*attempt, *at))
            }
            Flight::Idle | Flight::Flying { .. } | Flight::Paused { .. } => None,
        }
    }

    fn attempt_failed(&mut self, now: Now, attempt: u32, error: Error) {
        let Flight::Flying { gives_up, .. } = self.flight else { return };
        let wait = match error.retry() {
            Retry::Never | Retry::Reauthorize => None,
            Retry::Backoff => Some(self.policy.backoff.delay(attempt - 1, &mut self.jitter)),
            Retry::After(advice) => {
                Some(self.policy.backoff.delay_after(advice, attempt - 1, &mut self.jitter))
            }
        };
        let retry_in = wait.filter(|wait| attempt < self.policy.attempts && *wait <= gives_up.remaining(now));
        self.outputs.push_back(Output::Event(self.failure_event(now, attempt, &error, retry_in)));
        self.flight = match retry_in {
            Some(wait) => {
                let phase = Phase::Waiting { due: now.timer(wait) };
                Flight::Flying { attempt: attempt + 1, phase, gives_up }
            }
            None => {
                let pause = self.pause(now, error.retry());
                Flight::Paused { error, until: now.timer(pause) }
            }
        };
    }

    /// How long nobody asks after a failed flight. While a token is alive and the failure may pass by itself, never more
    /// than a quarter of what is left of it, so that several flights still fit.
    fn pause(&mut self, now: Now, advice: Retry) -> Duration {
        let failures = self.failed_flights;
        self.failed_flights = failures.saturating_add(1);
        let pause = match advice {
            Retry::Never | Retry::Reauthorize => PAUSE_AFTER_VERDICT,
            Retry::Backoff => self.policy.pause.delay(failures, &mut self.jitter),
            Retry::After(advice) => self.policy.pause.delay_after(advice, failures, &mut self.jitter),
        };
        match (advice, self.valid_for(now)) {
            (Retry::Backoff, Some(left)) => pause.min((left / 4).max(Duration::from_millis(100))),
            _ => pause,
        }
    }

    fn failure_event(&self, now: Now, attempt: u32, error: &Error, retry_in: Option<Duration>) -> AuthEvent {
        match (error.kind(), error.retry()) {
            (ErrorKind::RateLimited, advice) => AuthEvent::RateLimited {
                attempt,
                retry_after: if let Retry::After(wait) = advice { Some(wait) } else { None },
                retry_in,
            },
            (kind, _) => AuthEvent::TokenRequestFailed {
                attempt,
                kind,
                code: error.code(),
                retry_in,
                valid_for: self.valid_for(now),
            },
        }
    }

    fn valid_for(&self, now: Now) -> Option<Duration> {
        self.credential.as_ref().filter(|held| held.serves(now)).map(|held| held.expires.remaining(now))
    }

    fn send(&mut self, now: Now, attempt: u32, gives_up: Deadline) {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.flight = Flight::Flying { attempt, phase: Phase::Sent { ticket, at: now }, gives_up };
        self.outputs.extend([Output::Event(AuthEvent::TokenRequested { attempt }), Output::Fetch { ticket }]);
    }

    /// Does what has become due.
    fn advance(&mut self, now: Now) {
        match self.flight {
            Flight::Flying { attempt, phase: Phase::Waiting { due }, gives_up } if due.passed(now) => {
                self.send(now, attempt, gives_up);
            }
            Flight::Paused { until, .. } if until.passed(now) => self.flight = Flight::Idle,
            Flight::Idle | Flight::Flying { .. } | Flight::Paused { .. } => {}
        }
    }

    const fn deadline(&self) -> Option<Deadline> {
        match &self.flight {
            Flight::Flying { phase: Phase::Waiting { due }, .. } => Some(*due),
            Flight::Paused { until, .. } => Some(*until),
            Flight::Flying { phase: Phase::Sent { .. }, .. } | Flight::Idle => None,
        }
    }
}

impl Credential {
    /// Whether the token may be served without asking the machine: alive, not refused, and not yet due for
    /// renewal.
    #[must_use]
    pub fn fresh(&self, now: Now) -> bool {
        self.serves(now) && !self.renew_at.passed(now)
    }

    /// Which token of its source this is.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The token as a caller gets it at `now`.
    #[must_use]
    pub fn token(&self, now: Now) -> Token {
        Token::new(self.secret.clone())
            .with_generation(self.generation)
            .with_fingerprint(self.fingerprint)
            .with_scope(self.scope.clone())
            .with_expires_in(self.expires.remaining(now))
            .with_renew_in(self.renew_at.remaining(now))
    }

    fn serves(&self, now: Now) -> bool {
        !self.rejected && !self.expires.passed(now)
    }
}

/// How long a token lives: as the endpoint says, else as the token says, else an hour.
fn lifetime(response: &TokenResponse) -> Duration {
    response.expires_in.or_else(|| stated_lifetime(&response.access_token)).unwrap_or(USUAL_LIFETIME)
}

fn stated_lifetime(token: &Secret) -> Option<Duration> {
    crate::jwt::read(token.expose()).ok()?.into_inner().lifetime()
}
