//! One pass over the records, from the first segment to the last.

use std::mem;
use std::ops::ControlFlow;

use super::directory::{Listing, note};
use super::lines::{Lines, Next};
use super::tree::Tree;
use super::{Finding, Verification, Verified, VerifyError};
use crate::chain::{Frontier, Hash, Head};
use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, Event, PreviousEnd, SegmentReason, TrailEvent};
use crate::log::layout::{self, CHECKPOINT};

/// Whoever takes the records, and says when they have enough.
type Taker<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

pub(super) fn run(verification: &Verification, take: Taker<'_>) -> Result<Option<Verified>, VerifyError> {
    let directory = &verification.directory;
    // A checkpoint is written after its records: read before them, it can't be ahead of a log that is being written.
    let mut newest = note(directory, CHECKPOINT)?;
    let mut listing = Listing::read(directory)?;
    if newest.is_none() && !listing.segments.is_empty() {
        // It comes before the first segment of a log: this one may have begun between the two.
        newest = note(directory, CHECKPOINT)?;
        listing = Listing::read(directory)?;
    }
    let Some(begins) = listing.segments.first().copied() else {
        return Err(VerifyError::NoLog(directory.clone()));
    };
    let mut walk = Walk {
        verification,
        head: Head::EMPTY,
        tree: Tree::new(),
        key: None,
        excused_by_fault: None,
        awaited: Vec::new(),
        before: (Frontier::new().root(), Hash::NONE),
        has_checkpoint: newest.is_some(),
        unsigned: None,
        doubtful: Vec::new(),
        verified: Verified { foreign: mem::take(&mut listing.foreign), ..Verified::default() },
    };
    walk.await_checkpoints(newest.as_deref())?;
    walk.pass_over_unopened(&mut listing.segments)?;
    for (index, first) in listing.segments.iter().enumerate() {
        let next = listing.segments.get(index + 1).copied();
        if walk.segment(*first, next, listing.seals.binary_search(first).is_ok(), take)?.is_break() {
            return Ok(None);
        }
    }
    let orphan = |seal: &u64| *seal >= begins && listing.segments.binary_search(seal).is_err();
    if let Some(first) = listing.seals.into_iter().find(orphan) {
        let name = layout::seal(first);
        let through = match walk.open_seal(first)? {
            Ok((seal, _)) => seal.size,
            Err(error) => return Err(bad(&name, None, Finding::Note(error))),
        };
        return Err(bad(&name, Some(first), Finding::Missing { from: first, through }));
    }
    walk.finish().map(Some)
}

/// How far a log was read, and what is known of it so far.
pub(super) struct Walk<'a> {
    pub(super) verification: &'a Verification,
    pub(super) head: Head,
    pub(super) tree: Tree,
    /// The key of the segment that is read, by its own account.
    pub(super) key: Option<String>,
    /// What is wrong with the segment before, unless this one says that the disk failed there.
    pub(super) excused_by_fault: Option<VerifyError>,
    /// Checkpoints that are still to be compared, the one of the fewest records last.
    pub(super) awaited: Vec<Awaited>,
    /// The root of the tree and the hash of the last record before the first that is here.
    pub(super) before: (Hash, Hash),
    pub(super) has_checkpoint: bool,
    /// The newest checkpoint is of no key that was given. Which one the log names is said first, if it does.
    pub(super) unsigned: Option<VerifyError>,
    /// What some other key signed than that of the segment that is read.
    pub(super) doubtful: Vec<Doubtful>,
    pub(super) verified: Verified,
}

/// A checkpoint, the name that it has, and the key that signed it.
pub(super) struct Awaited {
    pub(super) file: &'static str,
    pub(super) checkpoint: Checkpoint,
    pub(super) signer: Option<String>,
}

/// What is wrong, unless the next segment names the key that signed: whoever changes the key seals the last segment of the old one.
pub(super) struct Doubtful {
    pub(super) signer: Option<String>,
    pub(super) error: VerifyError,
}

impl Walk<'_> {
    /// Passes over a last segment without a whole record: a crash came between its creation and its first record, and
    /// what is before it stands for itself.
    fn pass_over_unopened(&mut self, segments: &mut Vec<u64>) -> Result<(), VerifyError> {
        let Some(last) = segments.pop_if(|last| *last > 1) else { return Ok(()) };
        let path = self.verification.directory.join(layout::segment(last));
        let unreadable = |error| VerifyError::Unreadable { path: path.clone(), error };
        match Lines::open(&path).map_err(unreadable)?.next().map_err(unreadable)? {
            Next::Torn(length) if !segments.is_empty() => self.verified.unfinished = length,
            Next::End if !segments.is_empty() => {}
            _ => segments.push(last),
        }
        Ok(())
    }

    /// Reads the segment that begins with record `first`, as far as the next one, which begins with `next`.
    fn segment(
        &mut self,
        first: u64,
        next: Option<u64>,
        sealed: bool,
        take: Taker<'_>,
    ) -> Result<ControlFlow<()>, VerifyError> {
        let file = layout::segment(first);
        let path = self.verification.directory.join(&file);
        let unreadable = |error| VerifyError::Unreadable { path: path.clone(), error };
        let mut lines = Lines::open(&path).map_err(unreadable)?;
        self.verified.segments += 1;
        if self.verified.segments == 1 && first > 1 && !self.verification.archived {
            return Err(bad(&file, Some(1), Finding::Archived(first - 1)));
        }
        let mut opened = false;
        loop {
            if opened && next == Some(self.head.sequence + 1) {
                let (superseded, torn) = lines.count_rest().map_err(unreadable)?;
                if superseded > 0 || torn {
                    let (file, finding) = match next {
                        Some(next) if superseded > 0 => (layout::segment(next), Finding::Overlap),
                        _ => (file.clone(), Finding::Torn),
                    };
                    self.verified.superseded += superseded;
                    self.excused_by_fault = Some(bad(&file, next, finding));
                }
                break;
            }
            let at = Some(if opened { self.head.sequence + 1 } else { first });
            match lines.next().map_err(unreadable)? {
                Next::Line(line) if opened => {
                    self.record(line).map_err(|finding| bad(&file, at, finding))?;
                    self.compare()?;
                    if take(line).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Next::Line(line) => {
                    let reason = self.header(line, first).map_err(|finding| bad(&file, at, finding))?;
                    self.resolve_doubts()?;
                    if let Some(error) = self.excused_by_fault.take()
                        && reason != SegmentReason::Fault
                    {
                        return Err(error);
                    }
                    opened = true;
                    self.compare()?;
                    if take(line).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Next::Long => return Err(bad(&file, at, Finding::Long)),
                Next::Torn(length) if next.is_none() => {
                    self.verified.unfinished += length;
                    break;
                }
                Next::Torn(_) => return Err(bad(&file, at, Finding::Torn)),
                Next::End => match next {
                    Some(next) => {
                        let missing = Finding::Missing { from: self.head.sequence + 1, through: next - 1 };
                        return Err(bad(&file, at, missing));
                    }
                    None => break,
                },
            }
        }
        self.seal(first, &file, next.is_some(), sealed)?;
        Ok(ControlFlow::Continue(()))
    }

    /// The first record of a segment: why it begins.
    fn header(&mut self, line: &[u8], first: u64) -> Result<SegmentReason, Finding> {
        let begins = self.verified.segments == 1;
        if begins && first > 1 {
            // What was before is archived: where it ended is what this record says, and what checkpoints vouch for.
            self.head = Head::before(line).ok_or(Finding::Header)?;
        }
        let before = self.head.hash;
        let name = self.head.follow(line)?;
        if name != SEGMENT_OPENED || self.head.sequence != first {
            return Err(Finding::Header);
        }
        let entry = serde_json::from_slice::<Entry>(line).map_err(|_| Finding::Header)?;
        let Event::Trail(TrailEvent::SegmentOpened {
            origin,
            reason,
            first: stated,
            peaks,
            verifier_key,
            library_version,
        }) = entry.event
        else {
            return Err(Finding::Header);
        };
        if stated != first {
            return Err(Finding::Header);
        }
        if begins {
            self.verified.origin = origin.to_string();
            self.verified.first = first;
            // That it was opened is on record in what was archived, then.
            self.verified.is_open = first > 1 && library_version.is_some();
            let peaks = peaks.iter().map(|peak| peak.parse::<Hash>().ok()).collect::<Option<Vec<_>>>();
            let tree = peaks.and_then(|peaks| Frontier::from_peaks(first - 1, peaks));
            let tree = tree.ok_or(Finding::Peaks)?;
            self.before = (tree.root(), before);
            self.tree = Tree::from(tree);
        }
        if origin.as_str() != self.verified.origin {
            return Err(Finding::Origin(origin.to_string()));
        }
        if !self.tree.whole().peaks().iter().map(Hash::to_string).eq(peaks) {
            return Err(Finding::Peaks);
        }
        self.take_key(verifier_key)?;
        self.tree.push(&self.head.hash);
        Ok(reason)
    }

    fn record(&mut self, line: &[u8]) -> Result<(), Finding> {
        let name = self.head.follow(line)?;
        if name == SEGMENT_OPENED {
            return Err(Finding::HeaderAmid);
        }
        match name {
            RECORDS_DROPPED => {
                let entry = serde_json::from_slice::<Entry>(line).map_err(|_| Finding::Form)?;
                if let Event::Trail(TrailEvent::RecordsDropped { count, .. }) = entry.event {
                    self.verified.dropped = self.verified.dropped.saturating_add(count);
                }
            }
            TRAIL_OPENED => self.count_opening(line),
            TRAIL_CLOSED => {
                self.verified.closed += 1;
                self.verified.is_open = false;
            }
            _ => {}
        }
        self.tree.push(&self.head.hash);
        Ok(())
    }

    /// Counts that the log was opened. How it had ended, whoever opened it says; that nobody had closed it shows by itself, unless
    /// that is archived.
    fn count_opening(&mut self, line: &[u8]) {
        // A later version may say it in words that are not known here.
        let said_broken_off = serde_json::from_slice::<Entry>(line).is_ok_and(|entry| {
            let broken_off = PreviousEnd::BrokenOff;
            matches!(entry.event, Event::Trail(TrailEvent::TrailOpened { previous_end, .. }) if previous_end == broken_off)
        });
        let verified = &mut self.verified;
        let is_unclosed = verified.is_open && verified.opened > 0;
        verified.broken_off += u64::from(said_broken_off || is_unclosed);
        verified.opened += 1;
        verified.is_open = true;
    }
}

const SEGMENT_OPENED: &[u8] = b"segment_opened";
const RECORDS_DROPPED: &[u8] = b"records_dropped";
const TRAIL_OPENED: &[u8] = b"trail_opened";
const TRAIL_CLOSED: &[u8] = b"trail_closed";

pub(super) fn bad(file: &str, sequence: Option<u64>, finding: Finding) -> VerifyError {
    VerifyError::Bad { file: file.to_owned(), sequence, finding }
}
