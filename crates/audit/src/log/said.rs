//! What a log says of itself to whoever runs it: once when something begins to go wrong, and once when it is over.

use std::time::Duration;

use auth_core::time::{Deadline, Now};

use super::Log;
use super::item::Item;
use super::storage::Storage;
use crate::entry::{DropReason, Event, TrailEvent};

/// Events that were dropped for want of room in the queue, and until when more of them belong to the same time.
#[derive(Clone, Copy)]
pub(super) struct Flood {
    dropped: u64,
    pub(super) over: Deadline,
}

/// How long no event may be dropped before that counts as over.
const CALM: Duration = Duration::from_secs(10);

impl<S: Storage> Log<S> {
    /// What there is to say since the last call.
    pub(crate) fn take_said(&mut self) -> std::vec::Drain<'_, String> {
        self.said.drain(..)
    }

    pub(super) fn say(&mut self, text: String) {
        tracing::warn!("{text}");
        self.said.push(text);
    }

    /// Says when the queue begins to be too small, and when it is large enough again. `items` are taken from it.
    pub(super) fn watch_queue(&mut self, items: &[Item], now: Now) {
        let dropped: u64 = items.iter().filter_map(dropped_before).sum();
        match self.flood {
            None if dropped == 0 => {}
            None => {
                self.say("events come faster than the audit log takes them, and some are dropped".to_owned());
                self.flood = Some(Flood { dropped, over: now.timer(CALM) });
            }
            Some(flood) if dropped > 0 => {
                let dropped = flood.dropped.saturating_add(dropped);
                self.flood = Some(Flood { dropped, over: now.timer(CALM) });
            }
            Some(flood) if flood.over.passed(now) => self.end_flood(),
            Some(_) => {}
        }
    }

    pub(super) fn end_flood(&mut self) {
        if let Some(Flood { dropped, .. }) = self.flood.take() {
            self.say(format!("the audit log takes all events again; {dropped} were dropped before"));
        }
    }
}

fn dropped_before(item: &Item) -> Option<u64> {
    match item.event {
        Event::Trail(TrailEvent::RecordsDropped { count, reason: DropReason::QueueFull }) => Some(count),
        _ => None,
    }
}
