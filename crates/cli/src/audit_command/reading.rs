//! Reading records: those of a log that was verified, and those of one that was not.

use std::ops::ControlFlow;
use std::path::Path;

use audit::Entry;
use audit::verify::{Next, Segment, VerifyError};
use auth_core::time::Timestamp;
use serde::Deserialize;

use crate::exit::{Failure, complain};

/// The segments of a log, the first one first.
pub(super) fn segments(directory: &Path) -> Result<Vec<Segment>, Failure> {
    audit::verify::segments(directory).map_err(|error| super::trust::failure(&error))
}

/// A record of a log.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Known(Entry),
    /// Of an event that this program does not know, as a later version may write it.
    Unknown(Unknown<'a>),
}

#[derive(Debug)]
pub(super) struct Unknown<'a> {
    pub(super) line: &'a str,
    pub(super) frame: Frame,
}

/// What every record has.
#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "seq")]
    pub(super) sequence: u64,
    #[serde(rename = "time")]
    pub(super) at: Timestamp,
    #[serde(default)]
    pub(super) session: Option<String>,
    pub(super) event: String,
}

impl<'a> Record<'a> {
    /// The record in a line; `None` where there is none.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        if let Ok(entry) = serde_json::from_slice(line) {
            return Some(Self::Known(entry));
        }
        let line = std::str::from_utf8(line).ok()?;
        Some(Self::Unknown(Unknown { line, frame: serde_json::from_str(line).ok()? }))
    }

    pub(super) const fn sequence(&self) -> u64 {
        match self {
            Self::Known(entry) => entry.sequence,
            Self::Unknown(unknown) => unknown.frame.sequence,
        }
    }
}

/// The most lines of each segment that are complained of one by one.
const MOST_TOLD: u64 = 20;

/// Hands on the records of a log that nobody verified, until `take` has enough: what is no record is told of and passed over.
///
/// The answer is how many lines were.
pub(super) fn unverified(
    directory: &Path,
    take: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
) -> Result<u64, Failure> {
    const COMMAND: &str = "audit export";
    let segments = segments(directory)?;
    let mut bad = 0;
    for (index, segment) in segments.iter().enumerate() {
        // What the next segment has again, after a fault of the disk, nobody had been told to be safe here.
        let next = segments.get(index + 1).map(|next| next.first);
        let name = segment.path.display();
        let unreadable =
            |error| super::trust::failure(&VerifyError::Unreadable { path: segment.path.clone(), error });
        let mut lines = segment.lines().map_err(unreadable)?;
        let (mut number, mut bad_here, mut superseded, mut is_torn) = (0_u64, 0_u64, 0_u64, false);
        loop {
            number += 1;
            let what = match lines.next().map_err(unreadable)? {
                Next::End => break,
                Next::Torn(_) if next.is_none() => break,
                Next::Torn(_) if is_torn => break,
                Next::Torn(_) => {
                    is_torn = true;
                    "has no end"
                }
                Next::Long => "is longer than any record",
                Next::Line(line) => match Record::of(line) {
                    Some(record) if next.is_some_and(|next| record.sequence() >= next) => {
                        superseded += 1;
                        continue;
                    }
                    Some(record) => {
                        if take(record).is_break() {
                            return Ok(bad);
                        }
                        continue;
                    }
                    None => "is no record of an audit log",
                },
            };
            bad_here += 1;
            if bad_here <= MOST_TOLD {
                complain(COMMAND, format_args!("{}: line {number} {what}", name));
            }
        }
        if bad_here > MOST_TOLD {
            complain(COMMAND, format_args!("{}: and {} more such lines", name, bad_here - MOST_TOLD));
        }
        if superseded > 0 {
            let text = "are left out, since the next segment has these numbers";
            complain(COMMAND, format_args!("{}: {superseded} records at its end {text}", name));
        }
        bad += bad_here;
    }
    Ok(bad)
}
