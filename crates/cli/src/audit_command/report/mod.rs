//! A log as one page: what is kept of its records while they pass, and the page that is made of it.
//!
//! [`Report::take`] is told each entry once, in order, and keeps a bounded summary: a log of a million records makes a page
//! that is hardly larger than that of a thousand.

mod charts;
mod lane;
mod lanes;
mod latency;
mod page;
mod rate;
mod span;
mod standing;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod tone;

use std::collections::{BTreeMap, VecDeque};

use audit::{Entry, Event, PreviousEnd, SegmentReason, TrailEvent};
use auth_core::AuthEvent;
use auth_core::time::Timestamp;

use self::lane::Lane;
use self::lanes::Lanes;
use self::latency::Histogram;
pub(super) use self::page::OPENING;
use self::rate::Rates;
pub(super) use self::standing::{Claim, Standing};
pub(super) use self::text::{clock, counted, grouped, lasting};
pub(super) use self::tone::Tone;
use super::words;

/// What is kept of the records of a log.
#[derive(Debug)]
pub(super) struct Report {
    records: u64,
    /// The number of the last entry.
    through: u64,
    first: Option<Timestamp>,
    last: Timestamp,
    events: BTreeMap<&'static str, u64>,
    lanes: Lanes,
    rates: Rates,
    connect: Histogram,
    obtain: Histogram,
    admit: Histogram,
    failures: BTreeMap<(&'static str, String), (u64, Tone)>,
    failed: u64,
    rejected: u64,
    marks: Vec<Mark>,
    unmarked: u64,
    missing: u64,
    /// Records that say nothing to this program.
    unknown: u64,
    bad: Rows,
    warnings: Rows,
}

/// A moment at which something happened to the log itself.
#[derive(Debug)]
struct Mark {
    at: Timestamp,
    text: String,
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    sequence: u64,
    at: Timestamp,
    session: Option<String>,
    tone: Tone,
    what: String,
    detail: String,
}

/// The newest rows of a kind.
#[derive(Debug, Default)]
struct Rows {
    rows: VecDeque<Row>,
    count: u64,
}

/// The most rows of each kind, marks, and kinds of failure.
const MOST_ROWS: usize = 300;
const MOST_MARKS: usize = 200;
const MOST_FAILURES: usize = 1_000;

impl Report {
    pub(super) fn new() -> Self {
        Self {
            records: 0,
            through: 0,
            first: None,
            last: Timestamp::from_millis(0),
            events: BTreeMap::new(),
            lanes: Lanes::new(),
            rates: Rates::new(),
            connect: Histogram::new(),
            obtain: Histogram::new(),
            admit: Histogram::new(),
            failures: BTreeMap::new(),
            failed: 0,
            rejected: 0,
            unknown: 0,
            marks: Vec::new(),
            unmarked: 0,
            missing: 0,
            bad: Rows::default(),
            warnings: Rows::default(),
        }
    }

    /// Takes note of the next entry.
    pub(super) fn take(&mut self, entry: &Entry) {
        self.records += 1;
        self.through = self.through.max(entry.sequence);
        self.first = Some(self.first.map_or(entry.at, |first| first.min(entry.at)));
        self.last = self.last.max(entry.at);
        *self.events.entry(entry.event.name()).or_default() += 1;
        let tone = Tone::of(&entry.event);
        self.rates.take(entry.at, tone, joined(&entry.event));
        match &entry.event {
            Event::Auth(event) => {
                self.measure(event);
                if Lane::concerns(event) {
                    let session = entry.session.as_ref().map(|name| name.as_str());
                    self.lanes.take(entry.at, session, event, tone);
                }
            }
            Event::Trail(event) => {
                self.lanes.hear(entry.at, event);
                self.mark(entry, event);
            }
        }
        if let Some((what, why)) = tone::failure(&entry.event) {
            let times = tone::times(&entry.event);
            self.failed = self.failed.saturating_add(times);
            if what == "client rejected" {
                self.rejected = self.rejected.saturating_add(times);
            }
            let mut kind = (what, why);
            if self.failures.len() >= MOST_FAILURES && !self.failures.contains_key(&kind) {
                "other reasons".clone_into(&mut kind.1);
            }
            let count = &mut self.failures.entry(kind).or_insert((0, tone)).0;
            *count = count.saturating_add(times);
        }
        match tone {
            Tone::Bad => self.bad.push(entry, tone),
            Tone::Warning => self.warnings.push(entry, tone),
            Tone::Good | Tone::Neutral => {}
        }
    }

    /// Whether the entries are to be told once more, to [`Report::look_again`]: there are more sessions than are drawn, and only now
    /// is it known which have the most trouble.
    pub(super) fn choose(&mut self) -> bool {
        self.lanes.choose()
    }

    /// Draws the sessions that were chosen, from entries that were taken note of before; `false` after the last of those.
    pub(super) fn look_again(&mut self, entry: &Entry) -> bool {
        if entry.sequence > self.through {
            return false;
        }
        match &entry.event {
            Event::Auth(event) if Lane::concerns(event) => {
                self.lanes.draw(entry.at, &entry.session.as_ref().map(ToString::to_string), event);
            }
            Event::Auth(_) => {}
            Event::Trail(event) => self.lanes.hear(entry.at, event),
        }
        true
    }

    /// Counts records that say nothing to this program, such as those of an event that a later version writes.
    pub(super) const fn pass_over(&mut self, count: u64) {
        self.records += count;
        self.unknown += count;
    }

    /// What is to be said of the records that were passed over.
    pub(super) fn unknown(&self) -> Option<Claim> {
        let records = counted(self.unknown, "record");
        let text = format!(
            "{records} of events that this version does not know: counted, and not shown. A newer rtauth may know them."
        );
        (self.unknown > 0).then_some(Claim { tone: Tone::Warning, text })
    }

    /// The page. Nothing in it depends on anything but the entries and what is said of them.
    pub(super) fn page(mut self, standing: &Standing) -> String {
        for drawn in &mut self.lanes.lanes {
            drawn.lane.finish(self.last);
        }
        page::page(&self, standing)
    }

    /// How many events of a name there are.
    fn count(&self, name: &str) -> u64 {
        self.events.get(name).copied().unwrap_or(0)
    }

    fn measure(&mut self, event: &AuthEvent) {
        match event {
            AuthEvent::Authenticated { latency, .. } => self.connect.take(*latency),
            AuthEvent::TokenIssued { took: Some(took), .. } => self.obtain.take(*took),
            AuthEvent::ClientAuthenticated { latency, .. } => self.admit.take(*latency),
            _ => {}
        }
    }

    fn mark(&mut self, entry: &Entry, event: &TrailEvent) {
        let is_fault = match event {
            TrailEvent::RecordsDropped { count, .. } | TrailEvent::EventsDropped { count, .. } => {
                self.missing = self.missing.saturating_add(*count);
                true
            }
            TrailEvent::SegmentOpened { reason, .. } => *reason == SegmentReason::Fault,
            TrailEvent::TrailOpened { previous_end, .. } => *previous_end == PreviousEnd::BrokenOff,
            TrailEvent::LogRecovered { .. } | TrailEvent::LogFault { .. } => true,
            _ => false,
        };
        if is_fault && self.marks.len() < MOST_MARKS {
            let text = format!("{}: {}", words::name(entry), words::detail(entry));
            self.marks.push(Mark { at: entry.at, text });
        } else if is_fault {
            self.unmarked += 1;
        }
    }

    /// The rows of the table in the order of the log, and how many there would be.
    fn rows(&self) -> (Vec<&Row>, u64) {
        let mut rows: Vec<_> = self.bad.rows.iter().chain(&self.warnings.rows).collect();
        rows.sort_by_key(|row| row.sequence);
        (rows, self.bad.count + self.warnings.count)
    }
}

impl Rows {
    fn push(&mut self, entry: &Entry, tone: Tone) {
        self.count += 1;
        if self.rows.len() == MOST_ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(Row {
            sequence: entry.sequence,
            at: entry.at,
            session: entry.session.as_ref().map(ToString::to_string),
            tone,
            what: words::name(entry),
            detail: words::detail(entry),
        });
    }
}

/// By how many a server has more connections afterwards.
const fn joined(event: &Event) -> i64 {
    match event {
        Event::Auth(AuthEvent::ClientAuthenticated { .. }) => 1,
        Event::Auth(AuthEvent::ClientDisconnected { .. }) => -1,
        _ => 0,
    }
}
