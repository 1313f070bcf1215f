//! The one thread that writes: it takes what is queued, has it written and synced, and tells whoever waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::time::Now;

use super::clock::Clock;
use super::outlets::Outlets;
use super::queue::{Order, Queue};
use super::ticket::{Outcome, Pledge};
use crate::entry::{DropReason, Entry, Event};
use crate::log::{Fate, Item, Log, Mode, Storage};
use crate::metrics::Metrics;

/// What became of the events that the writer took.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) recorded: AtomicU64,
    /// The disk was full.
    pub(super) dropped: AtomicU64,
    /// The disk failed.
    pub(super) failed: AtomicU64,
}

/// The writer of a trail.
pub(super) struct Writer<S: Storage> {
    pub(super) queue: Arc<Queue>,
    pub(super) written: Arc<Written>,
    /// `None` where the trail has no log.
    pub(super) log: Option<Log<S>>,
    /// The number of the last entry.
    pub(super) sequence: u64,
    pub(super) outlets: Outlets,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
}

/// How many records are written and synced at once, at most.
const BATCH: usize = 4_096;

impl<S: Storage> Writer<S> {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        // Whatever ends this thread, nobody is let wait for it.
        let _closes = Closes(Arc::clone(&self.queue));
        let mut items = self.queue.room();
        let mut orders = Vec::new();
        loop {
            let patience = self.log.as_ref().and_then(|log| log.wakes_in(self.clock.now()));
            let open = self.queue.take(&mut items, &mut orders, patience);
            self.write(&mut items);
            for (order, pledge) in orders.drain(..) {
                let outcome = self.follow(order);
                self.offer_own();
                pledge.settle(outcome);
            }
            let now = self.clock.now();
            if let Some(log) = &mut self.log {
                if open { log.tick(now) } else { log.finish(now) }
            }
            self.offer_own();
            if !open {
                self.outlets.close(&self.clock);
                return;
            }
        }
    }

    /// Brings all items to the disk, each batch with one sync, or counts them as lost.
    fn write(&mut self, items: &mut VecDeque<Item>) {
        while !items.is_empty() {
            let (length, now) = (items.len().min(BATCH), self.clock.now());
            let batch = &mut items.make_contiguous()[..length];
            let taken = match &mut self.log {
                Some(log) => {
                    let taken = log.commit(batch, now);
                    self.count(&batch[..taken], now);
                    taken
                }
                None => self.number(batch),
            };
            let batch = &mut items.make_contiguous()[..taken];
            self.settle(batch);
            self.offer_own();
            items.drain(..taken).for_each(|item| self.offer(item));
            if let Some(log) = &mut self.log {
                log.settle();
            }
        }
    }

    /// Counts a batch that was written with one sync.
    fn count(&self, batch: &[Item], begun: Now) {
        let recorded = batch.iter().filter(|item| matches!(item.fate, Fate::Recorded(_))).count();
        if recorded > 0 {
            let took = self.clock.now().mono.elapsed().saturating_sub(begun.mono.elapsed());
            self.metrics.batch_written(recorded as u64, took);
        }
    }

    /// Without a log, entries are numbered all the same.
    fn number(&mut self, items: &mut [Item]) -> usize {
        for item in &mut *items {
            self.sequence += 1;
            item.fate = Fate::Recorded(self.sequence);
        }
        items.len()
    }

    /// Counts what became of items, and tells whoever waits for them.
    fn settle(&self, items: &mut [Item]) {
        let (mut recorded, mut dropped, mut failed) = (0, 0, 0);
        for item in items.iter().filter(|item| matches!(item.event, Event::Auth(_))) {
            match item.fate {
                Fate::Recorded(_) => recorded += 1,
                Fate::Lost(DropReason::DiskFull) => dropped += 1,
                Fate::Lost(_) | Fate::Waiting => failed += 1,
            }
        }
        // Before anybody is told, so that whoever was told finds it counted.
        self.written.recorded.fetch_add(recorded, Ordering::Relaxed);
        self.written.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.written.failed.fetch_add(failed, Ordering::Relaxed);
        for item in items {
            if let Some(pledge) = item.ticket.take() {
                pledge.settle(outcome(item));
            }
        }
    }

    fn offer(&self, item: Item) {
        if let Fate::Recorded(sequence) = item.fate
            && !self.outlets.is_empty()
        {
            self.outlets.offer(Entry::new(sequence, item.at, item.session, item.event));
        }
    }

    /// Offers what the log recorded of itself.
    fn offer_own(&mut self) {
        if let Some(log) = &mut self.log {
            log.take_own().for_each(|entry| self.outlets.offer(entry));
        }
    }

    fn follow(&mut self, order: Order) -> Outcome {
        let Some(log) = &mut self.log else { return Ok(()) };
        match order {
            Order::Flush if log.is_well() => Ok(()),
            Order::Flush => Err(Cow::Borrowed("its disk is full or fails; make room or another disk")),
            Order::Segment(reason) => {
                let begun = log.reopen(reason, self.clock.now());
                begun.map_err(|error| Cow::Owned(format!("a new segment can't be begun: {error}")))
            }
        }
    }
}

/// What is told to whoever recorded an item.
fn outcome(item: &Item) -> Outcome {
    match item.fate {
        Fate::Recorded(_) => Ok(()),
        Fate::Lost(_) | Fate::Waiting if item.mode != Mode::Strict => Ok(()),
        Fate::Lost(DropReason::DiskFull) => Err(Cow::Borrowed("its disk is full; make room")),
        Fate::Lost(_) | Fate::Waiting => Err(Cow::Borrowed("its disk fails; look at the disk")),
    }
}

/// Closes the queue when the writer is gone, and lets go of those who wait in it.
struct Closes(Arc<Queue>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
        let (mut items, mut orders): (VecDeque<Item>, Vec<(Order, Pledge)>) = Default::default();
        self.0.take(&mut items, &mut orders, Some(Duration::ZERO));
    }
}
