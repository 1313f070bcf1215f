//! After a flight: saving what it brought, for as long as that takes, under the lock that it took.

use super::flight::Flight;
use super::machine::Renewal;
use super::policy::STORE_WAIT;
use super::{Output, Record, Ticket};
use crate::observe::StoreStep;
use crate::time::{Deadline, Now};
use crate::{AuthEvent, Error, ErrorKind};

/// What the store must hold before the lock is let go.
#[derive(Debug)]
pub(super) struct Settling {
    record: Record,
    purpose: Purpose,
    step: Step,
    failures: u32,
    /// Why the last write failed.
    error: Option<Error>,
    /// How the flight failed, and until when nothing is asked; `None` if it succeeded.
    then: Option<(Error, Deadline)>,
}

/// Why a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It holds the only copy of a refresh token: written again until it is safe.
    RefreshToken,
    /// It spares other processes a request; not worth a second try.
    AccessToken,
    /// It tells other processes that the refresh token was not redeemed; without it they take care, which is safe.
    ClearIntent,
}

#[derive(Debug)]
enum Step {
    Saving { ticket: Ticket, due: Deadline },
    Waiting { due: Deadline },
}

impl Settling {
    pub(super) const fn deadline(&self) -> Option<Deadline> {
        match &self.step {
            Step::Saving { due, .. } | Step::Waiting { due } => Some(*due),
        }
    }

    /// By when the write that is under way must end; `None` where one that failed is waited after.
    pub(super) const fn write_due(&self) -> Option<Deadline> {
        match &self.step {
            Step::Saving { due, .. } => Some(*due),
            Step::Waiting { .. } => None,
        }
    }

    /// Nothing is asked after this for a while, although the flight succeeded.
    pub(super) fn pause_after(&mut self, error: Error, until: Deadline) {
        self.then.get_or_insert((error, until));
    }

    /// What callers without a token are told meanwhile, and until when that holds.
    pub(super) fn failure(&self) -> Option<(&Error, Option<&Deadline>)> {
        match (&self.then, &self.error) {
            (Some((error, until)), _) => Some((error, Some(until))),
            (None, Some(error)) => Some((error, None)),
            (None, None) => None,
        }
    }
}

impl Renewal {
    /// Ends the flight by writing `record`, under the lock that the flight took.
    pub(super) fn save(
        &mut self,
        now: Now,
        record: Record,
        purpose: Purpose,
        then: Option<(Error, Deadline)>,
    ) {
        let ticket = self.ticket();
        self.outputs.push_back(Output::Save { ticket, record: record.clone() });
        let step = Step::Saving { ticket, due: now.timer(STORE_WAIT) };
        self.flight = Flight::Settling(Settling { record, purpose, step, failures: 0, error: None, then });
        self.changed = true;
    }

    /// Tries again when it is time, or gives up on a write that does not end.
    pub(super) fn settle(&mut self, now: Now) {
        let ticket = self.ticket();
        let Flight::Settling(settling) = &mut self.flight else { return };
        match settling.step {
            Step::Waiting { due } if due.passed(now) => {
                settling.step = Step::Saving { ticket, due: now.timer(STORE_WAIT) };
                self.outputs.push_back(Output::Save { ticket, record: settling.record.clone() });
            }
            Step::Saving { ticket, due } if due.passed(now) => {
                self.outputs.push_back(Output::Cancel { ticket });
                self.settled(now, ticket, Err(hung()));
            }
            Step::Saving { .. } | Step::Waiting { .. } => {}
        }
    }

    pub(super) fn settled(&mut self, now: Now, saved: Ticket, result: Result<(), Error>) {
        let (valid_for, took) = (self.valid_for(now), self.flight.store_took(now));
        let Flight::Settling(settling) = &mut self.flight else { return };
        if !matches!(settling.step, Step::Saving { ticket, .. } if ticket == saved) {
            return;
        }
        let purpose = settling.purpose;
        match result {
            Ok(()) => {
                if purpose == Purpose::RefreshToken {
                    let revision = settling.record.revision;
                    self.tell(AuthEvent::RefreshTokenSaved { revision, took });
                }
                self.leave_settling();
            }
            Err(error) => {
                let step = purpose.step();
                let kind = error.kind();
                if purpose == Purpose::RefreshToken {
                    let wait = self.policy.backoff.delay(settling.failures, &mut self.jitter);
                    settling.failures = settling.failures.saturating_add(1);
                    settling.step = Step::Waiting { due: now.timer(wait) };
                    settling.error = Some(error);
                    self.changed = true;
                    self.tell(AuthEvent::StoreFailed { step, kind, took, retry_in: Some(wait), valid_for });
                } else {
                    self.tell(AuthEvent::StoreFailed { step, kind, took, retry_in: None, valid_for });
                    self.leave_settling();
                }
            }
        }
    }

    /// Lets go of the lock; the store holds what it should, or never will.
    fn leave_settling(&mut self) {
        let Flight::Settling(settling) = core::mem::replace(&mut self.flight, Flight::Idle) else { return };
        if let Some((error, until)) = settling.then {
            self.flight = Flight::Paused { error, until };
        }
        self.outputs.push_back(Output::Unlock);
        self.changed = true;
    }

    /// Gives up on saving: the time after the last caller's leave is over.
    pub(super) fn abandon_settling(&mut self, now: Now) {
        let (valid_for, took) = (self.valid_for(now), self.flight.store_took(now));
        let Flight::Settling(settling) = &self.flight else { return };
        let step = settling.purpose.step();
        let kind = settling.error.as_ref().map_or(ErrorKind::StoreFailed, Error::kind);
        if let Step::Saving { ticket, .. } = settling.step {
            self.outputs.push_back(Output::Cancel { ticket });
        }
        self.tell(AuthEvent::StoreFailed { step, kind, took, retry_in: None, valid_for });
        self.leave_settling();
    }
}

impl Purpose {
    const fn step(self) -> StoreStep {
        match self {
            Self::RefreshToken | Self::AccessToken => StoreStep::SaveToken,
            Self::ClearIntent => StoreStep::ClearIntent,
        }
    }
}

/// The store does not end what was asked of it.
pub(super) fn hung() -> Error {
    Error::new(
        ErrorKind::StoreFailed,
        "the store of tokens did not answer in time; see whether its disk hangs",
    )
}
