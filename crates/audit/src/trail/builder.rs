//! What a trail is made of.

use std::sync::{Arc, Mutex};

use super::clock::Clock;
use super::outlets::Outlets;
use super::queue::Queue;
use super::writer::{Writer, Written};
use super::{Shared, Trail};
use crate::log::{Disk, Log, LogOptions, Modes, OpenError, Storage};

/// Describes a trail, and opens it.
#[derive(Debug)]
#[must_use = "it does nothing until it is opened"]
pub struct TrailBuilder {
    log: Option<LogOptions>,
    queue: usize,
}

/// How many events may wait for the disk: a few seconds of a busy gateway, about 1 MB.
const QUEUE: usize = 4_096;

impl TrailBuilder {
    pub(super) const fn new() -> Self {
        Self { log: None, queue: QUEUE }
    }

    /// The log that is written; by default none is, and the trail only tells its outlets.
    pub fn log(mut self, options: LogOptions) -> Self {
        self.log = Some(options);
        self
    }

    /// How many events may wait for the disk: 4,096 by default, at least 4. A quarter of them is kept for events whose
    /// class is durable or strict.
    pub const fn queue(mut self, events: usize) -> Self {
        self.queue = events;
        self
    }

    /// Opens the log, creates it where there is none, and starts the thread that writes.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. Without a log, only where there can be no thread.
    pub fn open(self) -> Result<Trail, OpenError> {
        let clock = Clock::start();
        let log = match self.log {
            Some(options) => Some(Log::open(Disk::new(options.directory.clone()), options, clock.now())?),
            None => None,
        };
        start(log, Outlets::default(), self.queue, clock)
    }
}

/// Starts the thread of a trail.
#[expect(clippy::disallowed_methods, reason = "the trail's driver is a thread of its own")]
pub(super) fn start<S: Storage<File: Send> + 'static>(
    log: Option<Log<S>>,
    outlets: Outlets,
    queue: usize,
    clock: Clock,
) -> Result<Trail, OpenError> {
    let modes = log.as_ref().map_or(Modes::client(), Log::modes);
    let queue = Arc::new(Queue::new(queue));
    let written = Arc::new(Written::default());
    let (for_writer, counted) = (Arc::clone(&queue), Arc::clone(&written));
    let writer = Writer { queue: for_writer, written: counted, log, sequence: 0, outlets, clock };
    let thread = std::thread::Builder::new().name("audit-trail".to_owned()).spawn(move || writer.run())?;
    let writer = Mutex::new(Some(thread));
    Ok(Trail { shared: Arc::new(Shared { queue, written, modes, writer }), session: None })
}
