//! Reading a log back: from its files alone, without trusting whoever wrote them.
//!
//! [`Verification`] reads a log's directory once, from the first record to the last, and says either how far it can be
//! trusted ([`Verified`]) or what is wrong and where ([`VerifyError`]).
//!
//! # What is found, and what is not
//!
//! Each record names the hash of the one before, so a record that was changed, removed, moved or doubled shows at its
//! place, unless whoever did it computed every later hash anew, as anybody can who may write the files. Then the signed
//! checkpoints no longer fit: the seal of each finished segment, and the newest one. So records are safe as far as
//! [`Verified::sealed_through`], if the key is given and was kept from whoever wrote the files.
//!
//! A log that names a key has its newest checkpoint, the file `checkpoint`, from before its first record on: where it is missing,
//! somebody removed it, and perhaps the newest segment too.
//!
//! What came after the newest checkpoint may be cut off or written anew; [`Verified::unsealed_tail`] says how much there is.
//! Somebody may also put an older state of the whole directory in its place. Both show only against a checkpoint that was
//! kept elsewhere ([`with_checkpoint`](Verification::with_checkpoint)).
//!
//! Whoever has the signing key can write any log.

mod directory;
mod error;
mod lines;
mod seals;
mod tree;
mod walk;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use self::directory::{Segment, segments};
pub use self::error::{Finding, VerifyError};
pub use self::lines::{Lines, Next};
use crate::checkpoint::{Checkpoint, NoteError, VerifierKey};

/// How a log is verified.
///
/// ```no_run
/// use audit::checkpoint::VerifierKey;
/// use audit::verify::Verification;
///
/// let key: VerifierKey = "audit+2f1b5d0e+AbVTDVkYWkcdNjSgZqXJJhtvtT3DvFu2LfzKcLbrTGFD".parse()?;
/// let verified = Verification::of("/var/lib/rtauth/audit").with_key(key).run()?;
/// println!("{} records, {} of them sealed", verified.records, verified.sealed_through);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verification {
    directory: PathBuf,
    keys: Vec<VerifierKey>,
    /// Notes that were kept elsewhere.
    checkpoints: Vec<String>,
    archived: bool,
}

impl Verification {
    /// Of the log in `directory`.
    #[must_use]
    pub fn of(directory: impl AsRef<Path>) -> Self {
        Self {
            directory: directory.as_ref().to_owned(),
            keys: Vec::new(),
            checkpoints: Vec::new(),
            archived: false,
        }
    }

    /// Checks signatures, which must be of this key. Without one, checkpoints are compared with the records, but whoever
    /// wrote those may have written them too.
    ///
    /// May be called again, with another, for a log whose key was changed: each segment must name one of these keys, and be sealed
    /// by the one that it names, or by the one that took over from it.
    #[must_use]
    pub fn with_key(mut self, key: VerifierKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Checks that the log has all that it had when this checkpoint was signed. May be called again, with another.
    #[must_use]
    pub fn with_checkpoint(mut self, note: impl Into<String>) -> Self {
        self.checkpoints.push(note.into());
        self
    }

    /// Takes a log whose first segments are not there any more. The first that is says where they ended.
    #[must_use]
    pub const fn allowing_archived(mut self) -> Self {
        self.archived = true;
        self
    }

    /// Reads the log. A log may be verified while it is written.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: the first thing that is wrong.
    pub fn run(&self) -> Result<Verified, VerifyError> {
        // Nothing ends this before the log does.
        self.read(&mut |_| ControlFlow::Continue(())).map(Option::unwrap_or_default)
    }

    /// Reads the log, and hands on the line of each record once it fits those before it, until `take` has enough: then the answer is
    /// `None`. That a seal does not fit is known only after the records of its segment were handed on.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: the first thing that is wrong. The records before it have been handed on.
    pub fn read(
        &self,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Option<Verified>, VerifyError> {
        walk::run(self, take)
    }

    /// The checkpoint in `note`, and the key that signed it where there are keys to check that.
    fn open(&self, note: &str) -> Result<(Checkpoint, Option<&VerifierKey>), NoteError> {
        let mut refused = None;
        for key in &self.keys {
            match Checkpoint::open(note, key) {
                Ok(checkpoint) => return Ok((checkpoint, Some(key))),
                Err(error @ NoteError::NotSigned { .. }) => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        refused.map_or_else(|| Checkpoint::read_unverified(note).map(|checkpoint| (checkpoint, None)), Err)
    }
}

/// Verifies the log in `directory` without a key: see [`Verification`].
///
/// # Errors
///
/// [`VerifyError`]: the first thing that is wrong.
pub fn verify(directory: impl AsRef<Path>) -> Result<Verified, VerifyError> {
    Verification::of(directory).run()
}

/// A log in which nothing is wrong, and how far that goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verified {
    /// The log's name.
    pub origin: String,
    /// How many records were read.
    pub records: u64,
    /// The number of the first: greater than 1 where segments are archived, 0 where there is none.
    pub first: u64,
    /// The number of the last; 0 where there is none.
    pub last: u64,
    /// The hash of the last record, in hexadecimal.
    pub head: String,
    /// How many segments there are.
    pub segments: u64,
    /// The last record that a checkpoint covers; 0 where none covers any.
    pub sealed_through: u64,
    /// How many records come after that: they may have been cut off, or written anew.
    pub unsealed_tail: u64,
    /// How many checkpoints had a good signature; 0 where no key was given, and none was checked.
    pub signatures: u64,
    /// The keys that seal the log, by its own account, at most 16. More than one where the key was changed.
    pub keys: Vec<String>,
    /// How many events the log itself says to be in no record.
    pub dropped: u64,
    /// How often the log was opened, as far as its records tell: those of older versions don't.
    pub opened: u64,
    /// How often it was closed.
    pub closed: u64,
    /// How often it was broken off instead: by a crash, a kill or the loss of power, as whoever opened it next found.
    pub broken_off: u64,
    /// Whether whoever opened it last has not closed it: it is being written, or was broken off.
    pub is_open: bool,
    /// How many records were written again after a fault of the disk. Nobody had been told that these were safe.
    pub superseded: u64,
    /// How many bytes there are of a last record that was never finished: of a crash, or of a write in progress. Nobody had
    /// been told that it was safe.
    pub unfinished: u64,
    /// What is in the directory and not of the log, at most 16 names.
    pub foreign: Vec<String>,
}

#[cfg(test)]
mod tests;
