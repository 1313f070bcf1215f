//! Reading a log back: from the files alone, without trusting whoever wrote them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::record::Head;

/// A log whose chain is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many records it has.
    pub records: u64,
    /// The hash of the last record, in hexadecimal: kept elsewhere, it shows whether the end was cut off.
    pub head: String,
}

/// Why a log can't be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file can't be read.
    #[error("the audit log can't be read: {0}")]
    Io(#[from] io::Error),
    /// A record does not fit. Those before it do.
    #[error("record {record} of the audit log is bad: {reason}")]
    BadRecord {
        /// Its place in the file, from 1.
        record: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The longest line that is read, in bytes; ours are below 32 KiB.
const LONGEST_LINE: u64 = 256 * 1024;

/// Verifies the log at `path`: each record's hash, and that each follows the one before.
///
/// # Errors
///
/// [`VerifyError::BadRecord`] names the first record that does not fit.
pub fn verify(path: &Path) -> Result<Verified, VerifyError> {
    let head = read(&File::open(path)?)?;
    Ok(Verified { records: head.sequence, head: head.hash.to_string() })
}

/// Verifies from the beginning of `file` to its end, and says where its chain stands.
pub(crate) fn read(file: &File) -> Result<Head, VerifyError> {
    let mut reader = BufReader::new(file);
    let mut head = Head::EMPTY;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(head);
        }
        let bad = |reason| VerifyError::BadRecord { record: head.sequence + 1, reason };
        let text = line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok())
            .ok_or_else(|| bad("the line is not a whole record"))?;
        let mut next = head;
        next.check(text).map_err(bad)?;
        head = next;
    }
}
