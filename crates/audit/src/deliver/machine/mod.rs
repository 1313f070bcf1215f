//! The delivery of entries to one sink as a machine: what waits, what is under way, what comes next, and the accounts.
//!
//! It is pure: time is an argument, randomness a seed, and I/O is what its driver does. The loop of a driver: [`Machine::poll`];
//! do what it says; report ([`Machine::settle`] or [`Machine::buried`]); again.

mod gap;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::{Backoff, Jitter};
use auth_core::time::{Deadline, Now};
use serde::Serialize;

pub(super) use self::gap::Gap;
use super::sink::{SinkError, Verdict};
use crate::Entry;

/// What became of the entries that one outlet was offered: `accepted = delivered + queued + dropped + dead_lettered`, in every
/// reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HookCounts {
    /// Entries that the outlet was offered.
    pub accepted: u64,
    /// Entries that the sink said it has.
    pub delivered: u64,
    /// Entries that are lost to this outlet: its queue was full, it was closed, or its dead letters can't be kept.
    pub dropped: u64,
    /// Entries that are in the file of dead letters.
    pub dead_lettered: u64,
    /// Entries that wait or are under way.
    pub queued: u64,
    /// Calls of the sink that will be repeated.
    pub retries: u64,
    /// Calls of the sink that panicked.
    pub panics: u64,
}

/// The bounds of one outlet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many entries may wait, beside the batch that is under way.
    pub(super) queue: usize,
    /// How many entries a call is given at most, beside the record of a hole.
    pub(super) batch: usize,
    /// How often the same entries are tried.
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self {
        queue: 10_000,
        batch: 400,
        attempts: 10,
        backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
    };
}

/// How many dead letters are written at once when it is closed.
const LETTERS: usize = 1_000;

/// Why entries are dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    Refused,
    Denied,
    Panicked,
    AttemptsExhausted,
    Closed,
}

/// What the driver does next.
#[derive(Debug)]
pub(super) enum Action {
    /// Calls the sink with these entries and reports by [`Machine::settle`].
    Deliver(Vec<Arc<Entry>>),
    /// Writes these to the dead letters and reports by [`Machine::buried`].
    Bury(Vec<Arc<Entry>>, Reason),
    /// Waits for an entry, for closing, and until then.
    Wait(Option<Deadline>),
    /// Ends: it is closed, and everything has gone its way.
    Finish,
}

/// What is with the driver.
#[derive(Debug)]
enum Out {
    Nothing,
    /// A call, and the hole of which its first entry tells.
    Call(Option<Gap>, u64),
    /// Dead letters.
    Letters(u64),
}

#[derive(Debug)]
pub(super) struct Machine {
    limits: Limits,
    jitter: Jitter,
    /// What waits, in order.
    queue: VecDeque<Arc<Entry>>,
    /// What was dropped from the front of the queue.
    missing: Option<Gap>,
    /// The batch that is being delivered, without what is out.
    work: VecDeque<Arc<Entry>>,
    /// The hole of which the first of `work` tells.
    told: Option<Gap>,
    /// What is missing before `work`.
    untold: Option<Gap>,
    /// How many of the first of `work` were refused together, so that one of them must be what the sink does not take.
    suspects: usize,
    grave: Option<(Vec<Arc<Entry>>, Reason)>,
    out: Out,
    /// How often the first of `work` were tried.
    attempts: u32,
    /// Calls in a row of which nothing came, across batches.
    failures: u32,
    pause: Option<Deadline>,
    closing: Option<Deadline>,
    abandoned: bool,
    /// Whether the driver waits for an entry.
    idle: bool,
    /// Without `queued`.
    counts: HookCounts,
}

impl Machine {
    pub(super) fn new(limits: Limits, jitter: Jitter) -> Self {
        Self {
            limits,
            jitter,
            queue: VecDeque::with_capacity(limits.queue),
            missing: None,
            work: VecDeque::with_capacity(limits.batch + 1),
            told: None,
            untold: None,
            suspects: 0,
            grave: None,
            out: Out::Nothing,
            attempts: 0,
            failures: 0,
            pause: None,
            closing: None,
            abandoned: false,
            idle: false,
            counts: HookCounts::default(),
        }
    }

    /// Takes an entry. Says whether the driver is to be woken, and gives back what had to go for it. Allocates nothing.
    pub(super) fn offer(&mut self, entry: &Arc<Entry>) -> (bool, Option<Arc<Entry>>) {
        self.counts.accepted += 1;
        if self.closing.is_some() || self.abandoned {
            self.counts.dropped += 1;
            return (false, None);
        }
        let gone = if self.queue.len() >= self.limits.queue { self.queue.pop_front() } else { None };
        if let Some(gone) = &gone {
            self.counts.dropped += 1;
            self.missing = Gap::joined(self.missing, Some(Gap::of(gone)));
        }
        self.queue.push_back(Arc::clone(entry));
        (std::mem::take(&mut self.idle), gone)
    }

    pub(super) fn poll(&mut self, now: Now) -> Action {
        self.idle = false;
        if let Some((entries, reason)) = self.grave.take() {
            return Action::Bury(entries, reason);
        }
        if !matches!(self.out, Out::Nothing) {
            return Action::Wait(None);
        }
        if self.closing.is_some_and(|closing| closing.passed(now)) {
            return self.give_up();
        }
        if let Some(pause) = self.pause.filter(|pause| !pause.passed(now)) {
            return Action::Wait(Some(self.closing.map_or(pause, |closing| closing.earlier(pause, now))));
        }
        self.pause = None;
        self.fill(now);
        if self.work.is_empty() {
            self.idle = true;
            return if self.closing.is_some() { Action::Finish } else { Action::Wait(None) };
        }
        let size = match self.suspects {
            0 => self.work.len(),
            suspects => (suspects / 2).max(1),
        };
        let batch: Vec<_> = self.work.drain(..size).collect();
        let told = self.told.take();
        self.out = Out::Call(told, batch.len() as u64 - u64::from(told.is_some()));
        Action::Deliver(batch)
    }

    /// What came of a call. Gives back what is done with.
    pub(super) fn settle(
        &mut self,
        now: Now,
        result: Result<(), SinkError>,
        mut batch: Vec<Arc<Entry>>,
    ) -> Vec<Arc<Entry>> {
        let Out::Call(told, _) = std::mem::replace(&mut self.out, Out::Nothing) else {
            return batch; // It was abandoned, and counted.
        };
        let reached = result.map_or_else(|error| error.delivered.min(batch.len()), |()| batch.len());
        let left = batch.split_off(reached);
        self.counts.delivered += reached as u64 - u64::from(told.is_some() && reached > 0);
        let told = told.filter(|_| reached == 0);
        self.suspects = self.suspects.saturating_sub(reached);
        if reached > 0 {
            self.attempts = 0;
        }
        match result {
            Err(error) if !left.is_empty() => self.failed(now, error, left, told),
            _ => self.failures = 0,
        }
        batch
    }

    fn failed(&mut self, now: Now, error: SinkError, mut left: Vec<Arc<Entry>>, told: Option<Gap>) {
        let SinkError { verdict, one, .. } = error;
        self.failures += 1;
        if matches!(verdict, Verdict::Panicked) {
            self.counts.panics += 1;
        }
        match verdict {
            Verdict::Retry(advice) => {
                self.attempts += 1;
                let before = self.failures - 1;
                self.pause = Some(now.timer(match advice {
                    Some(advice) => self.limits.backoff.delay_after(advice, before, &mut self.jitter),
                    None => self.limits.backoff.delay(before, &mut self.jitter),
                }));
                if self.attempts >= self.limits.attempts {
                    self.bury(left, told, Reason::AttemptsExhausted);
                } else {
                    self.counts.retries += 1;
                    self.put_back(left, told);
                }
            }
            Verdict::Denied => {
                self.pause = Some(now.timer(self.limits.backoff.delay(self.failures - 1, &mut self.jitter)));
                self.bury(left, told, Reason::Denied);
            }
            Verdict::Refused | Verdict::Panicked => {
                // Halving a batch down to one entry is no storm; refusing everything would be.
                let halvings = usize::BITS - self.limits.batch.leading_zeros() + 1;
                if let Some(beyond) = self.failures.checked_sub(halvings + 1) {
                    self.pause = Some(now.timer(self.limits.backoff.delay(beyond, &mut self.jitter)));
                }
                self.attempts = 0;
                if one {
                    let others = left.split_off(1);
                    self.put_back(others, None);
                }
                match (left.len(), told) {
                    // A record that the sink does not take is not tried again: it is no entry of the trail.
                    (1, Some(_)) => self.suspects = 0,
                    (1, None) => {
                        let panicked = matches!(verdict, Verdict::Panicked);
                        self.bury(left, None, if panicked { Reason::Panicked } else { Reason::Refused });
                    }
                    (several, told) => {
                        self.counts.retries += 1;
                        self.suspects = several;
                        self.put_back(left, told);
                    }
                }
            }
        }
    }

    fn put_back(&mut self, left: Vec<Arc<Entry>>, told: Option<Gap>) {
        self.told = told;
        left.into_iter().rev().for_each(|entry| self.work.push_front(entry));
    }

    /// These are dead letters, and part of the next hole.
    fn bury(&mut self, mut entries: Vec<Arc<Entry>>, told: Option<Gap>, reason: Reason) {
        self.attempts = 0;
        self.suspects = 0;
        if told.is_some() {
            entries.remove(0);
        }
        if entries.is_empty() && self.closing.is_some() {
            return; // Only the record itself is left, and nobody takes it.
        }
        let gap = entries.iter().fold(told, |gap, entry| Gap::joined(gap, Some(Gap::of(entry))));
        self.untold = Gap::joined(self.untold, gap);
        self.out = Out::Letters(entries.len() as u64);
        self.grave = Some((entries, reason));
    }

    /// The time to close has passed: what is left are dead letters, so many at a time.
    fn give_up(&mut self) -> Action {
        let told = usize::from(self.told.take().is_some());
        (self.untold, self.missing) = (None, None);
        self.work.drain(..told);
        let from = if self.work.is_empty() { &mut self.queue } else { &mut self.work };
        let entries: Vec<_> = from.drain(..from.len().min(LETTERS)).collect();
        if entries.is_empty() {
            return Action::Finish;
        }
        self.out = Out::Letters(entries.len() as u64);
        Action::Bury(entries, Reason::Closed)
    }

    /// Takes the next batch from the queue, and puts the record of a hole before it.
    fn fill(&mut self, now: Now) {
        if self.work.is_empty() {
            self.untold = Gap::joined(self.untold, self.missing.take());
            let size = self.limits.batch.min(self.queue.len());
            self.work.extend(self.queue.drain(..size));
        }
        if self.work.is_empty() && self.closing.is_none() {
            return; // A hole is told with what comes after it, or at last.
        }
        if let Some(gap) = self.untold.take() {
            self.work.push_front(gap.record(now.wall));
            self.told = Some(gap);
        }
    }

    /// How many of the dead letters are in the file; the others are dropped.
    pub(super) const fn buried(&mut self, written: usize) {
        if let Out::Letters(letters) = self.out {
            let written = if written as u64 > letters { letters } else { written as u64 };
            self.counts.dead_lettered += written;
            self.counts.dropped += letters - written;
            self.out = Out::Nothing;
        }
    }

    /// Delivers what it can until then; takes nothing more.
    pub(super) fn close(&mut self, until: Deadline) {
        self.closing.get_or_insert(until);
    }

    /// Whether the driver is in a call, from which it may never come back.
    pub(super) const fn is_calling(&self) -> bool {
        matches!(self.out, Out::Call(..))
    }

    /// Until when entries are delivered, once it is being closed.
    pub(super) const fn closing(&self) -> Option<Deadline> {
        self.closing
    }

    /// The driver does not come back: what it has and what is left is dropped, whatever it says later. Gives back what is done with.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = Arc<Entry>> + use<> {
        self.counts.dropped += self.queued();
        self.abandoned = true;
        (self.told, self.untold, self.missing) = (None, None, None);
        self.out = Out::Nothing;
        let (work, queue) = (std::mem::take(&mut self.work), std::mem::take(&mut self.queue));
        work.into_iter().chain(queue).chain(self.grave.take().into_iter().flat_map(|(entries, _)| entries))
    }

    /// Calls in a row of which nothing came.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn counts(&self) -> HookCounts {
        HookCounts { queued: self.queued(), ..self.counts }
    }

    fn queued(&self) -> u64 {
        let out = match self.out {
            Out::Nothing => 0,
            Out::Call(_, entries) | Out::Letters(entries) => entries,
        };
        (self.queue.len() + self.work.len()) as u64 - u64::from(self.told.is_some()) + out
    }
}
