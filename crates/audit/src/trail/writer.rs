//! The one thread that writes: it takes what is queued, has it written and synced, and tells whoever waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::accounts::Accounts;
use super::faults::FaultHook;
use super::outlets::Outlets;
use super::queue::Order;
use super::ticket::{Outcome, Pledge};
use crate::clock::Clock;
use crate::entry::{DropReason, Entry, Event, TrailEvent};
use crate::log::{Fate, Item, Log, Mode, Storage};
use crate::metrics::Metrics;

/// The writer of a trail.
pub(super) struct Writer<S: Storage> {
    pub(super) accounts: Arc<Accounts>,
    /// `None` where the trail has no log.
    pub(super) log: Option<Log<S>>,
    /// What the outlets are told first, in a trail without a log.
    pub(super) opened: Option<TrailEvent>,
    /// The number of the last entry.
    pub(super) sequence: u64,
    pub(super) outlets: Outlets,
    /// Goes away when the log is complete.
    pub(super) logged: Option<Sender<()>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) faults: FaultHook,
    pub(super) clock: Clock,
}

/// How many records are written and synced at once, at most.
const BATCH: usize = 4_096;

impl<S: Storage> Writer<S> {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut items = self.accounts.queue.room();
        let mut orders = Vec::new();
        // Whatever ends this thread, nobody is let wait for it, and what it had is counted before.
        let _closes = Closes(Arc::clone(&self.accounts));
        self.begin();
        loop {
            let patience = self.log.as_ref().and_then(|log| log.wakes_in(self.clock.now()));
            let open = self.accounts.queue.take(&mut items, &mut orders, patience);
            self.write(&mut items);
            for (order, pledge) in orders.drain(..) {
                let outcome = self.follow(order);
                self.offer_own();
                pledge.settle(outcome);
            }
            let now = self.clock.now();
            match &mut self.log {
                Some(log) if open => log.tick(now),
                Some(log) => {
                    log.close_with(self.accounts.closed());
                    log.finish(now);
                }
                None if open => {}
                None => self.tell(self.accounts.closed()),
            }
            self.offer_own();
            if !open {
                // Its lock is let go of before anybody hears that it is complete: they may open it again.
                drop(self.log.take());
                drop(self.logged.take());
                self.outlets.close();
                return;
            }
        }
    }

    /// Tells the outlets how it begins, before anything is observed.
    fn begin(&mut self) {
        match self.opened.take() {
            Some(opened) if self.log.is_none() => self.tell(opened),
            // A log has a record of it.
            _ => self.offer_own(),
        }
    }

    /// Tells the outlets something of the trail itself, where there is no log.
    fn tell(&mut self, event: TrailEvent) {
        self.sequence += 1;
        self.outlets.offer(Entry::new(self.sequence, self.clock.now().wall, None, Event::Trail(event)));
    }

    /// Brings all items to the disk, each batch with one sync, or counts them as lost.
    fn write(&mut self, items: &mut VecDeque<Item>) {
        while !items.is_empty() {
            let (length, now) = (items.len().min(BATCH), self.clock.now());
            let batch = &mut items.make_contiguous()[..length];
            let taken = match &mut self.log {
                Some(log) => log.commit(batch, now),
                None => self.number(batch),
            };
            let batch = &mut items.make_contiguous()[..taken];
            self.count();
            self.settle(batch);
            self.offer_own();
            items.drain(..taken).for_each(|item| self.offer(item));
            if let Some(log) = &mut self.log {
                log.settle();
            }
        }
    }

    /// Counts what was written.
    fn count(&mut self) {
        if let Some(log) = &mut self.log {
            log.take_syncs().for_each(|(records, took)| self.metrics.batch_written(records, took));
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
        // Before anybody is told, so that whoever was told finds it counted.
        self.accounts.settle(items);
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

    /// Offers what the log recorded of itself, and tells what it says.
    fn offer_own(&mut self) {
        self.count();
        if let Some(log) = &mut self.log {
            log.take_own().for_each(|entry| self.outlets.offer(entry));
            log.take_said().for_each(|text| self.faults.tell(&text));
        }
    }

    fn follow(&mut self, order: Order) -> Outcome {
        let Some(log) = &mut self.log else { return Ok(()) };
        match order {
            Order::Flush if !log.is_kept(self.clock.now()) => Err(Cow::Borrowed(
                "its newest records are gone, or on a disk that fails; look into its directory",
            )),
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
struct Closes(Arc<Accounts>);

impl Drop for Closes {
    fn drop(&mut self) {
        let Self(accounts) = self;
        accounts.queue.close();
        let (mut items, mut orders): (VecDeque<Item>, Vec<(Order, Pledge)>) = Default::default();
        accounts.queue.take(&mut items, &mut orders, Some(Duration::ZERO));
        // There is some only where the thread panics.
        accounts.fail(accounts.summary().queued);
    }
}
