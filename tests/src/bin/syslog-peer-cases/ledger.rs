//! What was sent and what arrived, entry by entry.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use audit::deliver::syslog::Syslog;
use audit::deliver::{HookCounts, Outlet, Running};
use audit::{Entry, Event};
use auth_core::AuthEvent;
use auth_core::time::Timestamp;
use realtime_auth_tests::verdict::{Verdict, Wrong, holds, same};

use crate::rsyslog::{Received, Rsyslog, eventually};

/// How long closing may take.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// An outlet, and the number of the last entry that it was offered.
pub(crate) struct Sender {
    pub(crate) running: Running,
    pub(crate) last: u64,
}

/// Half of what the queue of an outlet holds.
const HALF: u64 = 5_000;

impl Sender {
    pub(crate) fn to(syslog: Syslog) -> std::io::Result<Self> {
        Ok(Self { running: Outlet::sink("syslog", syslog).start()?, last: 0 })
    }

    /// Offers so many more, at once.
    pub(crate) fn offer(&mut self, count: u64) {
        for _ in 0..count {
            self.last += 1;
            self.running.offer(&entry(self.last));
        }
    }

    /// Offers so many more, none of which is dropped while the receiver reads.
    pub(crate) fn offer_slowly(&mut self, count: u64) -> std::io::Result<()> {
        let end = self.last + count;
        while self.last < end {
            eventually("it does not read", || self.counts().queued < HALF)?;
            self.offer(HALF.min(end - self.last));
        }
        Ok(())
    }

    pub(crate) fn counts(&self) -> HookCounts {
        self.running.hook().counts()
    }

    /// Closes it; the accounts must add up.
    pub(crate) fn close(&self) -> Result<HookCounts, Wrong> {
        let counts = self.running.close(BOUND);
        same("accepted", counts.accepted, self.last)?;
        let sum = counts.delivered + counts.dropped + counts.dead_lettered;
        same(
            "delivered + dropped + dead-lettered, and nothing queued",
            (sum, counts.queued),
            (self.last, 0),
        )?;
        Ok(counts)
    }
}

fn entry(sequence: u64) -> Arc<Entry> {
    let event = Event::Auth(AuthEvent::SessionClosed { lasted: Some(Duration::from_secs(60)) });
    Arc::new(Entry::new(sequence, Timestamp::from_millis(1_700_000_000_000 + sequence), None, event))
}

/// What arrived.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeSet<u64>,
    doubled: u64,
    /// From, to, and how many.
    pub(crate) dropped: Vec<[u64; 3]>,
    pub(crate) in_doubt: Vec<[u64; 3]>,
}

impl Ledger {
    /// Reads what the receiver has, once the last entry is there.
    pub(crate) fn of(rsyslog: &Rsyslog, last: u64) -> std::io::Result<Self> {
        let is_last = |record: &Received| record.event == "session_closed" && record.number("seq") == last;
        let received = rsyslog.received(|received| received.iter().any(is_last))?;
        let mut ledger = Self::default();
        for record in &received {
            let range = || ["from_seq", "to_seq", "count"].map(|name| record.number(name));
            match record.event.as_str() {
                "events_dropped" => ledger.dropped.push(range()),
                "events_in_doubt" => ledger.in_doubt.push(range()),
                _ => ledger.doubled += u64::from(!ledger.entries.insert(record.number("seq"))),
            }
        }
        Ok(ledger)
    }

    /// How many entries are there.
    pub(crate) fn received(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many entries are missing by the records of holes.
    pub(crate) fn missing(&self) -> u64 {
        self.dropped.iter().map(|[_, _, count]| count).sum()
    }

    /// Nothing twice, nothing that was never sent, and whatever is missing is in a range that was told.
    pub(crate) fn check(&self, sent: u64) -> Verdict {
        same("entries that came twice", self.doubled, 0)?;
        holds("every number was sent", self.entries.iter().all(|sequence| (1..=sent).contains(sequence)))?;
        let told = |sequence: &u64| {
            let ranges = self.dropped.iter().chain(&self.in_doubt);
            ranges.into_iter().any(|[from, to, _]| (from..=to).contains(&sequence))
        };
        let untold =
            (1..=sent).filter(|sequence| !self.entries.contains(sequence) && !told(sequence)).count();
        same("entries that are missing without a word", untold, 0)
    }
}
