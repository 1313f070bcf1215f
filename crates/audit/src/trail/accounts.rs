//! What became of the events of a trail, and of those that are in no record by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Summary;
use super::queue::Queue;

/// The queue of a trail, and what became of the events that were taken from it.
pub(crate) struct Accounts {
    pub(super) queue: Queue,
    recorded: AtomicU64,
    /// The disk was full.
    disk_full: AtomicU64,
    /// The disk failed, or the writer.
    failed: AtomicU64,
}

impl Accounts {
    pub(super) const fn new(queue: Queue) -> Self {
        let (recorded, disk_full, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { queue, recorded, disk_full, failed }
    }

    /// Counts events that were taken from the queue.
    pub(super) fn settle(&self, recorded: u64, disk_full: u64, failed: u64) {
        self.recorded.fetch_add(recorded, Ordering::Relaxed);
        self.disk_full.fetch_add(disk_full, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Release);
    }

    pub(crate) fn summary(&self) -> Summary {
        // In this order: what is written was observed before.
        let written = self.recorded.load(Ordering::Acquire);
        let disk_full = self.disk_full.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        let queue = self.queue.counts();
        let dropped = queue.dropped() + disk_full;
        let queued = queue.observed - written - dropped - failed;
        Summary { observed: queue.observed, written, dropped, failed, queued }
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
