//! The end: nobody comes for a token any more, and nothing may be lost.

use core::time::Duration;

use super::Output;
use super::flight::{Flight, Step};
use super::machine::Renewal;
use super::policy::LAST_SAVES;
use super::settling::Purpose;
use crate::time::{Deadline, Now};
use crate::{Error, ErrorKind};

/// Whether callers may still come.
#[derive(Debug)]
pub(super) enum Life {
    Open,
    /// What would be lost is still saved, until this.
    ShuttingDown {
        until: Deadline,
    },
    Over,
}

impl Renewal {
    pub(super) fn shut_down(&mut self, now: Now) {
        if matches!(self.life, Life::Open) {
            for (caller, _) in self.callers.take() {
                self.outputs.push_back(Output::Fail { caller, error: closed() });
            }
            self.leave_flight(now);
            // What is left of a flight, however its next step ends, and then time to save what it brought.
            let flight = match &self.flight {
                Flight::Flying(flying) => flying.gives_up.remaining(now),
                Flight::Idle | Flight::Settling(_) | Flight::Paused { .. } => Duration::ZERO,
            };
            self.life = Life::ShuttingDown { until: now.timer(flight.saturating_add(LAST_SAVES)) };
        }
    }

    /// Once nothing is left that could be lost, or no more time for it, the machine is done.
    pub(super) fn end_if_settled(&mut self, now: Now) {
        let Life::ShuttingDown { until } = self.life else { return };
        match self.flight {
            Flight::Flying(_) => return,
            Flight::Settling(_) if !until.passed(now) => return,
            Flight::Settling(_) => self.abandon_settling(now),
            Flight::Idle | Flight::Paused { .. } => {}
        }
        self.life = Life::Over;
    }

    /// Nobody will come for a token any more: what is under way is given up, except where that could lose one.
    pub(super) fn leave_flight(&mut self, now: Now) {
        let Flight::Flying(flying) = &self.flight else { return };
        let redeeming = matches!(flying.step, Step::Sent { refresh_token: Some(_), .. });
        if redeeming || (self.rotation.is_in_doubt() && flying.attempt > 0) {
            return;
        }
        self.outputs.extend(flying.step.ticket().map(|ticket| Output::Cancel { ticket }));
        if flying.noted && !self.rotation.is_in_doubt() {
            let record = self.rotation.record(None);
            self.save(now, record, Purpose::ClearIntent, Some((closed(), now.timer(Duration::ZERO))));
        } else {
            self.unlock();
            self.flight = Flight::Idle;
        }
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the source of tokens is shutting down; it takes no more callers")
}
