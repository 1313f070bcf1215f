//! Checkpoints against the records that they cover.

use std::cmp::Reverse;

use super::directory::note;
use super::walk::{Awaited, Doubtful, Walk, bad};
use super::{Finding, Verified, VerifyError};
use crate::chain::Hash;
use crate::checkpoint::{Checkpoint, NoteError, VerifierKey};
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
            let error = match self.verification.open(note) {
                Ok((checkpoint, signer)) => {
                    let signer = signer.map(ToString::to_string);
                    self.awaited.push(Awaited { file, checkpoint, signer });
                    continue;
                }
                Err(error) => error,
            };
            let is_of_another = matches!(error, NoteError::NotSigned { .. });
            let error = bad(file, None, Finding::Note(error));
            if file != CHECKPOINT || !is_of_another {
                return Err(error);
            }
            self.unsigned = Some(error);
        }
        self.awaited.sort_by_key(|awaited| Reverse(awaited.checkpoint.size));
        Ok(())
    }

    /// Compares the checkpoints that were awaited at the record that was just read.
    pub(super) fn compare(&mut self) -> Result<(), VerifyError> {
        let size = self.head.sequence;
        while let Some(awaited) = self.awaited.pop_if(|awaited| awaited.checkpoint.size <= size) {
            let Awaited { file, checkpoint, signer } = awaited;
            let (root, head) = if checkpoint.size == size {
                (self.tree.whole().root(), self.head.hash)
            } else if checkpoint.size + 1 == self.verified.first {
                self.before
            } else {
                return Err(bad(file, None, Finding::TooOld(checkpoint.size)));
            };
            self.matches(file, &checkpoint, root, head)?;
            // What was kept elsewhere is of a key that is trusted, and whoever kept it knows why.
            if file == CHECKPOINT {
                self.doubt(file, signer);
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
            let name = seal(first);
            let (seal, signer) = match self.open_seal(first)? {
                Ok((seal, signer)) => (seal, signer.map(ToString::to_string)),
                Err(error) => {
                    let error = bad(&name, None, Finding::Note(error));
                    self.doubtful.push(Doubtful { signer: None, error });
                    return Ok(());
                }
            };
            if seal.size > last {
                return Err(bad(file, Some(last + 1), Finding::CutOff { size: seal.size, last }));
            }
            if seal.size < last {
                return Err(bad(file, Some(seal.size + 1), Finding::Added(seal.size)));
            }
            let tree = self.tree.whole().root();
            self.matches(&name, &seal, tree, self.head.hash)?;
            self.doubt(&name, signer);
            Ok(())
        } else {
            if finished && self.key.is_some() && self.excused_by_fault.is_none() {
                self.excused_by_fault = Some(bad(file, None, Finding::Unsealed));
            }
            Ok(())
        }
    }

    /// The seal of a segment; the inner error where it is of no key that was given.
    pub(super) fn open_seal(
        &self,
        first: u64,
    ) -> Result<Result<(Checkpoint, Option<&VerifierKey>), NoteError>, VerifyError> {
        let name = seal(first);
        let note =
            note(&self.verification.directory, &name)?.ok_or_else(|| bad(&name, None, Finding::Unsealed))?;
        match self.verification.open(&note) {
            Err(error) if !matches!(error, NoteError::NotSigned { .. }) => {
                Err(bad(&name, None, Finding::Note(error)))
            }
            opened => Ok(opened),
        }
    }

    /// Takes note of a signature that is not of the segment's key.
    fn doubt(&mut self, file: &str, signer: Option<String>) {
        if let Some(signer) = signer
            && self.key.as_ref() != Some(&signer)
        {
            let error = bad(file, None, Finding::OtherKey(signer.clone()));
            self.doubtful.push(Doubtful { signer: Some(signer), error });
        }
    }

    /// Says of what was doubtful whether the key that signed it took over with the segment that just began.
    pub(super) fn resolve_doubts(&mut self) -> Result<(), VerifyError> {
        let doubtful = std::mem::take(&mut self.doubtful);
        doubtful
            .into_iter()
            .find(|doubtful| doubtful.signer.is_none() || doubtful.signer != self.key)
            .map_or(Ok(()), |doubtful| Err(doubtful.error))
    }

    /// The key that a segment names.
    pub(super) fn take_key(&mut self, key: Option<String>) -> Result<(), Finding> {
        let given = &self.verification.keys;
        // A log may get a key later, but whoever takes it away takes away what vouches for the rest.
        let expected = key.is_some() || !self.verified.keys.is_empty();
        if !given.is_empty() && expected && !given.iter().any(|given| Some(given.to_string()) == key) {
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
        // A crash came before the first record: the checkpoint that is written before it has nothing to be compared with.
        while self.awaited.pop_if(|awaited| awaited.checkpoint.size == 0).is_some() {
            self.count(0);
        }
        if let Some(Awaited { file, checkpoint: Checkpoint { size, .. }, .. }) = self.awaited.pop() {
            return Err(bad(file, Some(last + 1), Finding::CutOff { size, last }));
        }
        if let Some(error) = self.unsigned {
            return Err(error);
        }
        // A crash came between the last signature and the segment that names a new key: one that the log had before is no new key.
        let named = &self.verified.keys;
        let is_new = |signer: &Option<String>| signer.as_ref().is_some_and(|signer| !named.contains(signer));
        if let Some(doubtful) = self.doubtful.into_iter().find(|doubtful| !is_new(&doubtful.signer)) {
            return Err(doubtful.error);
        }
        if !self.has_checkpoint && !self.verified.keys.is_empty() {
            return Err(bad(CHECKPOINT, None, Finding::NoCheckpoint));
        }
        if !self.verification.keys.is_empty() && self.verified.signatures == 0 {
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

    /// Compares a checkpoint with the tree and the head where it should be.
    fn matches(
        &mut self,
        file: &str,
        checkpoint: &Checkpoint,
        tree: Hash,
        last: Hash,
    ) -> Result<(), VerifyError> {
        let Checkpoint { origin, size, root, head } = checkpoint;
        if *origin != self.verified.origin {
            return Err(bad(file, None, Finding::Origin(origin.clone())));
        }
        if *root != tree.0 || *head != last.0 {
            return Err(bad(file, Some(*size), Finding::Rewritten(*size)));
        }
        self.count(*size);
        Ok(())
    }

    fn count(&mut self, size: u64) {
        self.verified.sealed_through = self.verified.sealed_through.max(size);
        self.verified.signatures += u64::from(!self.verification.keys.is_empty());
    }
}
