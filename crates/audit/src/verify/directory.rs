//! Which files of a directory belong to a log.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::{Finding, VerifyError};
use crate::checkpoint::{LONGEST_NOTE, NoteError};
use crate::log::layout::{self, CHECKPOINT, LOCK, RESERVE, TEMPORARY};

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

/// What the writer keeps beside the segments.
const OTHERS: [&str; 4] = [CHECKPOINT, LOCK, RESERVE, TEMPORARY];
const MOST_FOREIGN: usize = 16;

impl Listing {
    pub(super) fn read(directory: &Path) -> Result<Self, VerifyError> {
        let unreadable = |error| VerifyError::Unreadable { path: directory.to_owned(), error };
        let mut listing = Self::default();
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let segment = layout::first_of(&name).map(|first| (first, &mut listing.segments));
            let seal = layout::sealed_by(&name).map(|first| (first, &mut listing.seals));
            if let Some((first, files)) = segment.or(seal) {
                // A link could lead to a file that changes under us, or to a device that never ends.
                if !entry.file_type().map_err(unreadable)?.is_file() {
                    return Err(VerifyError::Bad { file: name, sequence: None, finding: Finding::NotAFile });
                }
                files.push(first);
            } else if !OTHERS.contains(&name.as_str()) && listing.foreign.len() < MOST_FOREIGN {
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
            .map_err(|_| bad(Finding::Note(NoteError::Malformed("it is not text")))),
        Ok(None) => Err(bad(Finding::NotAFile)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VerifyError::Unreadable { path, error }),
    }
}

/// A segment of a log, to be read without verifying anything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// The number of its first record, by its name.
    pub first: u64,
    /// Its file.
    pub path: PathBuf,
}

impl Segment {
    /// Its lines, whatever they are: nothing says that they are what was written, or records at all.
    ///
    /// # Errors
    ///
    /// The file can't be opened.
    pub fn lines(&self) -> io::Result<Lines> {
        Lines::open(&self.path)
    }
}

/// The segments of the log in `directory`, the first one first, to be read without verifying anything: for a log that is broken,
/// or to look at what is being written. [`Verification`](super::Verification) reads those that can be trusted.
///
/// ```
/// use audit::verify::{Next, segments};
///
/// # let directory = tempfile::tempdir()?;
/// # let log = directory.path().join("audit");
/// # audit::Trail::builder().log(audit::LogOptions::new(&log)).open()?.close();
/// for segment in segments(&log)? {
///     let mut lines = segment.lines()?;
///     while let Next::Line(line) = lines.next()? {
///         assert!(line.starts_with(b"{\"seq\":"));
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`VerifyError::Unreadable`] where the directory can't be read, [`VerifyError::NoLog`] where it has no segments, and
/// [`VerifyError::Bad`] where a segment is not a file.
pub fn segments(directory: impl AsRef<Path>) -> Result<Vec<Segment>, VerifyError> {
    let directory = directory.as_ref();
    let segments = Listing::read(directory)?.segments;
    if segments.is_empty() {
        return Err(VerifyError::NoLog(directory.to_owned()));
    }
    let segment = |first| Segment { first, path: directory.join(layout::segment(first)) };
    Ok(segments.into_iter().map(segment).collect())
}
