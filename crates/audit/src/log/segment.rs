//! The beginning of a segment, and the room that is kept back for the end of a full disk.

use auth_core::time::Now;

use super::health::{Fault, Outage};
use super::storage::{self, Storage};
use super::{Log, Segment, layout};
use crate::entry::{LogStep, SegmentReason, TrailEvent};

impl<S: Storage> Log<S> {
    /// Seals the segment, and begins the next one. Until its name and its first record are on the disk, nothing else is
    /// written to it; where that fails all is as it was, or there is no segment.
    ///
    /// After a fault the old segment is sealed last, and need not be.
    pub(super) fn begin_segment(&mut self, reason: SegmentReason, now: Now) -> Result<(), Fault> {
        self.settle();
        if let Some(first) = self.leftover {
            self.remove_leftover(first).map_err(Fault::at(LogStep::Open))?;
        }
        let (old, root) = (self.head, self.frontier.root());
        if let Some(Segment { first, sealed: false, .. }) = self.segment {
            self.seal(first, old, root)
                .map_err(|error| self.unseal(first, Fault { step: LogStep::Write, error }))?;
        }
        let mut head = self.head;
        let first = head.sequence + 1;
        let event = TrailEvent::SegmentOpened {
            origin: self.name.clone(),
            reason,
            first,
            peaks: self.frontier.peaks().iter().map(ToString::to_string).collect(),
            verifier_key: self.options.verifier_key(),
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
        self.segment = Some(Segment { file, first, length, opened_at: now.wall, sealed: false });
        if let Some(faulty) = self.faulty.take()
            && let Err(error) = self.seal(faulty, old, root)
        {
            tracing::warn!(%error, "the segment of the audit log that a fault ended can't be sealed");
        }
        self.head = head;
        self.hashes.push(head.hash);
        self.own.push(entry);
        Ok(())
    }

    /// A segment's file with the first record, which is in `lines`; all of it on the disk.
    fn create_segment(&mut self, first: u64) -> Result<S::File, Fault> {
        let storage = &mut self.storage;
        let mut file = storage.create(&layout::segment(first)).map_err(Fault::at(LogStep::Open))?;
        let written = storage.append(&mut file, &self.lines).map_err(Fault::at(LogStep::Write));
        let synced = written.and_then(|()| storage.sync(&mut file).map_err(Fault::at(LogStep::Sync)));
        let named = synced.and_then(|()| storage.sync_directory().map_err(Fault::at(LogStep::SyncDirectory)));
        named.map(|()| file).inspect_err(|_| {
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

    fn remove_leftover(&mut self, first: u64) -> std::io::Result<()> {
        storage::clear(&mut self.storage, &layout::segment(first))?;
        self.storage.sync_directory()?;
        self.leftover = None;
        Ok(())
    }

    /// Keeps back room for the last records of a full disk; `false` where there is none.
    pub(super) fn keep_reserve(&mut self) -> bool {
        let Ok(bytes) = usize::try_from(self.options.reserve_bytes) else { return false };
        if bytes == 0 {
            return true;
        }
        let zeros = vec![0; bytes];
        let kept = storage::replace(&mut self.storage, layout::TEMPORARY, layout::RESERVE, &zeros);
        if kept.is_err() {
            // What there is of it must not take the room that is left.
            let _ = storage::clear(&mut self.storage, layout::TEMPORARY);
        }
        kept.is_ok()
    }

    /// Gives up the reserve, so that the last records fit.
    pub(super) fn give_up_reserve(&mut self, now: Now) {
        if self.was_full.is_none() {
            tracing::warn!(
                "the disk of the audit log is full: only what matters most is recorded until there is room"
            );
        }
        self.full = Some(Outage::after(self.was_full.take(), now));
        if let Err(error) = storage::clear(&mut self.storage, layout::RESERVE) {
            tracing::warn!(%error, "the reserve of the audit log can't be given up");
        }
    }

    /// Looks whether there is room again.
    pub(super) fn make_room(&mut self, now: Now) {
        if self.keep_reserve() {
            tracing::info!("the disk of the audit log has room again");
            self.was_full = self.full.take();
        } else {
            self.full = Some(Outage::after(self.full, now));
        }
    }
}
