//! The log on disk: a directory of segments that one writer appends to, batch by batch.
//!
//! Nothing here waits or knows a thread, and a clock is read only to time a sync; [`Trail`](crate::Trail) does the rest. The steps of a batch are: one write,
//! one sync; only then is it acknowledged. What each failure does:
//!
//! | Failure | What is done |
//! | --- | --- |
//! | a write or a sync | final for the file, whose pages may be gone although a second sync would succeed: cut to what was acknowledged, a new segment, `log_fault`, and the batch again there |
//! | somebody removed the segment, or all of the directory | as above, found after each sync: the directory is made anew, and claimed, and room is kept back in it |
//! | that too | the batch is lost by its mode; again with growing pauses |
//! | the disk is full | the reserve is given up for what the trail says of itself, revocations and strict events; the rest is lost by its mode until the reserve can be made again; checkpoints are signed, and no records of them written |
//! | a new segment can't be made in time | the old one is used on, and it is tried again |
//! | the directory was moved away | the open file is used on, until somebody asks for a new one; it gets no seal |
//! | the reserve can't be made | warned of once, and tried again with the next segment |
//! | a checkpoint can't be written | warned of once, and tried again when the next is due |

mod commit;
mod disk;
mod health;
mod item;
pub(crate) mod layout;
mod open;
mod options;
mod said;
mod scan;
mod seal;
mod segment;
mod storage;
mod torn;

#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod tests;

use std::time::Duration;

use auth_core::observe::Label;
use auth_core::time::{Deadline, Moment, Now, Timestamp};

pub(crate) use self::disk::Disk;
use self::health::{Fault, Gaps, Outage};
use self::item::Rendering;
pub(crate) use self::item::{Fate, Item};
pub use self::open::OpenError;
pub use self::options::{LogOptions, Mode, Modes};
use self::said::Flood;
pub(crate) use self::storage::Storage;
use crate::chain::{Frontier, Hash, Head};
use crate::clock::Clock;
use crate::entry::{Entry, Event, LogStep, TrailEvent};

/// A log that is being written.
pub(crate) struct Log<S: Storage> {
    storage: S,
    options: LogOptions,
    name: Label,
    /// The last record that is safe.
    head: Head,
    /// The tree up to `head`, but for the records in `hashes`.
    frontier: Frontier,
    hashes: Vec<Hash>,
    /// `None` after a fault.
    segment: Option<Segment<S::File>>,
    /// The segment that a fault put an end to, until the next one begins and it is sealed.
    faulty: Option<u64>,
    /// The number of a segment that could not be begun, and whose file may still be there.
    leftover: Option<u64>,
    /// Until when a segment that should be the last is used on, because the next could not be made.
    postponed: Option<Outage>,
    failing: Option<Outage>,
    full: Option<Outage>,
    /// The last time that the disk was full, until a batch was written since.
    was_full: Option<Outage>,
    /// What the log has to say of itself with the next batch.
    notices: Vec<TrailEvent>,
    /// What its last record is to say.
    closing: Option<TrailEvent>,
    /// Whether no room could be kept back, and that was told.
    unreserved: bool,
    gaps: Gaps,
    /// What is to be told to whoever runs the log.
    said: Vec<String>,
    /// Whether it was told of a fault that is not over.
    troubled: bool,
    flood: Option<Flood>,
    checkpoint: Checkpointing,
    /// The log's own records since somebody took them.
    own: Vec<Entry>,
    rendering: Rendering,
    lines: Vec<u8>,
    clock: Clock,
    /// How many records each sync brought to the disk since somebody took them, and how long it took.
    syncs: Vec<(u64, Duration)>,
}

/// The segment that is being written.
struct Segment<F> {
    file: F,
    first: u64,
    /// Up to the end of what is safe.
    length: u64,
    /// By the clock that nobody sets.
    opened: Moment,
    /// How old it was then, as far as the wall clock tells: where another process began it.
    age: Duration,
    /// Whether it is to be added to no more.
    sealed: bool,
}

impl<F> Segment<F> {
    fn age(&self, now: Now) -> Duration {
        self.age + now.mono.elapsed().saturating_sub(self.opened.elapsed())
    }
}

/// How far the newest checkpoint goes.
struct Checkpointing {
    /// The last record that the file `checkpoint` covers.
    covered: u64,
    /// The last record that is covered, or says only what was covered.
    told: u64,
    due: Deadline,
    failing: bool,
}

/// Brings a file's bytes to the disk, and says how long that took.
fn timed_sync<S: Storage>(storage: &mut S, file: &mut S::File, clock: Clock) -> Result<Duration, Fault> {
    let begun = clock.now().mono;
    storage.sync(file).map_err(Fault::at(LogStep::Sync))?;
    Ok(clock.now().mono.elapsed().saturating_sub(begun.elapsed()))
}

impl<S: Storage> Log<S> {
    /// The modes of the classes.
    pub(crate) const fn modes(&self) -> Modes {
        self.options.modes
    }

    /// Whether records are being written, as far as is known.
    pub(crate) const fn is_well(&self) -> bool {
        self.failing.is_none() && self.full.is_none()
    }

    /// The log's own records since the last call, in order; they come before the items of the same batch.
    pub(crate) fn take_own(&mut self) -> std::vec::Drain<'_, Entry> {
        self.own.drain(..)
    }

    /// How many records each sync since the last call brought to the disk, and how long it took.
    pub(crate) fn take_syncs(&mut self) -> std::vec::Drain<'_, (u64, Duration)> {
        self.syncs.drain(..)
    }

    /// Completes the tree. It can wait until whoever waits for the records has been told.
    pub(crate) fn settle(&mut self) {
        self.hashes.drain(..).for_each(|hash| self.frontier.push(&hash));
    }

    /// When [`tick`](Self::tick) has something to do although nobody records anything.
    pub(crate) fn wakes_in(&self, now: Now) -> Option<Duration> {
        let again = self.failing.as_ref().or(self.full.as_ref()).map(Outage::again);
        let checkpoint = (self.failing.is_none() && self.has_unsigned()).then_some(self.checkpoint.due);
        let calm = self.flood.map(|flood| flood.over);
        again.into_iter().chain(checkpoint).chain(calm).map(|deadline| deadline.remaining(now)).min()
    }

    /// Does what is due: a checkpoint, or another try at a disk that failed or was full.
    pub(crate) fn tick(&mut self, now: Now) {
        if !self.is_well() {
            self.commit(&mut [], now);
        }
        self.watch_queue(&[], now);
        if self.checkpoint.due.passed(now) {
            self.sign_checkpoint(now);
        }
    }

    /// What the last record is to say: nothing comes after it in the log.
    pub(crate) fn close_with(&mut self, event: TrailEvent) {
        self.closing = Some(event);
    }

    /// The last try to write what could not be written, the last record, and the last checkpoint.
    pub(crate) fn finish(&mut self, now: Now) {
        self.failing.iter_mut().chain(&mut self.full).for_each(|outage| outage.expire(now));
        self.is_kept(now);
        self.commit(&mut [], now);
        let signs = self.is_to_be_signed();
        if signs {
            self.tell_checkpoint(now);
        }
        if let Some(event) = self.closing.take() {
            self.record(event, now);
        }
        // That record is told to nobody in a further one, but the file covers it too.
        if signs || self.is_to_be_signed() {
            self.write_checkpoint();
        }
        self.end_flood();
    }

    /// Writes to the segment no more.
    fn abandon_segment(&mut self) {
        if let Some(segment) = self.segment.take() {
            self.faulty = Some(segment.first);
        }
    }

    fn own_record(&mut self, head: &mut Head, at: Timestamp, event: TrailEvent) -> Entry {
        let event = Event::Trail(event);
        self.rendering.append(&mut self.lines, head, at, None, &event);
        Entry::new(head.sequence, at, None, event)
    }
}
