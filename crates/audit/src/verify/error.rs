//! What can be wrong with a log, and where.

use std::io;
use std::path::PathBuf;

use crate::chain::Misfit;
use crate::checkpoint::NoteError;

/// Why a log can't be trusted, or could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file or the directory can't be read: nothing is known about the log.
    #[error("{} can't be read: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The directory has no segments.
    #[error("there is no audit log in {}; name the directory that has its segments", .0.display())]
    NoLog(PathBuf),
    /// The log is not what was written.
    #[error("the audit log can't be trusted: {file}{}: {finding}", place(*.sequence))]
    Bad {
        /// The name of the file.
        file: String,
        /// The number of the record that is wrong or missing, where it is about one.
        sequence: Option<u64>,
        /// What is wrong.
        finding: Finding,
    },
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// A line is no record.
    #[error("the line is not a record of an audit log")]
    Form,
    /// A line is longer than any record.
    #[error("the line is longer than any record")]
    Long,
    /// A record does not match its own hash.
    #[error("the record does not match its hash: it was changed")]
    Changed,
    /// A record does not follow the one before.
    #[error("the record does not follow the one before: records were removed, moved, doubled or put in")]
    OutOfPlace,
    /// A record is torn, but records follow it.
    #[error("the record has no end, but others follow in the next file")]
    Torn,
    /// Records are missing from here on.
    #[error("records {from} to {through} are missing")]
    Missing {
        /// The first.
        from: u64,
        /// The last.
        through: u64,
    },
    /// The first segments are missing.
    #[error("records 1 to {0} are missing; if they are archived, say so")]
    Archived(u64),
    /// The same records are in two segments, without a fault that explains it.
    #[error("the file begins before the one before it ends, without a fault of the disk that explains it")]
    Overlap,
    /// A segment does not begin with a record that says so.
    #[error("the first record does not open a segment that begins there")]
    Header,
    /// A segment begins amid another.
    #[error("the record opens a segment, but is not the first of its file")]
    HeaderAmid,
    /// A segment is of another log.
    #[error("the file is of another log, {0:?}")]
    Origin(String),
    /// The tree in a segment's first record is not that of the records before.
    #[error("the file does not continue these records: its Merkle tree is another")]
    Peaks,
    /// A segment names another key than those that were given, or none after others named one.
    #[error("{}", other_key(.0.as_deref()))]
    Key(Option<String>),
    /// A checkpoint or a seal is signed by a key that was given, but not by the one that its segment names.
    #[error("it is signed by {0}, a key that was given, but not the one of its segment")]
    OtherKey(String),
    /// The log names a key, and there is no newest checkpoint.
    #[error(
        "it is missing, although the log names a key, whose checkpoint is there from the first record on: the newest records may be \
         gone with it"
    )]
    NoCheckpoint,
    /// A finished segment has no seal.
    #[error("the file has no seal, although it is finished and the log has a key")]
    Unsealed,
    /// A key was given, and nothing is signed by it.
    #[error("nothing in this log is signed by the key that was given")]
    Unsigned,
    /// A checkpoint can't be read or was not signed by the key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A checkpoint covers more than there is.
    #[error("the checkpoint covers {size} records, but the log ends at {last}: records were cut off")]
    CutOff {
        /// What it covers.
        size: u64,
        /// Where the log, or the segment that it seals, ends.
        last: u64,
    },
    /// A seal covers less than its segment.
    #[error("the seal ends at record {0}, but its segment goes on: records were added")]
    Added(u64),
    /// A checkpoint says something else than the records.
    #[error("the checkpoint of {0} records does not match them: they were written anew")]
    Rewritten(u64),
    /// A checkpoint is of records that are not there any more.
    #[error("the checkpoint covers only {0} records, which are archived: verify it with them")]
    TooOld(u64),
    /// A name of the log is taken by something that is not a file.
    #[error("it is not a regular file")]
    NotAFile,
}

impl From<Misfit> for Finding {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Form => Self::Form,
            Misfit::Changed => Self::Changed,
            Misfit::Sequence | Misfit::Predecessor => Self::OutOfPlace,
        }
    }
}

fn other_key(key: Option<&str>) -> String {
    key.map_or_else(
        || "from this file on the log is sealed by no key, although it was before".to_owned(),
        |key| {
            format!(
                "from this file on the log is to be sealed by {key}, which is not among the keys that were given; if you trust it, give it too"
            )
        },
    )
}

fn place(sequence: Option<u64>) -> String {
    sequence.map_or_else(String::new, |sequence| format!(", record {sequence}"))
}
