//! A flight: from the wish for a token to the token, by way of the store and of the token endpoint.

use core::time::Duration;

use super::machine::Renewal;
use super::policy::{LOCK_WAIT, STORE_WAIT};
use super::rotation::{Next, is_recent};
use super::settling::Settling;
use super::{Attempt, Output, Record, Ticket};
use crate::observe::{DelayReason, RenewalReason, StoreStep};
use crate::time::{Deadline, Now, Timestamp};
use crate::{AuthEvent, Error, Secret};

/// What is under way.
#[derive(Debug)]
pub(super) enum Flight {
    Idle,
    Flying(Flying),
    /// The flight is over, but the store does not yet hold what it should.
    Settling(Settling),
    /// The last flight failed; nothing is sent before `until`, and callers share its error.
    Paused {
        error: Error,
        until: Deadline,
    },
}

/// A flight under way. It holds the store's lock from `locked` on.
#[derive(Debug)]
pub(super) struct Flying {
    /// Requests sent so far.
    pub(super) attempt: u32,
    /// Tries that failed so far, at the store or at the endpoint; replays of a refresh token are counted apart.
    pub(super) failures: u32,
    pub(super) gives_up: Deadline,
    pub(super) stored: bool,
    /// The record was read without the lock.
    pub(super) looked: bool,
    /// Another process was found to hold the lock; until here it is waited for if the store only spares requests.
    pub(super) busy: Option<Deadline>,
    pub(super) locked: bool,
    /// The record was read under the lock.
    pub(super) read: bool,
    /// The record says that the refresh token to be sent next is about to be sent.
    pub(super) intended: bool,
    /// The record says so of any.
    pub(super) noted: bool,
    /// How long the store took to take that note, until that is told.
    pub(super) noted_in: Option<Duration>,
    /// The record had a newer token than ours.
    pub(super) adopted: bool,
    /// Why the last try failed.
    pub(super) last: Option<Error>,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Waiting { due: Deadline },
    Loading { ticket: Ticket, due: Deadline },
    Locking { ticket: Ticket, due: Deadline },
    Intending { ticket: Ticket, due: Deadline },
    Sent { ticket: Ticket, at: Now, refresh_token: Option<Secret> },
}

/// How a request was sent.
pub(super) struct Departure {
    pub(super) sent: Now,
    /// Under the store's lock.
    pub(super) locked: bool,
    /// With the store's record known.
    pub(super) read: bool,
    /// With a refresh token.
    pub(super) redeems: bool,
}

impl Step {
    pub(super) const fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Waiting { .. } => None,
            Self::Loading { ticket, .. }
            | Self::Locking { ticket, .. }
            | Self::Intending { ticket, .. }
            | Self::Sent { ticket, .. } => Some(*ticket),
        }
    }

    /// When it is over unless something happens; a request has the whole flight.
    pub(super) const fn due(&self) -> Option<Deadline> {
        match self {
            Self::Waiting { due }
            | Self::Loading { due, .. }
            | Self::Locking { due, .. }
            | Self::Intending { due, .. } => Some(*due),
            Self::Sent { .. } => None,
        }
    }
}

impl Flight {
    /// The wall clock was set back by so much.
    pub(super) fn clock_set(&mut self, behind: Duration, expected: Now, now: Now) {
        match self {
            Self::Paused { until, .. } => *until = until.moved(expected, now),
            // The token that is on its way will be counted from here.
            Self::Flying(Flying { step: Step::Sent { at, .. }, .. }) => {
                at.wall =
                    Timestamp::since_epoch(Duration::from_millis(at.wall.as_millis()).saturating_sub(behind));
            }
            Self::Idle | Self::Flying(_) | Self::Settling(_) => {}
        }
    }

    /// How long the store has been busy with what it is asked now; `None` where it is asked nothing.
    pub(super) fn store_took(&self, now: Now) -> Option<Duration> {
        let due = match self {
            Self::Flying(Flying {
                step: Step::Loading { due, .. } | Step::Locking { due, .. } | Step::Intending { due, .. },
                ..
            }) => *due,
            Self::Settling(settling) => settling.write_due()?,
            Self::Idle | Self::Flying(_) | Self::Paused { .. } => return None,
        };
        // Whatever it is asked, it has as long for it.
        let begun = due.moment().elapsed().saturating_sub(STORE_WAIT);
        Some(now.mono.elapsed().saturating_sub(begun))
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Idle => None,
            Self::Flying(Flying { step, gives_up, .. }) => {
                Some(step.due().map_or(*gives_up, |due| due.or(*gives_up)))
            }
            Self::Settling(settling) => settling.deadline(),
            Self::Paused { until, .. } => Some(*until),
        }
    }
}

impl Renewal {
    pub(super) fn begin(&mut self, now: Now, reason: RenewalReason) {
        let valid_for = self.valid_for(now);
        self.tell(AuthEvent::RenewalStarted { reason, valid_for });
        let spaced = self.spaced.take().filter(|_| !self.policy.is_single_use());
        let wait = spaced.map_or(Duration::ZERO, |spaced| spaced.remaining(now));
        self.flight = Flight::Flying(Flying {
            attempt: 0,
            failures: 0,
            gives_up: now.timer(wait.saturating_add(self.policy.flight)),
            // A token for one use without a refresh token leaves nothing to store.
            stored: self.stored && (self.rotation.redeems() || !self.policy.is_single_use()),
            looked: false,
            busy: None,
            locked: false,
            read: false,
            intended: false,
            noted: false,
            noted_in: None,
            adopted: false,
            last: None,
            step: Step::Waiting { due: now.timer(wait) },
        });
        if wait.is_zero() {
            self.proceed(now);
        } else {
            self.tell(AuthEvent::RenewalDelayed { reason: DelayReason::TooSoon, retry_in: wait, valid_for });
        }
    }

    /// Does what time has made due.
    pub(super) fn fly(&mut self, now: Now) {
        match &self.flight {
            Flight::Flying(flying) if flying.gives_up.passed(now) => self.out_of_time(now),
            Flight::Flying(Flying { step, .. }) if step.due().is_some_and(|due| due.passed(now)) => {
                match *step {
                    Step::Waiting { .. } => self.proceed(now),
                    // It has the whole flight.
                    Step::Sent { .. } => {}
                    Step::Loading { ticket, .. } => self.store_hangs(now, ticket, StoreStep::Load),
                    Step::Locking { ticket, .. } => self.store_hangs(now, ticket, StoreStep::Lock),
                    Step::Intending { ticket, .. } => self.store_hangs(now, ticket, StoreStep::SaveIntent),
                }
            }
            Flight::Paused { until, .. } if until.passed(now) => self.flight = Flight::Idle,
            Flight::Settling(_) => self.settle(now),
            Flight::Idle | Flight::Flying(_) | Flight::Paused { .. } => {}
        }
    }

    /// Takes the next step: the store first, then its lock, then what others may have written meanwhile, then a note of
    /// what is about to be sent, and only then the request.
    pub(super) fn proceed(&mut self, now: Now) {
        let Flight::Flying(flying) = &self.flight else { return };
        let Flying { stored, looked, locked, read, intended, .. } = *flying;
        let due = now.timer(STORE_WAIT);
        if stored && (!looked || (locked && !read)) {
            return self.work(|ticket| (Step::Loading { ticket, due }, Output::Load { ticket }));
        }
        if stored && !locked {
            return self.work(|ticket| (Step::Locking { ticket, due }, Output::Lock { ticket }));
        }
        let token_lives = self.living(now).is_some();
        match self.rotation.next(now, &self.policy, token_lives) {
            Next::Redeem(_) if stored && !intended => {
                let record = self.rotation.record(Some(now.wall));
                self.work(|ticket| (Step::Intending { ticket, due }, Output::Save { ticket, record }));
            }
            Next::Redeem(refresh_token) => self.send(now, Some(refresh_token)),
            Next::Anew => self.send(now, None),
            Next::Blocked(error) if token_lives && self.rotation.is_in_doubt() => self.rest(now, error),
            Next::Blocked(error) => self.fail(now, error),
        }
    }

    fn work(&mut self, step: impl FnOnce(Ticket) -> (Step, Output)) {
        let (step, output) = step(self.ticket());
        if let Flight::Flying(flying) = &mut self.flight {
            flying.step = step;
            self.outputs.push_back(output);
        }
    }

    fn send(&mut self, now: Now, refresh_token: Option<Secret>) {
        let server_time = self.server.map(|clock| clock.time(now));
        let ticket = self.ticket();
        let (redeems, valid_for) = (refresh_token.is_some(), self.valid_for(now));
        let Flight::Flying(flying) = &mut self.flight else { return };
        flying.attempt += 1;
        let attempt = flying.attempt;
        let noted = flying.noted_in.take();
        flying.step = Step::Sent { ticket, at: now, refresh_token: refresh_token.clone() };
        self.tell(AuthEvent::TokenRequested { attempt, redeems, noted, valid_for });
        self.outputs.push_back(Output::Fetch {
            ticket,
            attempt: Attempt { server_time, ..Attempt::new(refresh_token) },
        });
    }

    pub(super) fn loaded(&mut self, now: Now, ticket: Ticket, result: Result<Option<Record>, Error>) {
        let Some(flying) = self.flying(ticket) else { return };
        let locked = flying.locked;
        match result {
            Ok(record) => {
                flying.looked = true;
                flying.read = locked;
                let intent = record.as_ref().and_then(|record| record.intent);
                let adopted =
                    self.rotation.read(now, record, locked).is_some_and(|token| self.adopt(now, token));
                // Somebody was about to send the refresh token: if that process has died, nobody else will notice in time.
                let orphaned = if locked {
                    self.rotation.is_replayable(now)
                } else {
                    self.rotation.redeems() && intent.is_some_and(|intent| is_recent(now, intent))
                };
                let Flight::Flying(flying) = &mut self.flight else { return };
                flying.adopted |= adopted;
                let satisfied = flying.adopted && !orphaned;
                if satisfied && self.fresh(now) { self.land() } else { self.proceed(now) }
            }
            // Whether the record can be read is decided under the lock.
            Err(_) if !locked => {
                flying.looked = true;
                self.proceed(now);
            }
            Err(error) => self.store_failed(now, StoreStep::Load, error),
        }
    }

    pub(super) fn locked(&mut self, now: Now, ticket: Ticket, result: Result<bool, Error>) {
        let Some(flying) = self.flying(ticket) else { return };
        match result {
            Ok(true) => {
                flying.locked = true;
                self.proceed(now);
            }
            // Whoever was about to send it is alive.
            Ok(false) if flying.adopted && self.fresh(now) => self.land(),
            Ok(false) => {
                let wait = self.jitter.between(LOCK_WAIT.0, LOCK_WAIT.1);
                let valid_for = self.valid_for(now);
                let Flight::Flying(flying) = &mut self.flight else { return };
                flying.step = Step::Waiting { due: now.timer(wait) };
                // The other one is likely writing what is wanted here.
                flying.looked = false;
                let first = flying.busy.is_none();
                let patience = *flying.busy.get_or_insert_with(|| now.timer(STORE_WAIT));
                if patience.passed(now) && !self.rotation.redeems() {
                    flying.stored = false;
                }
                if first {
                    let reason = DelayReason::StoreLocked;
                    self.tell(AuthEvent::RenewalDelayed { reason, retry_in: wait, valid_for });
                }
            }
            Err(error) => self.store_failed(now, StoreStep::Lock, error),
        }
    }

    pub(super) fn saved(&mut self, now: Now, ticket: Ticket, result: Result<(), Error>) {
        if let Flight::Settling(_) = self.flight {
            return self.settled(now, ticket, result);
        }
        let took = self.flight.store_took(now);
        let Some(flying) = self.flying(ticket) else { return };
        match result {
            Ok(()) => {
                flying.intended = true;
                flying.noted = true;
                flying.noted_in = took;
                self.proceed(now);
            }
            // Nothing is sent that could not be saved afterwards.
            Err(error) => self.store_failed(now, StoreStep::SaveIntent, error),
        }
    }

    /// The flight has its token without a request: another process had obtained one.
    fn land(&mut self) {
        self.unlock();
        self.flight = Flight::Idle;
        self.failed_flights = 0;
        self.changed = true;
    }

    /// Lets go of the lock, if this flight has taken it.
    pub(super) fn unlock(&mut self) {
        if let Flight::Flying(Flying { locked: true, .. }) = self.flight {
            self.outputs.push_back(Output::Unlock);
        }
    }

    /// The flight, if its work has this ticket; a late result is nobody's.
    pub(super) fn flying(&mut self, ticket: Ticket) -> Option<&mut Flying> {
        match &mut self.flight {
            Flight::Flying(flying) if flying.step.ticket() == Some(ticket) => Some(flying),
            Flight::Idle | Flight::Flying(_) | Flight::Settling(_) | Flight::Paused { .. } => None,
        }
    }

    /// How the request of this ticket was sent.
    pub(super) fn departure(&mut self, ticket: Ticket) -> Option<Departure> {
        match self.flying(ticket)? {
            Flying { step: Step::Sent { at, refresh_token, .. }, locked, read, .. } => {
                Some(Departure { sent: *at, locked: *locked, read: *read, redeems: refresh_token.is_some() })
            }
            _ => None,
        }
    }
}
