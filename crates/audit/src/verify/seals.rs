//! Checkpoints against the records that they cover.

use std::cmp::Reverse;

use super::directory::note;
use super::walk::{Walk, bad};
use super::{Finding, Verified, VerifyError};
use crate::chain::{Frontier, Hash};
use crate::checkpoint::Checkpoint;
use crate::log::layout::{CHECKPOINT, seal};

/// What stands for a file's name where a checkpoint came from elsewhere.
const GIVEN: &str = "the checkpoint kept elsewhere";

/// The most keys that are told: a log whose key was changed has a few.
const MOST_KEYS: usize = 16;

impl Walk<'_> {
    /// Takes up the checkpoints that are to be compared on the way.
    pub(super) fn await_checkpoints(&mut self, newest: Option<&str>) -> Result<(), VerifyError> {
        let given = self.verification.checkpoints.iter().map(|note| (GIVEN, note.as_str()));
        for (file, note) in newest.map(|note| (CHECKPOINT, note)).into_iter().chain(given) {
            let checkpoint = self.verification.open(note).map_err(|finding| bad(file, None, finding))?;
            self.awaited.push((file, checkpoint));
        }
        self.awaited.sort_by_key(|(_, checkpoint)| Reverse(checkpoint.size));
        Ok(())
    }

    /// Compares the checkpoints that were awaited at the record that was just read.
    pub(super) fn compare(&mut self) -> Result<(), VerifyError> {
        let size = self.head.sequence;
        while let Some((file, checkpoint)) = self.awaited.pop_if(|(_, checkpoint)| checkpoint.size <= size) {
            if checkpoint.size == size {
                self.matches(file, &checkpoint)?;
            } else if checkpoint.size == 0 {
                self.matches_nothing(file, &checkpoint)?;
            } else {
                return Err(bad(file, None, Finding::TooOld(checkpoint.size)));
            }
        }
        Ok(())
    }

    /// Looks for the seal of the segment that was just read.
    pub(super) fn seal(
        &mut self,
        first: u64,
        file: &str,
        finished: bool,
        sealed: bool,
    ) -> Result<(), VerifyError> {
        let last = self.head.sequence;
        if sealed {
            let (name, seal) = (seal(first), self.open_seal(first)?);
            if seal.size > last {
                return Err(bad(file, Some(last + 1), Finding::CutOff { size: seal.size, last }));
            }
            if seal.size < last {
                return Err(bad(file, Some(seal.size + 1), Finding::Added(seal.size)));
            }
            self.matches(&name, &seal)
        } else {
            if finished && self.key.is_some() && self.excused_by_fault.is_none() {
                self.excused_by_fault = Some(bad(file, None, Finding::Unsealed));
            }
            Ok(())
        }
    }

    pub(super) fn open_seal(&self, first: u64) -> Result<Checkpoint, VerifyError> {
        let name = seal(first);
        let note =
            note(&self.verification.directory, &name)?.ok_or_else(|| bad(&name, None, Finding::Unsealed))?;
        self.verification.open(&note).map_err(|finding| bad(&name, None, finding))
    }

    /// The key that a segment names.
    pub(super) fn take_key(&mut self, key: Option<String>) -> Result<(), Finding> {
        let given = self.verification.key.as_ref().map(ToString::to_string);
        // A log may get a key later, but whoever takes it away takes away what vouches for the rest.
        let expected = key.is_some() || !self.verified.keys.is_empty();
        if given.is_some() && expected && key != given {
            return Err(Finding::Key(key));
        }
        if let Some(key) = &key
            && self.verified.keys.len() < MOST_KEYS
            && !self.verified.keys.contains(key)
        {
            self.verified.keys.push(key.clone());
        }
        self.key = key;
        Ok(())
    }

    /// What is left to say after the last record.
    pub(super) fn finish(mut self) -> Result<Verified, VerifyError> {
        let last = self.head.sequence;
        if let Some((file, Checkpoint { size, .. })) = self.awaited.pop() {
            return Err(bad(file, Some(last + 1), Finding::CutOff { size, last }));
        }
        if self.verification.key.is_some() && self.verified.signatures == 0 {
            return Err(bad(CHECKPOINT, None, Finding::Unsigned));
        }
        let verified = &mut self.verified;
        let before = verified.first.saturating_sub(1);
        verified.last = last;
        verified.records = last - before;
        verified.unsealed_tail = last - verified.sealed_through.max(before);
        verified.head = self.head.hash.to_string();
        Ok(self.verified)
    }

    fn matches(&mut self, file: &str, checkpoint: &Checkpoint) -> Result<(), VerifyError> {
        let Checkpoint { origin, size, root, head } = checkpoint;
        if *origin != self.verified.origin {
            return Err(bad(file, None, Finding::Origin(origin.clone())));
        }
        if *root != self.tree.whole().root().0 || *head != self.head.hash.0 {
            return Err(bad(file, Some(*size), Finding::Rewritten(*size)));
        }
        self.count(*size);
        Ok(())
    }

    /// The checkpoint of a log without records is compared with its name alone.
    fn matches_nothing(&mut self, file: &str, checkpoint: &Checkpoint) -> Result<(), VerifyError> {
        let Checkpoint { origin, root, head, .. } = checkpoint;
        if *origin != self.verified.origin {
            return Err(bad(file, None, Finding::Origin(origin.clone())));
        }
        if *root != Frontier::new().root().0 || *head != Hash::NONE.0 {
            return Err(bad(file, None, Finding::Rewritten(0)));
        }
        self.count(0);
        Ok(())
    }

    fn count(&mut self, size: u64) {
        self.verified.sealed_through = self.verified.sealed_through.max(size);
        self.verified.signatures += u64::from(self.verification.key.is_some());
    }
}
