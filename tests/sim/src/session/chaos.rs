//! What goes wrong now and then: the host sleeps, its clock is set, the server restarts, connections break or go silent.

use ws_session::dialect::Failure;

use super::link::Down;
use super::world::{Event, World};
use crate::clock::{HOUR, SECOND};

/// A mishap of the whole world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    Revocation,
    Restart,
    Close,
    Reset,
    HalfOpen,
    Suspend,
    Step,
}

impl World {
    /// Decides what will happen when.
    pub(crate) fn arrange(&mut self) {
        let plan = self.plan.chaos.clone();
        for (mishap, count) in [
            (Mishap::Revocation, plan.revocations),
            (Mishap::Restart, plan.restarts),
            (Mishap::Close, plan.closes),
            (Mishap::Reset, plan.resets),
            (Mishap::HalfOpen, plan.half_open),
            (Mishap::Suspend, plan.suspends),
            (Mishap::Step, plan.steps),
        ] {
            for _ in 0..count {
                let at = self.fate.between(0, self.plan.calm);
                self.schedule(at, Event::Mishap(mishap));
            }
        }
        self.arrange_user();
    }

    pub(crate) fn befall(&mut self, mishap: Mishap) {
        // The last connections are all that there can be.
        let recent = self.links.len().saturating_sub(3)..self.links.len();
        match mishap {
            Mishap::Revocation => {
                if let Some(link) = recent.last() {
                    self.revoke(link);
                }
            }
            Mishap::Restart => {
                self.coverage.saw("server: restarts");
                for link in recent {
                    if self.fate.per_mille(500) {
                        self.reset(link);
                    } else {
                        self.leave(link);
                    }
                }
            }
            Mishap::Close => {
                if let Some(link) = recent.last() {
                    self.kick(link);
                }
            }
            Mishap::Reset => {
                if let Some(link) = recent.last() {
                    self.reset(link);
                }
            }
            Mishap::HalfOpen => {
                if let Some(link) = recent.last() {
                    let direction = self.fate.below(3);
                    self.coverage.saw(match direction {
                        0 => "network: nothing reaches the server",
                        1 => "network: nothing reaches the client",
                        _ => "network: nothing reaches anybody",
                    });
                    self.note(format_args!("network: connection {link} goes silent, {direction}"));
                    let link = &mut self.links[link];
                    link.deaf_up |= direction != 1;
                    link.deaf_down |= direction != 0;
                    link.faulted = true;
                }
            }
            Mishap::Suspend => self.suspend(),
            Mishap::Step => self.step(),
        }
    }

    /// The connection breaks.
    fn reset(&mut self, link: usize) {
        if self.links[link].server.is_none() {
            return;
        }
        self.coverage.saw("network: reset");
        self.links[link].server = None;
        self.links[link].faulted = true;
        self.send_down(link, Down::Gone { failure: Failure::Transport, retry_after: None });
    }

    /// A server that restarts says so.
    fn leave(&mut self, link: usize) {
        if self.links[link].server.is_none() {
            return;
        }
        self.links[link].server = None;
        self.links[link].faulted = true;
        let code = self.fate.pick([Some(1001), Some(1012), None]);
        let failure = Failure::Closed { code, reason: String::new() };
        self.send_down(link, Down::Gone { failure, retry_after: None });
    }

    fn suspend(&mut self) {
        if self.clocks.at < self.clocks.asleep_until {
            return;
        }
        let length = self.fate.spread(5 * SECOND, HOUR).min(self.plan.calm.saturating_sub(self.clocks.at));
        self.coverage.saw("clock: suspend");
        self.note(format_args!("the host sleeps for {} s", length / SECOND));
        self.clocks.suspend(length);
        self.seen.not_before = None;
        self.seen.clocks_disturbed = true;
        // The timer goes on where it stood.
        self.disturb_timer(self.clocks.asleep_until);
    }

    fn step(&mut self) {
        let millis = self.fate.between(1, 3_600_000) as i64;
        let millis = if self.fate.per_mille(500) { -millis } else { millis };
        self.coverage.saw(if millis < 0 { "clock: wall set back" } else { "clock: wall set forward" });
        self.note(format_args!("the wall clock is set by {millis} ms"));
        self.clocks.step(millis);
        self.seen.not_before = None;
        self.seen.clocks_disturbed = true;
        self.disturb_timer(self.clocks.at.max(self.clocks.asleep_until));
    }
}
