//! What a log knows of its disk: what failed, when to try again, and what is in no record meanwhile.

use std::io;
use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::time::{Deadline, Now};

use crate::entry::{DropReason, LogStep, TrailEvent};

/// A step that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) step: LogStep,
    pub(super) error: io::Error,
}

impl Fault {
    /// What makes a fault of an error at `step`.
    pub(super) fn at(step: LogStep) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { step, error }
    }

    /// Whether nothing is wrong but that there is no space left.
    pub(super) fn is_full(&self) -> bool {
        is_full(&self.error)
    }

    pub(super) fn event(&self) -> TrailEvent {
        TrailEvent::LogFault { step: self.step, code: self.error.raw_os_error() }
    }

    pub(super) fn reason(&self) -> DropReason {
        if self.is_full() { DropReason::DiskFull } else { DropReason::DiskFailed }
    }
}

/// Whether there is no space left.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Something that does not work, and when it is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    again: Deadline,
    failures: u32,
}

/// After 100 ms, and after twice as long each time, up to 30 s. One disk has one log: no fleet asks it at once.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));

impl Outage {
    /// The outage that begins now, or goes on.
    pub(super) fn after(before: Option<Self>, now: Now) -> Self {
        let failures = before.map_or(0, |outage| outage.failures.saturating_add(1));
        Self { again: now.timer(PAUSES.longest(failures)), failures }
    }

    pub(super) const fn again(&self) -> Deadline {
        self.again
    }

    /// Lets the next try come at once.
    pub(super) fn expire(&mut self, now: Now) {
        self.again = now.timer(Duration::ZERO);
    }
}

/// How many events are in no record, by reason, and are not reported yet.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Gaps {
    queue_full: u64,
    disk_full: u64,
    disk_failed: u64,
}

impl Gaps {
    pub(super) fn add(&mut self, reason: DropReason, count: u64) {
        match reason {
            DropReason::QueueFull => self.queue_full += count,
            DropReason::DiskFull => self.disk_full += count,
            DropReason::DiskFailed => self.disk_failed += count,
        }
    }

    /// How many the disk did not take.
    pub(super) const fn lost(self) -> u64 {
        self.disk_full + self.disk_failed
    }

    pub(super) fn is_empty(self) -> bool {
        self.events().next().is_none()
    }

    /// The records that report them.
    pub(super) fn events(self) -> impl Iterator<Item = TrailEvent> {
        let counts = [
            (self.queue_full, DropReason::QueueFull),
            (self.disk_full, DropReason::DiskFull),
            (self.disk_failed, DropReason::DiskFailed),
        ];
        let some = counts.into_iter().filter(|(count, _)| *count > 0);
        some.map(|(count, reason)| TrailEvent::RecordsDropped { count, reason })
    }
}
