//! The beginning of a segment, and the room that is kept back for the end of a full disk.

use std::io;
use std::time::Duration;

use auth_core::time::Now;

use super::health::{Fault, Outage, is_full};
use super::storage::{self, Storage};
use super::{Log, Segment, layout, timed_sync};
use crate::entry::{LogStep, SegmentReason, TrailEvent};
use crate::opener::library_version;

impl<S: Storage> Log<S> {
    /// Begins a segment in a log that is open, and sees to it that room is kept back beside it: the directory may be another.
    pub(super) fn next_segment(&mut self, reason: SegmentReason, now: Now) -> Result<(), Fault> {
        self.begin_segment(reason, now)?;
        // While the disk is full, that is tried again by itself.
        if self.full.is_none() {
            match self.keep_reserve() {
                Err(error) if is_full(&error) => self.give_up_reserve(now),
                kept => self.tell_of_reserve(kept),
            }
        }
        Ok(())
    }

    /// Seals the segment, and begins the next one. Until its name and its first record are on the disk, nothing else is
    /// written to it; where that fails all is as it was, or there is no segment.
    ///
    /// After a fault the old segment is sealed last, and need not be.
    pub(super) fn begin_segment(&mut self, reason: SegmentReason, now: Now) -> Result<(), Fault> {
        self.settle();
        if reason == SegmentReason::Fault {
            // The directory may be gone.
            self.claim().map_err(Fault::at(LogStep::Open))?;
        }
        if let Some(first) = self.leftover {
            self.remove_leftover(first).map_err(Fault::at(LogStep::Open))?;
        }
        if self.options.signing_key.is_some() {
            self.ensure_checkpoint().map_err(Fault::at(LogStep::Write))?;
        }
        let (old, root) = (self.head, self.frontier.root());
        if let Some(Segment { first, file, sealed, .. }) = &mut self.segment
            && !*sealed
        {
            let first = *first;
            let in_place = self.storage.is_in_place(file, &layout::segment(first));
            if in_place.map_err(Fault::at(LogStep::Open))? {
                self.seal(first, old, root)
                    .map_err(|error| self.unseal(first, Fault { step: LogStep::Write, error }))?;
            } else {
                // Its seal would lie in another directory than it, where nobody looks for it.
                *sealed = true;
                self.tell_of_unsealed(first);
            }
        }
        let mut head = self.head;
        let first = head.sequence + 1;
        let event = TrailEvent::SegmentOpened {
            origin: self.name.clone(),
            reason,
            first,
            peaks: self.frontier.peaks().iter().map(ToString::to_string).collect(),
            verifier_key: self.options.verifier_key(),
            library_version: Some(library_version()),
        };
        self.lines.clear();
        let entry = self.own_record(&mut head, now.wall, event);
        let file = match self.create_segment(first) {
            Ok(file) => file,
            Err(fault) => {
                return Err(match self.segment {
                    Some(Segment { first, .. }) => self.unseal(first, fault),
                    None => fault,
                });
            }
        };
        let length = self.lines.len() as u64;
        self.segment =
            Some(Segment { file, first, length, opened: now.mono, age: Duration::ZERO, sealed: false });
        if let Some(faulty) = self.faulty.take() {
            let length = self.storage.length(&layout::segment(faulty));
            if length.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                self.tell_of_unsealed(faulty);
            } else if let Err(error) = self.seal(faulty, old, root) {
                self.say(format!("the segment of the audit log that a fault ended can't be sealed: {error}"));
            }
        }
        self.head = head;
        self.hashes.push(head.hash);
        self.own.push(entry);
        Ok(())
    }

    /// Makes sure that there is a directory, and that no other process writes to it.
    pub(super) fn claim(&mut self) -> io::Result<()> {
        let error = io::ErrorKind::ResourceBusy;
        let claimed = self.storage.claim()?;
        if claimed { Ok(()) } else { Err(io::Error::new(error, "somebody else writes to the directory")) }
    }

    /// A segment's file with the first record, which is in `lines`; all of it on the disk.
    fn create_segment(&mut self, first: u64) -> Result<S::File, Fault> {
        let mut file = self.storage.create(&layout::segment(first)).map_err(Fault::at(LogStep::Open))?;
        let written = self.storage.append(&mut file, &self.lines).map_err(Fault::at(LogStep::Write));
        let synced = written.and_then(|()| timed_sync(&mut self.storage, &mut file, self.clock));
        let named = synced.and_then(|took| {
            self.storage.sync_directory().map_err(Fault::at(LogStep::SyncDirectory))?;
            self.syncs.push((1, took));
            Ok(file)
        });
        named.inspect_err(|_| {
            self.leftover = Some(first);
            // The old segment must not go on beside a new one that a crash may bring back.
            if self.remove_leftover(first).is_err() {
                self.abandon_segment();
            }
        })
    }

    /// Takes the seal off the segment, which goes on for `fault`; where that fails it doesn't go on.
    fn unseal(&mut self, first: u64, fault: Fault) -> Fault {
        let sealed_before = self.segment.as_ref().is_none_or(|segment| segment.sealed);
        if !sealed_before && self.options.signing_key.is_some() {
            let name = layout::seal(first);
            let unsealed =
                storage::clear(&mut self.storage, &name).and_then(|()| self.storage.sync_directory());
            if unsealed.is_err() {
                self.abandon_segment();
            }
        }
        fault
    }

    fn remove_leftover(&mut self, first: u64) -> io::Result<()> {
        storage::clear(&mut self.storage, &layout::segment(first))?;
        self.storage.sync_directory()?;
        self.leftover = None;
        Ok(())
    }

    /// Keeps back room for the last records of a full disk, as much as the options say.
    pub(super) fn keep_reserve(&mut self) -> io::Result<()> {
        let wanted = self.options.reserve_bytes;
        if wanted == 0 {
            return storage::clear(&mut self.storage, layout::RESERVE);
        }
        match self.storage.length(layout::RESERVE) {
            Ok(length) if length == wanted => return Ok(()),
            // Another length, or no file at all: whatever keeps it from being read keeps it from being replaced.
            _ => {}
        }
        let zeros = vec![0; usize::try_from(wanted).map_err(|_| io::ErrorKind::InvalidInput)?];
        let kept = storage::replace(&mut self.storage, layout::TEMPORARY, layout::RESERVE, &zeros);
        if kept.is_err() {
            // What there is of it must not take the room that is left.
            let _ = storage::clear(&mut self.storage, layout::TEMPORARY);
        }
        kept
    }

    /// Gives up the reserve, so that the last records fit.
    pub(super) fn give_up_reserve(&mut self, now: Now) {
        if self.was_full.is_none() {
            let what = "only what matters most is recorded until there is room";
            self.say(format!("the disk of the audit log is full: {what}"));
        }
        self.full = Some(Outage::after(self.was_full.take(), now));
        if let Err(error) = storage::clear(&mut self.storage, layout::RESERVE) {
            self.say(format!("the reserve of the audit log can't be given up: {error}"));
        }
    }

    /// Looks whether there is room again.
    pub(super) fn make_room(&mut self, now: Now) {
        match self.keep_reserve() {
            Err(error) if is_full(&error) => {
                self.full = Some(Outage::after(self.full, now));
                return;
            }
            // Where that fails, it is not for want of room: records are tried again.
            kept => self.tell_of_reserve(kept),
        }
        self.was_full = self.full.take();
    }

    /// Says once that no room can be kept back, and once that it can again.
    fn tell_of_reserve(&mut self, kept: io::Result<()>) {
        let was_unreserved = std::mem::replace(&mut self.unreserved, kept.is_err());
        match kept {
            Err(error) if !was_unreserved => self.say(format!(
                "the audit log can keep no room for its last records on a full disk, and tries again with its next segment: {error}"
            )),
            Ok(()) if was_unreserved => {
                self.say("the audit log keeps room for its last records on a full disk again".to_owned());
            }
            _ => {}
        }
    }

    /// Says that a segment ended where nothing can seal it.
    fn tell_of_unsealed(&mut self, first: u64) {
        if self.options.signing_key.is_some() {
            let segment = layout::segment(first);
            self.say(format!(
                "the segment {segment} of the audit log was moved away or removed before it ended, and gets no seal"
            ));
        }
    }
}
