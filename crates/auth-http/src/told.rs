//! Telling an observer of requests for tokens that no token manager makes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::FailedRequest;
use auth_core::time::{Deadline, Now};
use auth_core::{AuthEvent, Error, Observer};

/// An observer, and how it is told of tokens.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) names: FingerprintKey,
}

impl Told {
    pub(crate) fn new(observer: Arc<dyn Observer>, names: FingerprintKey) -> Self {
        Self { observer, names }
    }

    pub(crate) fn tell(&self, event: &AuthEvent) {
        // Whoever watches must not be able to end what it watches.
        let _ = catch_unwind(AssertUnwindSafe(|| self.observer.observe(event)));
    }
}

/// A request for a token, attempt by attempt.
pub(crate) struct Asking<'a> {
    told: Option<&'a Told>,
    clock: &'a (dyn Fn() -> Now + Send + Sync),
    /// Until when the token in use lives.
    in_use: Option<Deadline>,
    attempt: u32,
    pub(crate) begun: Now,
}

impl<'a> Asking<'a> {
    /// Begins the first attempt.
    pub(crate) fn begin(
        told: Option<&'a Told>,
        clock: &'a (dyn Fn() -> Now + Send + Sync),
        in_use: Option<Deadline>,
    ) -> Self {
        let mut asking = Self { told, clock, in_use, attempt: 0, begun: clock() };
        asking.ask();
        asking
    }

    /// An attempt failed for this reason, and another follows at once.
    pub(crate) fn again(&mut self, error: &Error) {
        self.tell_of(error, Some(Duration::ZERO));
        self.ask();
    }

    /// The last attempt failed.
    pub(crate) fn failed(&self, error: &Error) {
        self.tell_of(error, None);
    }

    fn ask(&mut self) {
        self.attempt += 1;
        self.begun = (self.clock)();
        let (attempt, valid_for) = (self.attempt, self.valid_for(self.begun));
        if let Some(told) = self.told {
            told.tell(&AuthEvent::TokenRequested { attempt, redeems: false, noted: None, valid_for });
        }
    }

    fn tell_of(&self, error: &Error, retry_in: Option<Duration>) {
        let Some(told) = self.told else { return };
        let now = (self.clock)();
        let took = Some(elapsed(self.begun, now));
        let request = FailedRequest { attempt: self.attempt, took, retry_in, valid_for: self.valid_for(now) };
        told.tell(&AuthEvent::of_failure(error, request));
    }

    fn valid_for(&self, now: Now) -> Option<Duration> {
        self.in_use.map(|until| until.remaining(now))
    }
}

/// How long ago something began.
pub(crate) fn elapsed(begun: Now, now: Now) -> Duration {
    now.mono.elapsed().saturating_sub(begun.mono.elapsed())
}
