//! What became of the events of a trail, and of those that are in no record by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Summary;
use super::queue::{Queue, QueueCounts};
use crate::entry::{DropReason, Event, TrailEvent};
use crate::log::{Fate, Item, Mode};

/// The queue of a trail, and what became of the events that were taken from it.
pub(crate) struct Accounts {
    pub(super) queue: Queue,
    recorded: AtomicU64,
    /// The disk was full.
    disk_full: AtomicU64,
    /// The disk failed, or the writer.
    failed: AtomicU64,
    /// By the place of their mode: what was recorded of what was taken from the queue, and what was lost.
    by_mode: [Share; 3],
}

/// What became of the events of one mode.
#[derive(Debug, Default)]
struct Share {
    recorded: AtomicU64,
    lost: AtomicU64,
}

impl Accounts {
    pub(super) fn new(queue: Queue) -> Self {
        let (recorded, disk_full, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { queue, recorded, disk_full, failed, by_mode: Default::default() }
    }

    /// Counts what became of items that were taken from the queue.
    pub(super) fn settle(&self, items: &[Item]) {
        let (mut recorded, mut disk_full, mut failed) = ([0; 3], [0; 3], [0; 3]);
        for item in items.iter().filter(|item| matches!(item.event, Event::Auth(_))) {
            let counts = match item.fate {
                Fate::Recorded(_) => &mut recorded,
                Fate::Lost(DropReason::DiskFull) => &mut disk_full,
                Fate::Lost(_) | Fate::Waiting => &mut failed,
            };
            counts[item.mode.place()] += 1;
        }
        for (place, share) in self.by_mode.iter().enumerate() {
            share.recorded.fetch_add(recorded[place], Ordering::Relaxed);
            share.lost.fetch_add(disk_full[place] + failed[place], Ordering::Relaxed);
        }
        let [recorded, disk_full, failed] = [recorded, disk_full, failed].map(|counts| counts.iter().sum());
        self.recorded.fetch_add(recorded, Ordering::Relaxed);
        self.disk_full.fetch_add(disk_full, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Release);
    }

    /// Counts events as failed whose writer has panicked.
    pub(super) fn fail(&self, count: u64) {
        self.failed.fetch_add(count, Ordering::Release);
    }

    pub(crate) fn summary(&self) -> Summary {
        // In this order: what is written was observed before.
        let written = self.recorded.load(Ordering::Acquire);
        let disk_full = self.disk_full.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        Self::summed_up(written, disk_full, failed, self.queue.counts())
    }

    fn summed_up(written: u64, disk_full: u64, failed: u64, queue: QueueCounts) -> Summary {
        let dropped = queue.dropped() + disk_full;
        let queued = queue.observed - written - dropped - failed;
        Summary { observed: queue.observed, written, dropped, failed, queued }
    }

    /// What the last record of the trail says, once nothing is queued any more.
    pub(super) fn closed(&self) -> TrailEvent {
        // Once, since some may still be dropped for coming too late.
        let queue = self.queue.counts();
        let [recorded, disk_full, failed] =
            [&self.recorded, &self.disk_full, &self.failed].map(|count| count.load(Ordering::Acquire));
        let Summary { observed, written, dropped, .. } = Self::summed_up(recorded, disk_full, failed, queue);
        let [best_effort, durable, strict] = [Mode::BestEffort, Mode::Durable, Mode::Strict].map(|mode| {
            let Share { recorded, lost } = &self.by_mode[mode.place()];
            let lost = lost.load(Ordering::Relaxed) + queue.by_mode[mode.place()];
            (recorded.load(Ordering::Relaxed), lost)
        });
        TrailEvent::TrailClosed {
            observed,
            written,
            dropped,
            failed,
            best_effort_written: best_effort.0,
            best_effort_lost: best_effort.1,
            durable_written: durable.0,
            durable_lost: durable.1,
            strict_written: strict.0,
            strict_lost: strict.1,
        }
    }

    /// How many events are in no record, by reason.
    pub(crate) fn lost(&self) -> [(&'static str, u64); 4] {
        let queue = self.queue.counts();
        [
            ("queue_full", queue.full),
            ("closed", queue.closed),
            ("disk_full", self.disk_full.load(Ordering::Relaxed)),
            ("disk_failed", self.failed.load(Ordering::Relaxed)),
        ]
    }
}
