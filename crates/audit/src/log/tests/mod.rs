//! The log on a model of a disk: what is acknowledged stays, whatever fails.

mod faults;
mod full;
mod lifecycle;
mod opening;
mod reserve;
mod torn;

use std::collections::BTreeSet;
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::time::{Moment, Now, Timestamp};

use super::model::Model;
use super::*;
use crate::checkpoint::SigningKey;
use crate::entry::{DropReason, SegmentReason};
use crate::verify::{Verification, Verified};

/// A log that is written, with a clock, and what became of each event that it was given.
struct Session {
    log: Log<Model>,
    model: Model,
    elapsed: Duration,
    recorded: BTreeSet<u32>,
    lost: BTreeSet<u32>,
    next: u32,
}

fn key() -> SigningKey {
    SigningKey::from_seed("log.example", [7; 32]).unwrap()
}

fn options() -> LogOptions {
    let options = LogOptions::new("unused").signing_key(key()).reserve_bytes(2_000);
    options.segment_bytes(2_500).modes(Modes::gateway())
}

fn at(elapsed: Duration) -> Now {
    Now {
        wall: Timestamp::from_millis(1_763_787_600_000).saturating_add(elapsed),
        mono: Moment::since_origin(elapsed),
    }
}

impl Session {
    fn open(model: &Model, elapsed: Duration) -> Result<Self, OpenError> {
        let log = Log::open(model.clone(), options(), at(elapsed))?;
        let (recorded, lost) = <(BTreeSet<u32>, BTreeSet<u32>)>::default();
        Ok(Self { log, model: model.clone(), elapsed, recorded, lost, next: 0 })
    }

    fn now(&self) -> Now {
        at(self.elapsed)
    }

    fn pass(&mut self, time: Duration) {
        self.elapsed += time;
    }

    /// Gives the log a batch with an event of each mode, and says what became of each.
    fn write(&mut self, modes: &[Mode]) -> Vec<Fate> {
        let mut items = Vec::new();
        for mode in modes {
            self.next += 1;
            let event = AuthEvent::TokenRequested {
                attempt: self.next,
                redeems: false,
                noted: None,
                valid_for: None,
            };
            items.push(Item::new(self.now().wall, None, Event::Auth(event), *mode));
        }
        let first = self.next - modes.len() as u32 + 1;
        let mut settled = 0;
        while settled < items.len() {
            let taken = self.log.commit(&mut items[settled..], self.now());
            assert!(taken > 0, "each call settles something");
            settled += taken;
        }
        // What a process that has lost its power says reaches nobody.
        if !self.model.is_down() {
            for (item, number) in items.iter().zip(first..) {
                match item.fate {
                    Fate::Recorded(_) => self.recorded.insert(number),
                    Fate::Lost(_) => self.lost.insert(number),
                    Fate::Waiting => panic!("an item has no fate"),
                };
            }
        }
        items.iter().map(|item| item.fate).collect()
    }
}

/// The numbers of the events that are in the log, each once, and in order; after it has been verified.
fn verified(model: &Model) -> (Verified, BTreeSet<u32>) {
    let directory = tempfile::tempdir().unwrap();
    model.copy_to(directory.path());
    let verified = Verification::of(directory.path()).with_key(key().verifier()).run();
    let verified = verified.unwrap_or_else(|error| panic!("{error}\n{}", text(model)));
    let mut numbers = BTreeSet::new();
    let mut sequence = 0;
    for entry in entries(model) {
        assert_eq!(entry.sequence, sequence + 1, "{}", text(model));
        sequence = entry.sequence;
        if let Event::Auth(AuthEvent::TokenRequested { attempt, .. }) = entry.event {
            assert!(numbers.insert(attempt), "{attempt} is there twice");
        }
    }
    (verified, numbers)
}

/// All records that count: where a fault ended a segment, those after the next one's beginning do not.
fn entries(model: &Model) -> Vec<Entry> {
    let mut model = model.clone();
    let mut firsts =
        model.names().unwrap().iter().filter_map(|name| layout::first_of(name)).collect::<Vec<_>>();
    firsts.sort_unstable();
    let mut entries = Vec::<Entry>::new();
    for first in firsts {
        entries.retain(|entry| entry.sequence < first);
        let bytes = model.bytes(&layout::segment(first)).unwrap();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        entries.extend(lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok()));
    }
    entries
}

fn names(model: &Model) -> Vec<&'static str> {
    entries(model).iter().map(|entry| entry.event.name()).collect()
}

fn text(model: &Model) -> String {
    let mut text = String::new();
    for name in model.clone().names().unwrap() {
        let bytes = model.bytes(&name).unwrap();
        text += &format!("== {name}\n");
        for line in String::from_utf8_lossy(&bytes).lines() {
            text += &format!("{}\n", line.chars().take(170).collect::<String>());
        }
    }
    text
}
