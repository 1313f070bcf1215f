//! What a receiver was not given: a range of sequence numbers, and the record that tells of it.

use std::sync::Arc;

use auth_core::time::Timestamp;

use crate::{Entry, Event, TrailEvent};

/// Entries of this range that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deliver) struct Gap {
    pub(in crate::deliver) from: u64,
    pub(in crate::deliver) to: u64,
    pub(in crate::deliver) count: u64,
}

impl Gap {
    pub(in crate::deliver) const fn of(entry: &Entry) -> Self {
        Self { from: entry.sequence, to: entry.sequence, count: 1 }
    }

    /// Both, as one range.
    pub(in crate::deliver) fn joined(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self {
                from: one.from.min(other.from),
                to: one.to.max(other.to),
                count: one.count + other.count,
            }),
            (one, other) => one.or(other),
        }
    }

    /// The record that stands in the place of the last that is missing.
    pub(super) fn record(self, at: Timestamp) -> Arc<Entry> {
        let Self { from: from_seq, to: to_seq, count } = self;
        let event = Event::Trail(TrailEvent::EventsDropped { from_seq, to_seq, count });
        Arc::new(Entry::new(to_seq, at, None, event))
    }
}
