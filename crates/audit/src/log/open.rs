//! Opening a log: the newest segment is read and goes on, or nothing is touched and the reason is named.

use std::io::{self, Read as _};

use auth_core::observe::Label;
use auth_core::time::Now;

use super::health::{Fault, Gaps, is_full};
use super::item::Rendering;
use super::scan::{Found, Scan, scan};
use super::storage::Storage;
use super::{Checkpointing, Log, LogOptions, Segment, layout};
use crate::chain::{Frontier, Head};
use crate::checkpoint::{Checkpoint, LONGEST_NOTE, SigningKey, VerifierKey};
use crate::clock::Clock;
use crate::entry::{PreviousEnd, SegmentReason, TrailEvent};

/// Why a log can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another trail in this one, writes to the directory.
    #[error("the audit log is being written by somebody else; one log has one writer")]
    Busy,
    /// There is a file where the directory should be: a log of the form that had one file, perhaps.
    #[error(
        "an audit log is a directory, and there is a file; name another path, and keep the file if it is an older log"
    )]
    NotADirectory,
    /// The directory or a file in it can't be created, read or written.
    #[error("the audit log can't be opened: {0}")]
    Io(#[from] io::Error),
    /// The directory has a log of another name.
    #[error("the directory has the audit log {0:?}; name it so, or choose another directory")]
    OtherLog(Label),
    /// The log is sealed by a key, and none was given: it would go on without, and nobody could tell why.
    #[error("the audit log is sealed by {0}; give its signing key")]
    KeyMissing(String),
    /// The log names a key that signs it, and its newest checkpoint is gone, or is of another key: so may be the newest records.
    #[error(
        "the audit log is signed by {key}, but its file `checkpoint` is {found}: the newest records may be gone with it; \
         bring that file and the segments back as they were, or move the directory aside and keep it"
    )]
    NoCheckpoint {
        /// The key that the newest segment names.
        key: String,
        /// What was found instead.
        found: &'static str,
    },
    /// Records do not fit, or are missing. The log is not extended: that would hide where it broke.
    #[error(
        "record {sequence} of the audit log, in {segment}, is bad: {reason}; move the directory aside and keep it"
    )]
    Broken {
        /// The name of the segment's file.
        segment: String,
        /// The number of the first record that is bad or missing.
        sequence: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl<S: Storage> Log<S> {
    /// Opens the log, or creates it.
    pub(crate) fn open(mut storage: S, options: LogOptions, now: Now) -> Result<Self, OpenError> {
        match storage.claim() {
            Ok(true) => {}
            Ok(false) => return Err(OpenError::Busy),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) =>
            {
                return Err(OpenError::NotADirectory);
            }
            Err(error) => return Err(error.into()),
        }
        let names = storage.names()?;
        let note = read_note(&mut storage, &names, layout::CHECKPOINT)?;
        let own_key = options.signing_key.as_ref().map(SigningKey::verifier);
        let checkpoint = opened(note.as_deref(), own_key.as_ref());
        let watch = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let Newest { segment, stale, dropped } = newest(&mut storage, &names, watch)?;
        if let Some(checkpoint) = &checkpoint {
            holds(checkpoint, segment.as_ref())?;
        }
        let name = match &segment {
            Some((_, scan)) => scan.continued_by(&options)?,
            None => options.name(),
        };
        if let (None, Some(named)) =
            (&checkpoint, segment.as_ref().and_then(|(_, scan)| scan.verifier_key.as_ref()))
        {
            holds(&of_the_key_before(note.as_deref(), named)?, segment.as_ref())?;
        }
        if let Some((first, scan)) = &segment {
            let name = layout::seal(*first);
            let note = read_note(&mut storage, &names, &name)?;
            let seal = opened(note.as_deref(), own_key.as_ref());
            if note.is_some() && own_key.is_some() && seal.is_none() {
                tracing::warn!(name, "a seal of the audit log is not of its key, and shows nothing");
            }
            let last = (scan.head.sequence, scan.head.hash.0);
            if let Some(seal) = seal.filter(|seal| (seal.size, seal.head) != last) {
                return Err(broken(*first, seal.size, "its segment was sealed with this as its last record"));
            }
        }
        let previous_end = match &segment {
            // What was cut off is of somebody who came to no end.
            _ if dropped > 0 || stale.is_some() => PreviousEnd::BrokenOff,
            Some((_, scan)) => scan.end(),
            None => PreviousEnd::None,
        };
        // Nothing was touched so far.
        if let Some(stale) = stale {
            storage.remove(&layout::segment(stale))?;
            storage.sync_directory()?;
        }
        let covered = watch;
        let mut log = Self {
            storage,
            name,
            options,
            head: Head::EMPTY,
            frontier: Frontier::new(),
            hashes: Vec::new(),
            segment: None,
            faulty: None,
            leftover: None,
            postponed: None,
            failing: None,
            full: None,
            was_full: None,
            notices: Vec::new(),
            closing: None,
            unreserved: false,
            gaps: Gaps::default(),
            said: Vec::new(),
            troubled: false,
            flood: None,
            checkpoint: Checkpointing {
                covered,
                told: covered,
                due: now.timer(std::time::Duration::ZERO),
                failing: false,
            },
            own: Vec::new(),
            rendering: Rendering::default(),
            lines: Vec::new(),
            clock: Clock::start(),
            syncs: Vec::new(),
        };
        match log.keep_reserve() {
            Err(error) if is_full(&error) => log.give_up_reserve(now),
            kept => kept?,
        }
        match segment {
            Some((first, scan)) => {
                let is_other_key = scan.verifier_key != log.options.verifier_key();
                let sealed = names.contains(&layout::seal(first));
                log.resume(first, scan, sealed, now)?;
                // What is sealed is not added to, and each segment names the key that seals it.
                if is_other_key {
                    // A checkpoint of the new key comes before the first record that names it.
                    log.renew_checkpoint()?;
                }
                if is_other_key || sealed {
                    log.begin_segment(SegmentReason::Reopened, now).map_err(|Fault { error, .. }| error)?;
                }
            }
            None => log.begin_segment(SegmentReason::Created, now).map_err(|Fault { error, .. }| error)?,
        }
        if dropped > 0 {
            log.say(format!("a crash had torn the end of the audit log: {dropped} bytes are cut off"));
            log.notices.push(TrailEvent::LogRecovered { dropped_bytes: dropped });
        }
        log.commit(&mut [], now);
        let opened = log.options.opener.clone().map(|opener| opener.opened(previous_end, dropped));
        if let Some(opened) = opened
            && !log.record(opened.clone(), now)
        {
            log.notices.push(opened);
        }
        // So that there is a checkpoint from the first moment on, and a verifier with the key has something to check.
        log.sign_checkpoint(now);
        Ok(log)
    }

    /// Goes on in the segment `first`.
    fn resume(&mut self, first: u64, scan: Scan, sealed: bool, now: Now) -> io::Result<()> {
        let mut file = self.storage.open(&layout::segment(first))?;
        if scan.torn > 0 {
            self.storage.truncate(&mut file, scan.length)?;
        }
        // A process may have ended between a write and its sync: what was read is not on the disk yet.
        self.storage.sync(&mut file)?;
        self.storage.sync_directory()?;
        let age = now.wall.saturating_since(scan.opened_at);
        self.head = scan.head;
        self.frontier = scan.frontier;
        self.segment = Some(Segment { file, first, length: scan.length, opened: now.mono, age, sealed });
        Ok(())
    }

    /// Begins a new segment because somebody asks.
    ///
    /// Where the directory was moved away, it is made anew and its lock is taken.
    pub(crate) fn reopen(&mut self, reason: SegmentReason, now: Now) -> io::Result<()> {
        self.claim()?;
        let reason = if self.segment.is_some() { reason } else { SegmentReason::Fault };
        self.next_segment(reason, now).map_err(|Fault { error, .. }| error)
    }
}

/// What is found in a directory.
struct Newest {
    segment: Option<(u64, Scan)>,
    /// A segment after it, in which nothing was ever acknowledged: it is to be removed.
    stale: Option<u64>,
    /// How many bytes of records that nobody was told of are gone.
    dropped: u64,
}

/// Finds the segment that goes on, and what a crash left after it.
fn newest<S: Storage>(storage: &mut S, names: &[String], watch: u64) -> Result<Newest, OpenError> {
    let mut segments = names.iter().filter_map(|name| layout::first_of(name)).collect::<Vec<_>>();
    segments.sort_unstable();
    let (mut dropped, mut stale, mut found) = (0, None, None);
    if let Some(first) = segments.pop() {
        found = match read(storage, first, watch)? {
            Found::Segment(scan) => Some((first, scan)),
            Found::Nothing(_) if segments.is_empty() && first > 1 => {
                return Err(broken(
                    first,
                    first,
                    "it was never written whole, and the records before it are not here",
                ));
            }
            // The power went while the segment was made: nothing in it was ever acknowledged.
            Found::Nothing(bytes) => {
                stale = Some(first);
                dropped += bytes;
                match segments.pop() {
                    None => None,
                    Some(first) => match read(storage, first, watch)? {
                        Found::Segment(scan) => Some((first, scan)),
                        Found::Nothing(_) => return Err(broken(first, first, "the segment is empty")),
                    },
                }
            }
        };
    }
    // A segment that could not be begun, and that a crash brought back, while the one before went on.
    if let (Some((first, scan)), Some(previous)) = (&found, segments.last().copied())
        && stale.is_none()
        && scan.head.sequence == *first
        && scan.reason != SegmentReason::Fault
        && let Found::Segment(before) = read(storage, previous, watch)?
        && before.head.sequence >= *first
    {
        stale = Some(*first);
        dropped += scan.length + scan.torn;
        found = Some((previous, before));
    }
    dropped += found.as_ref().map_or(0, |(_, scan)| scan.torn);
    Ok(Newest { segment: found, stale, dropped })
}

fn read<S: Storage>(storage: &mut S, first: u64, watch: u64) -> Result<Found, OpenError> {
    let name = layout::segment(first);
    scan(storage.read(&name)?, &name, first, watch)
}

fn broken(first: u64, sequence: u64, reason: &'static str) -> OpenError {
    OpenError::Broken { segment: layout::segment(first), sequence, reason }
}

/// The text of a note in the directory, where there is one.
fn read_note<S: Storage>(storage: &mut S, names: &[String], name: &str) -> io::Result<Option<String>> {
    if !names.iter().any(|other| other == name) {
        return Ok(None);
    }
    let mut note = String::new();
    match storage.read(name)?.take(LONGEST_NOTE).read_to_string(&mut note) {
        Ok(_) => Ok(Some(note)),
        // It is not text, and so nobody's note.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
        Err(error) => Err(error),
    }
}

/// What is in a note that `key` signed.
fn opened(note: Option<&str>, key: Option<&VerifierKey>) -> Option<Checkpoint> {
    Checkpoint::open(note?, key?).ok()
}

/// The newest checkpoint where the key was changed: there is one of the key that the newest segment names, as one is written before
/// any record that names a key.
fn of_the_key_before(note: Option<&str>, named: &str) -> Result<Checkpoint, OpenError> {
    let found = if note.is_some() { "not signed by it" } else { "not there" };
    opened(note, named.parse().ok().as_ref())
        .ok_or_else(|| OpenError::NoCheckpoint { key: named.to_owned(), found })
}

/// Checks that the records which a checkpoint covers are there, as far as the newest segment tells.
fn holds(checkpoint: &Checkpoint, segment: Option<&(u64, Scan)>) -> Result<(), OpenError> {
    let (first, last) = segment.map_or((1, 0), |(first, scan)| (*first, scan.head.sequence));
    if last < checkpoint.size {
        return Err(broken(
            first,
            last + 1,
            "the checkpoint covers it, and it is not here: the end was cut off",
        ));
    }
    let last =
        segment.and_then(|(_, scan)| (scan.head.sequence == checkpoint.size).then_some(scan.head.hash));
    match segment.and_then(|(_, scan)| scan.watched).or(last) {
        Some(hash) if hash.0 != checkpoint.head => {
            Err(broken(first, checkpoint.size, "it is not the one that the checkpoint covers"))
        }
        _ => Ok(()),
    }
}
