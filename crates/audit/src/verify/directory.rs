//! Which files of a directory belong to a log.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::{Finding, VerifyError};

/// The files of a log, in order.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The number of the first record of each segment.
    pub(super) segments: Vec<u64>,
    /// The same of each segment that has a seal.
    pub(super) seals: Vec<u64>,
    /// What is not of the log, at most 16 names.
    pub(super) foreign: Vec<String>,
}

/// The newest checkpoint, beside the segments.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// What else the writer keeps beside them.
const OTHERS: [&str; 3] = ["lock", "reserve", "temporary"];
/// Ours have about 300 bytes; what is longer is no checkpoint.
const LONGEST_NOTE: u64 = 64 * 1024;
const MOST_FOREIGN: usize = 16;

pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.jsonl")
}

pub(super) fn seal_name(first: u64) -> String {
    format!("{first:020}.checkpoint")
}

impl Listing {
    pub(super) fn read(directory: &Path) -> Result<Self, VerifyError> {
        let unreadable = |error| VerifyError::Unreadable { path: directory.to_owned(), error };
        let mut listing = Self::default();
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let of_log = match name.split_once('.').map(|(first, kind)| (number(first), kind)) {
                Some((Some(first), "jsonl")) => Some((first, &mut listing.segments)),
                Some((Some(first), "checkpoint")) => Some((first, &mut listing.seals)),
                _ => None,
            };
            if let Some((first, files)) = of_log {
                // A link could lead to a file that changes under us, or to a device that never ends.
                if !entry.file_type().map_err(unreadable)?.is_file() {
                    return Err(VerifyError::Bad { file: name, sequence: None, finding: Finding::NotAFile });
                }
                files.push(first);
            } else if name != CHECKPOINT
                && !OTHERS.contains(&name.as_str())
                && listing.foreign.len() < MOST_FOREIGN
            {
                listing.foreign.push(name);
            }
        }
        listing.segments.sort_unstable();
        listing.seals.sort_unstable();
        listing.foreign.sort_unstable();
        Ok(listing)
    }
}

/// The text of a note; `None` where there is no such file.
pub(super) fn note(directory: &Path, name: &str) -> Result<Option<String>, VerifyError> {
    let path = directory.join(name);
    let bad = |finding| VerifyError::Bad { file: name.to_owned(), sequence: None, finding };
    let read = || -> io::Result<Option<Vec<u8>>> {
        if !fs::symlink_metadata(&path)?.is_file() {
            return Ok(None);
        }
        let mut note = Vec::new();
        File::open(&path)?.take(LONGEST_NOTE + 1).read_to_end(&mut note)?;
        Ok(Some(note))
    };
    match read() {
        Ok(Some(note)) => String::from_utf8(note)
            .map(Some)
            .map_err(|_| bad(Finding::Note(crate::checkpoint::NoteError::Malformed("it is not text")))),
        Ok(None) => Err(bad(Finding::NotAFile)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VerifyError::Unreadable { path, error }),
    }
}

/// The number that names a file: 20 digits.
fn number(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (format!("{number:020}") == text).then_some(number)
}
