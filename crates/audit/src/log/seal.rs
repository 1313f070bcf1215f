//! Signed notes: the seal of a segment that is complete, and the newest checkpoint.

use std::io;
use std::time::Duration;

use auth_core::time::Now;

use super::storage::{self, Storage};
use super::{Checkpointing, Log, layout};
use crate::chain::{Hash, Head};
use crate::checkpoint::Checkpoint;
use crate::entry::TrailEvent;

const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

impl<S: Storage> Log<S> {
    /// Seals the segment `first`, whose last record is `head`; without a key, does nothing.
    pub(super) fn seal(&mut self, first: u64, head: Head, root: Hash) -> io::Result<()> {
        let Some(note) = self.note(head, root) else { return Ok(()) };
        storage::replace(&mut self.storage, layout::TEMPORARY, &layout::seal(first), note.as_bytes())
    }

    /// Whether there is anything that the newest checkpoint does not cover, or that no record carries though it may.
    pub(super) const fn has_unsigned(&self) -> bool {
        let Checkpointing { covered, told, .. } = self.checkpoint;
        let untold = self.full.is_none() && told < self.head.sequence;
        self.options.signing_key.is_some() && (covered < self.head.sequence || untold)
    }

    /// Signs a checkpoint: a record that carries it to whoever keeps it elsewhere, and a file that covers that record too.
    /// An idle log has a checkpoint that covers all of it, and signs no more.
    pub(super) fn sign_checkpoint(&mut self, now: Now) {
        if self.is_to_be_signed() {
            self.tell_checkpoint(now);
            self.write_checkpoint();
        }
    }

    /// Whether there is anything to sign, on a disk that takes it.
    pub(super) const fn is_to_be_signed(&self) -> bool {
        self.has_unsigned() && self.failing.is_none()
    }

    /// Records a checkpoint of what there is so far, for whoever keeps it elsewhere.
    pub(super) fn tell_checkpoint(&mut self, now: Now) {
        self.settle();
        // A bound, so that a disk that can't take it is not tried without a pause.
        let interval = self.options.checkpoint_every.max(SHORTEST_INTERVAL);
        self.checkpoint.due = now.timer(interval);
        // A full disk has room for what it covers, and for no record of it: the file alone is replaced.
        if self.full.is_none() && self.checkpoint.told < self.head.sequence {
            let Some(note) = self.note(self.head, self.frontier.root()) else { return };
            self.notices.push(TrailEvent::CheckpointSigned { size: self.head.sequence, note });
            self.commit(&mut [], now);
            self.settle();
            let notices = self.notices.len();
            self.notices.retain(|event| !matches!(event, TrailEvent::CheckpointSigned { .. }));
            if self.notices.len() == notices {
                self.checkpoint.told = self.head.sequence;
            }
        }
    }

    /// Writes the file `checkpoint`, of what there is so far, and says where that begins to fail.
    pub(super) fn write_checkpoint(&mut self) {
        self.settle();
        let Some(note) = self.note(self.head, self.frontier.root()) else { return };
        let storage = &mut self.storage;
        // In a directory that somebody put in the place of ours it would vouch for records that are elsewhere.
        let written = if storage.is_claimed() {
            storage::replace(storage, layout::TEMPORARY, layout::CHECKPOINT, note.as_bytes())
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, "the directory was moved away"))
        };
        match &written {
            Ok(()) => {
                self.checkpoint.covered = self.head.sequence;
                if self.checkpoint.failing {
                    self.say("the checkpoint of the audit log is being written again".to_owned());
                }
            }
            Err(error) if !self.checkpoint.failing => {
                self.say(format!("the checkpoint of the audit log can't be written: {error}"));
            }
            Err(_) => {}
        }
        self.checkpoint.failing = written.is_err();
        if written.is_err() && self.full.is_some() {
            // What there is of it must not take the room that is left.
            let _ = storage::clear(&mut self.storage, layout::TEMPORARY);
        }
    }

    /// Writes the file `checkpoint` where there is none: before the first record that names the key, so that whoever finds such a
    /// record and no checkpoint knows that it was removed.
    pub(super) fn ensure_checkpoint(&mut self) -> io::Result<()> {
        match self.storage.length(layout::CHECKPOINT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.renew_checkpoint(),
            result => result.map(drop),
        }
    }

    /// Writes the file `checkpoint`, of what there is so far; without a key, does nothing.
    pub(super) fn renew_checkpoint(&mut self) -> io::Result<()> {
        self.settle();
        let Some(note) = self.note(self.head, self.frontier.root()) else { return Ok(()) };
        storage::replace(&mut self.storage, layout::TEMPORARY, layout::CHECKPOINT, note.as_bytes())
    }

    fn note(&self, head: Head, root: Hash) -> Option<String> {
        let key = self.options.signing_key.as_ref()?;
        let origin = self.name.to_string();
        Some(Checkpoint { origin, size: head.sequence, root: root.0, head: head.hash.0 }.sign(key))
    }
}
