//! A batch: one write and one sync, and what is done when they fail.

use std::time::Duration;

use auth_core::time::Now;

use super::health::{Fault, Gaps, Outage};
use super::item::{Fate, Item};
use super::storage::Storage;
use super::{Log, Mode, Segment, timed_sync};
use crate::entry::{DropReason, Entry, Event, LogStep, SegmentReason, TrailEvent};

/// No batch grows longer than this by another record: what a disk takes at once, and what is written again after a fault.
const BATCH_BYTES: usize = 1 << 20;

impl<S: Storage> Log<S> {
    /// Writes the first of `items`, brings them to the disk, and decides their fate; says how many that were, which is at
    /// least one where there are any.
    pub(crate) fn commit(&mut self, items: &mut [Item], now: Now) -> usize {
        let taken = self.commit_or_lose(items, now);
        self.watch_queue(&items[..taken], now);
        taken
    }

    fn commit_or_lose(&mut self, items: &mut [Item], now: Now) -> usize {
        if self.failing.is_some_and(|outage| !outage.again().passed(now)) {
            return self.lose(items, DropReason::DiskFailed);
        }
        if self.full.is_some_and(|outage| outage.again().passed(now)) {
            self.make_room(now);
        }
        let (mut tries, lost) = (0, self.gaps.lost());
        loop {
            let taken = match self.attempt(items, now) {
                Ok(taken) => {
                    self.failing = None;
                    if std::mem::take(&mut self.troubled) {
                        self.say(format!(
                            "the audit log is being written again; {lost} events are in no record"
                        ));
                    }
                    return taken;
                }
                Err((fault, taken)) => {
                    tries += 1;
                    self.take_note_of(&fault);
                    if fault.is_full() && self.full.is_none() {
                        self.give_up_reserve(now);
                        continue;
                    }
                    if !fault.is_full() {
                        if tries < 2 {
                            continue;
                        }
                        self.failing = Some(Outage::after(self.failing, now));
                    }
                    self.lose(&mut items[..taken], fault.reason());
                    taken
                }
            };
            return taken;
        }
    }

    /// Records what the log says of itself, and says whether that is on the disk.
    pub(super) fn record(&mut self, event: TrailEvent, now: Now) -> bool {
        let mut items = [Item::new(now.wall, None, Event::Trail(event), Mode::Strict)];
        self.commit(&mut items, now);
        let [Item { at, event, fate, .. }] = items;
        let Fate::Recorded(sequence) = fate else { return false };
        self.own.push(Entry::new(sequence, at, None, event));
        true
    }

    /// One try. After a fault nothing of it counts as written, and it says how many items it was for.
    fn attempt(&mut self, items: &mut [Item], now: Now) -> Result<usize, (Fault, usize)> {
        self.settle();
        let quiet = items.is_empty() && self.notices.is_empty() && self.gaps.is_empty();
        if quiet && self.segment.is_some() {
            return Ok(0);
        }
        self.ready_segment(now).map_err(|fault| (fault, items.len()))?;
        let only_last = self.full.is_some();
        let (own, hashes) = (self.own.len(), self.hashes.len());
        let mut head = self.head;
        self.lines.clear();
        let worth_it = !only_last || items.iter().any(Item::is_last_to_go);
        if worth_it {
            for event in self.notices.clone().into_iter().chain(self.gaps.events()) {
                let entry = self.own_record(&mut head, now.wall, event);
                self.own.push(entry);
                self.hashes.push(head.hash);
            }
        }
        let mut taken = 0;
        for item in items.iter_mut() {
            if self.lines.len() >= BATCH_BYTES {
                break;
            }
            taken += 1;
            if only_last && !item.is_last_to_go() {
                item.fate = Fate::Lost(DropReason::DiskFull);
                continue;
            }
            self.rendering.append(&mut self.lines, &mut head, item.at, item.session.as_ref(), &item.event);
            self.hashes.push(head.hash);
            item.fate = Fate::Recorded(head.sequence);
        }
        if self.lines.is_empty() {
            self.count_lost(&items[..taken]);
            return Ok(taken);
        }
        match self.write() {
            Ok(took) => self.syncs.push((head.sequence - self.head.sequence, took)),
            Err(fault) => {
                self.hashes.truncate(hashes);
                self.own.truncate(own);
                return Err((fault, taken));
            }
        }
        self.head = head;
        if !only_last && self.was_full.take().is_some() {
            let lost = self.gaps.lost();
            self.say(format!("the disk of the audit log has room again; {lost} events are in no record"));
        }
        self.notices.clear();
        self.gaps = Gaps::default();
        self.count_lost(&items[..taken]);
        Ok(taken)
    }

    /// Writes the lines to the segment, and says how long the sync took. If that fails, the segment ends where it ended
    /// before, or is used no more.
    fn write(&mut self) -> Result<Duration, Fault> {
        let Some(Segment { file, length, .. }) = &mut self.segment else { return Ok(Duration::ZERO) };
        let written = self.storage.append(file, &self.lines).map_err(Fault::at(LogStep::Write));
        match written.and_then(|()| timed_sync(&mut self.storage, file, self.clock)) {
            Ok(took) => {
                *length += self.lines.len() as u64;
                Ok(took)
            }
            Err(fault) => {
                let cut = self.storage.truncate(file, *length);
                // Only where there was no room is the file as good as before. After a failed sync nobody knows what is
                // on the disk, and another one may lie.
                let usable = fault.is_full() && fault.step == LogStep::Write && cut.is_ok();
                if !usable {
                    self.abandon_segment();
                }
                Err(fault)
            }
        }
    }

    /// Whether all that was written to the segment is still there, as far as it tells. Where somebody removed it the log goes
    /// on in a new one.
    pub(crate) fn is_kept(&mut self, now: Now) -> bool {
        let Some(Segment { file, .. }) = &mut self.segment else { return true };
        let Err(error) = self.storage.sync(file) else { return true };
        self.abandon_segment();
        self.take_note_of(&Fault { step: LogStep::Sync, error });
        self.commit(&mut [], now);
        false
    }

    /// Makes sure that there is a segment to write to, and that it is not the time for the next.
    fn ready_segment(&mut self, now: Now) -> Result<(), Fault> {
        let Some(segment) = &self.segment else { return self.next_segment(SegmentReason::Fault, now) };
        let age = self.options.segment_age;
        // Where the directory was moved away, the open file goes on until somebody calls for a new one.
        let is_due =
            segment.length >= self.options.segment_bytes || age.is_some_and(|age| segment.age(now) >= age);
        let waits = self.full.is_some() || self.postponed.is_some_and(|outage| !outage.again().passed(now));
        if is_due && !waits && self.storage.is_claimed() {
            self.postponed = match (self.next_segment(SegmentReason::Rotated, now), self.postponed) {
                (Ok(()), None) => None,
                (Ok(()), Some(_)) => {
                    self.say("the audit log has begun its next segment".to_owned());
                    None
                }
                (Err(Fault { error, .. }), before) => {
                    if before.is_none() {
                        self.say(format!(
                            "the audit log can't begin its next segment, and goes on in this one: {error}"
                        ));
                    }
                    Some(Outage::after(before, now))
                }
            };
        }
        // A segment whose successor is half there can't be used on.
        if self.segment.is_none() { self.next_segment(SegmentReason::Fault, now) } else { Ok(()) }
    }

    /// Tells of a fault, once for each time that the disk fails, and has it recorded where it ends a segment.
    fn take_note_of(&mut self, fault: &Fault) {
        if !fault.is_full() && !std::mem::replace(&mut self.troubled, true) {
            let error = &fault.error;
            self.say(format!("the audit log can't be written, and tries again in a new segment: {error}"));
        }
        let is_fault = |event: &TrailEvent| matches!(event, TrailEvent::LogFault { .. });
        if self.segment.is_none() && !self.notices.iter().any(is_fault) {
            self.notices.push(fault.event());
        }
    }

    fn lose(&mut self, items: &mut [Item], reason: DropReason) -> usize {
        items.iter_mut().for_each(|item| item.fate = Fate::Lost(reason));
        self.count_lost(items);
        items.len()
    }

    /// Remembers what is to be reported of the items that are lost.
    fn count_lost(&mut self, items: &[Item]) {
        for item in items {
            match (&item.fate, &item.event) {
                (Fate::Lost(_), Event::Trail(TrailEvent::RecordsDropped { count, reason })) => {
                    self.gaps.add(*reason, *count);
                }
                (Fate::Lost(reason), Event::Auth(_)) => self.gaps.add(*reason, 1),
                _ => {}
            }
        }
    }
}
