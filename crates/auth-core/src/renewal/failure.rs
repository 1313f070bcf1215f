//! What follows when a flight does not go well: another try, a replay, a refusal, or a pause for everybody.

use core::time::Duration;

use super::ending::Life;
use super::flight::{Flight, Flying, Step};
use super::machine::Renewal;
use super::policy::{PAUSE_AFTER_VERDICT, SHORTEST_PAUSE};
use super::settling::{Purpose, hung};
use super::{Output, Ticket};
use crate::observe::{FailedRequest, StoreStep};
use crate::time::{Deadline, Now};
use crate::{AuthEvent, Error, ErrorKind, Retry, Secret};

impl Renewal {
    pub(super) fn failed(&mut self, now: Now, ticket: Ticket, error: Error) {
        let Some(Flying { step: Step::Sent { at, refresh_token, .. }, .. }) = self.flying(ticket) else {
            return;
        };
        let (at, refresh_token) = (*at, refresh_token.take());
        match refresh_token {
            Some(_) if error.is_in_doubt() => self.lost(now, at, error),
            Some(refresh_token) if error.kind() == ErrorKind::InvalidGrant => {
                self.refused(now, at, refresh_token, error);
            }
            None if error.retry() == Retry::Reauthorize => {
                self.rotation.anew_refused();
                self.attempt_failed(now, at, error);
            }
            Some(_) | None => self.attempt_failed(now, at, error),
        }
    }

    /// The answer to a refresh token was lost.
    fn lost(&mut self, now: Now, sent: Now, error: Error) {
        let wait = self.rotation.lost(now, sent, &error).filter(|wait| self.fits(now, *wait));
        let valid_for = self.valid_for(now);
        self.tell_of_failure(now, sent, &error, wait);
        self.tell(AuthEvent::RefreshInDoubt { kind: error.kind(), retry_in: wait, valid_for });
        self.wait_or_fail(now, wait, error);
    }

    /// A refresh token was refused. Another process may have a newer one; else it is time to log in.
    fn refused(&mut self, now: Now, sent: Now, refresh_token: Secret, error: Error) {
        let token = self.names.fingerprint(&refresh_token);
        let valid_for = self.valid_for(now);
        self.tell_of_failure(now, sent, &error, None);
        self.tell(AuthEvent::RefreshTokenRefused { token, valid_for });
        self.rotation.refused(refresh_token, error.clone());
        let attempts = self.policy.attempts;
        let Flight::Flying(flying) = &mut self.flight else { return };
        flying.read = false;
        flying.intended = false;
        flying.failures += 1;
        if flying.failures > attempts || !matches!(self.life, Life::Open) {
            self.fail(now, error);
        } else {
            self.proceed(now);
        }
    }

    /// An access to the store that does not end is given up, and counts as failed.
    pub(super) fn store_hangs(&mut self, now: Now, ticket: Ticket, step: StoreStep) {
        self.outputs.push_back(Output::Cancel { ticket });
        self.store_failed(now, step, hung());
    }

    pub(super) fn store_failed(&mut self, now: Now, step: StoreStep, error: Error) {
        let (valid_for, took) = (self.valid_for(now), self.flight.store_took(now));
        let kind = error.kind();
        if !self.rotation.redeems()
            && let Flight::Flying(flying) = &mut self.flight
        {
            // It would have spared a request, no more.
            flying.stored = false;
            self.tell(AuthEvent::StoreFailed { step, kind, took, retry_in: None, valid_for });
            return self.proceed(now);
        }
        if step == StoreStep::Load && error.retry() == Retry::Never {
            self.rotation.unreadable(error.clone());
        }
        let retry_in = self.retry(now, &error);
        self.tell(AuthEvent::StoreFailed { step, kind, took, retry_in, valid_for });
        self.wait_or_fail(now, retry_in, error);
    }

    pub(super) fn attempt_failed(&mut self, now: Now, sent: Now, error: Error) {
        let retry_in = self.retry(now, &error);
        self.tell_of_failure(now, sent, &error, retry_in);
        self.wait_or_fail(now, retry_in, error);
    }

    fn wait_or_fail(&mut self, now: Now, wait: Option<Duration>, error: Error) {
        let Some(wait) = wait else { return self.fail(now, error) };
        if let Flight::Flying(flying) = &mut self.flight {
            flying.step = Step::Waiting { due: now.timer(wait) };
        }
    }

    /// The wait before this flight's next try; `None` if there is none.
    fn retry(&mut self, now: Now, error: &Error) -> Option<Duration> {
        let Flight::Flying(flying) = &mut self.flight else { return None };
        let failures = flying.failures;
        flying.failures += 1;
        flying.last = Some(error.clone());
        let wait = match error.retry() {
            Retry::Never | Retry::Reauthorize => return None,
            Retry::Backoff => self.policy.backoff.delay(failures, &mut self.jitter),
            Retry::After(advice) => self.policy.backoff.delay_after(advice, failures, &mut self.jitter),
        };
        let goes_on = flying.failures < self.policy.attempts && matches!(self.life, Life::Open);
        Some(wait).filter(|wait| goes_on && self.fits(now, *wait))
    }

    fn fits(&self, now: Now, wait: Duration) -> bool {
        matches!(&self.flight, Flight::Flying(flying) if wait < flying.gives_up.remaining(now))
    }

    pub(super) fn out_of_time(&mut self, now: Now) {
        let Flight::Flying(flying) = &mut self.flight else { return };
        let step = core::mem::replace(&mut flying.step, Step::Waiting { due: flying.gives_up });
        let last = flying.last.take();
        if let Some(ticket) = step.ticket() {
            self.outputs.push_back(Output::Cancel { ticket });
        }
        match step {
            Step::Sent { at, refresh_token: Some(_), .. } => self.lost(now, at, late()),
            Step::Sent { at, refresh_token: None, .. } => self.attempt_failed(now, at, late()),
            Step::Loading { .. } | Step::Locking { .. } | Step::Intending { .. } => {
                self.fail(now, hung());
            }
            Step::Waiting { .. } => {
                let error = last.unwrap_or_else(|| {
                    Error::new(
                        ErrorKind::StoreFailed,
                        "another process keeps the lock of the token store; see what it waits for",
                    )
                });
                self.fail(now, error);
            }
        }
    }

    /// The flight fails, and everybody who waits for it.
    pub(super) fn fail(&mut self, now: Now, error: Error) {
        let until = self.pause_after_failure(now, &error);
        let Flight::Flying(flying) = &self.flight else { return };
        if flying.noted && !self.rotation.is_in_doubt() {
            let record = self.rotation.record(None);
            return self.save(now, record, Purpose::ClearIntent, Some((error, until)));
        }
        self.unlock();
        self.flight = Flight::Paused { error, until };
        self.changed = true;
    }

    /// The refresh token is in doubt, and there is a living token to lose: nothing is tried before the end of that.
    pub(super) fn rest(&mut self, now: Now, error: Error) {
        let Some(until) = self.living(now).map(|held| held.shared.expires) else {
            return self.fail(now, error);
        };
        let retry_in = until.remaining(now);
        let failures = self.failed_flights;
        self.tell(AuthEvent::RenewalPaused {
            kind: error.kind(),
            failures,
            retry_in,
            valid_for: Some(retry_in),
        });
        self.unlock();
        self.flight = Flight::Paused { error, until };
        self.changed = true;
    }

    /// A token that had replaced a refused one was refused at once: another would be, too.
    pub(super) fn refused_at_once(&mut self, now: Now) {
        if !matches!(self.flight, Flight::Idle | Flight::Settling(_)) {
            return;
        }
        let error = Error::new(
            ErrorKind::InvalidToken,
            "a fresh token was refused at once; check what the server has against it: audience, permissions, clock",
        )
        .with_retry(Retry::Backoff);
        let until = self.pause(now, self.fresh_refusals, &error);
        match &mut self.flight {
            // It is still being saved; the pause follows.
            Flight::Settling(settling) => settling.pause_after(error, until),
            _ => self.flight = Flight::Paused { error, until },
        }
    }

    /// Until when nobody asks after one more failed flight.
    pub(super) fn pause_after_failure(&mut self, now: Now, error: &Error) -> Deadline {
        let failures = self.failed_flights;
        self.failed_flights = failures.saturating_add(1);
        self.pause(now, failures, error)
    }

    /// How long nobody asks after a failed flight. While a token is alive and the failure may pass by itself, never more
    /// than a quarter of what is left of it, so that several flights still fit.
    pub(super) fn pause(&mut self, now: Now, failures: u32, error: &Error) -> Deadline {
        let pause = match error.retry() {
            Retry::Never | Retry::Reauthorize => PAUSE_AFTER_VERDICT,
            Retry::Backoff => self.policy.pause.pause(failures, &mut self.jitter),
            Retry::After(advice) => self.policy.pause.pause_after(advice, failures, &mut self.jitter),
        };
        let valid_for = self.valid_for(now);
        let pause = match (error.retry(), valid_for) {
            (Retry::Backoff, Some(left)) => pause.min((left / 4).max(SHORTEST_PAUSE)),
            _ => pause,
        };
        self.tell(AuthEvent::RenewalPaused {
            kind: error.kind(),
            failures: failures.saturating_add(1),
            retry_in: pause,
            valid_for,
        });
        now.timer(pause)
    }

    /// What callers without a token are told while nothing is under way that could help them. The wait that the server
    /// named runs from its answer, not from the call.
    pub(super) fn stalled(&self, now: Now) -> Option<Error> {
        let (error, until) = match &self.flight {
            Flight::Paused { error, until } => (error, Some(until)),
            Flight::Settling(settling) => settling.failure()?,
            Flight::Idle | Flight::Flying(_) => return None,
        };
        Some(match (error.retry(), until) {
            (Retry::Backoff | Retry::After(_), Some(until)) => {
                error.clone().with_retry(Retry::After(until.remaining(now)))
            }
            _ => error.clone(),
        })
    }

    fn tell_of_failure(&mut self, now: Now, sent: Now, error: &Error, retry_in: Option<Duration>) {
        let Flight::Flying(Flying { attempt, .. }) = self.flight else { return };
        let valid_for = self.valid_for(now);
        let took = Some(now.mono.elapsed().saturating_sub(sent.mono.elapsed()));
        let request = FailedRequest { attempt, took, retry_in, valid_for };
        self.tell(AuthEvent::of_failure(error, request));
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "the token endpoint did not answer in time; it may recover")
}
