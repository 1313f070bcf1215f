//! Reading one segment when a log is opened: where its chain stands, and where a crash tore it.

use std::io::{self, BufRead};

use auth_core::observe::Label;
use auth_core::time::Timestamp;

use super::torn::was_written;
use super::{LogOptions, OpenError};
use crate::chain::{Frontier, Hash, Head, LONGEST_LINE, Misfit};
use crate::entry::{Entry, Event, PreviousEnd, SegmentReason, TrailEvent};

/// A segment, read.
pub(super) struct Scan {
    pub(super) origin: Label,
    /// The key that seals it.
    pub(super) verifier_key: Option<String>,
    pub(super) reason: SegmentReason,
    pub(super) opened_at: Timestamp,
    /// Where the chain stands after its last whole record.
    pub(super) head: Head,
    pub(super) frontier: Frontier,
    /// How long the whole records are.
    pub(super) length: u64,
    /// How many bytes come after them.
    pub(super) torn: u64,
    /// The hash of the record that was asked for, if it is here.
    pub(super) watched: Option<Hash>,
    /// Whether who wrote it tells of beginning and end.
    tells: bool,
    /// Whether its last whole record tells of the end.
    closed: bool,
}

/// What a segment's file holds.
pub(super) enum Found {
    Segment(Scan),
    /// No record at all, but so many bytes of one that was being written.
    Nothing(u64),
}

const TRAIL_OPENED: &[u8] = b"trail_opened";
const TRAIL_CLOSED: &[u8] = b"trail_closed";

/// The longest first record, by far: 64 peaks, a key and a name.
const LONGEST_HEADER: u64 = 16 * 1024;

/// Reads the segment `name`, whose first record has the number `first`, and notes the hash of the record `watch`.
pub(super) fn scan(reader: impl BufRead, name: &str, first: u64, watch: u64) -> Result<Found, OpenError> {
    let broken = |sequence, reason| OpenError::Broken { segment: name.to_owned(), sequence, reason };
    let mut lines = Lines { reader, line: Vec::new() };
    let line = lines.next()?;
    let header = line.whole.then(|| header(&lines.line, first)).flatten();
    let Some(mut scan) = header else {
        return match lines.torn_from(0, &line)? {
            Some(bytes) if bytes <= LONGEST_HEADER => Ok(Found::Nothing(bytes)),
            _ => Err(broken(first, "its first record is not the one that opens a segment")),
        };
    };
    let mut line = line;
    loop {
        let followed = if line.whole { scan.head.follow(&lines.line) } else { Err(Misfit::Form) };
        match followed {
            Ok(event) => {
                scan.tells |= event == TRAIL_OPENED;
                scan.closed = event == TRAIL_CLOSED;
                scan.frontier.push(&scan.head.hash);
                scan.length += line.length;
                if scan.head.sequence == watch {
                    scan.watched = Some(scan.head.hash);
                }
            }
            Err(misfit) => {
                let sequence = scan.head.sequence + 1;
                // A first record that can be read and does not fit is no accident.
                let torn = if scan.length == 0 { None } else { lines.torn_from(scan.length, &line)? };
                scan.torn = torn.ok_or_else(|| broken(sequence, reason_of(misfit)))?;
                return Ok(Found::Segment(scan));
            }
        }
        line = lines.next()?;
        if line.length == 0 {
            return Ok(Found::Segment(scan));
        }
    }
}

/// A segment of which nothing but its first record is known: where chain and tree stood before that.
fn header(line: &[u8], first: u64) -> Option<Scan> {
    #[derive(serde::Deserialize)]
    struct Chained<'a> {
        prev: &'a str,
    }
    let entry: Entry = serde_json::from_slice(line).ok()?;
    let chained: Chained<'_> = serde_json::from_slice(line).ok()?;
    let Event::Trail(TrailEvent::SegmentOpened {
        origin,
        reason,
        first: stated,
        peaks,
        verifier_key,
        library_version,
    }) = entry.event
    else {
        return None;
    };
    let head = Head { sequence: first.checked_sub(1)?, hash: chained.prev.parse().ok()? };
    let peaks = peaks.iter().map(|peak| peak.parse()).collect::<Result<Vec<Hash>, _>>().ok()?;
    let frontier = Frontier::from_peaks(head.sequence, peaks)?;
    let opened_at = entry.at;
    let scan = Scan {
        origin,
        verifier_key,
        reason,
        opened_at,
        head,
        frontier,
        length: 0,
        torn: 0,
        watched: None,
        tells: library_version.is_some(),
        closed: false,
    };
    (stated == first).then_some(scan)
}

impl Scan {
    /// The name of the log, if it may be continued as `options` say.
    pub(super) fn continued_by(&self, options: &LogOptions) -> Result<Label, OpenError> {
        match (&options.origin, &self.verifier_key) {
            (Some(origin), _) if *origin != self.origin => Err(OpenError::OtherLog(self.origin.clone())),
            (_, Some(key)) if options.signing_key.is_none() => Err(OpenError::KeyMissing(key.clone())),
            _ => Ok(self.origin.clone()),
        }
    }

    /// How whoever wrote it came to their end, as far as its whole records tell.
    pub(super) const fn end(&self) -> PreviousEnd {
        match (self.closed, self.tells) {
            (true, _) => PreviousEnd::Clean,
            (false, true) => PreviousEnd::BrokenOff,
            (false, false) => PreviousEnd::Unknown,
        }
    }
}

const fn reason_of(misfit: Misfit) -> &'static str {
    match misfit {
        Misfit::Form => "it is not a whole record, and records follow it",
        Misfit::Changed => "it does not match its hash: it was changed",
        Misfit::Sequence | Misfit::Predecessor => {
            "it does not follow its predecessor: one was removed, moved or doubled"
        }
    }
}

struct Lines<R> {
    reader: R,
    /// The line that was read last, without its end; only its beginning where it is too long.
    line: Vec<u8>,
}

struct Line {
    /// With its end.
    length: u64,
    /// Whether it has an end, and a length that a record can have.
    whole: bool,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Line> {
        self.line.clear();
        let mut length = 0;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(Line { length, ended: false, whole: false });
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            let room = LONGEST_LINE - self.line.len();
            self.line.extend_from_slice(&available[..taken.min(room)]);
            let used = taken + usize::from(end.is_some());
            self.reader.consume(used);
            length += used as u64;
            if end.is_some() {
                return Ok(Line { length, ended: true, whole: length <= LONGEST_LINE as u64 });
            }
        }
    }

    /// Reads on from a line that does not fit. If it is what a crash leaves, the answer is how many bytes there are from its
    /// beginning; `None` if it was a record once, or one follows it: nothing that was written whole may be cut off.
    fn torn_from(&mut self, offset: u64, line: &Line) -> io::Result<Option<u64>> {
        let mut bytes = line.length;
        let mut line = Line { ..*line };
        loop {
            if was_written(&self.line, offset + bytes - line.length, line.ended) {
                return Ok(None);
            }
            line = self.next()?;
            bytes += line.length;
            if line.length == 0 {
                return Ok(Some(bytes));
            }
        }
    }
}
