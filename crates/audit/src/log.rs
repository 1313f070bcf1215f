//! The writer: one thread owns the file, takes whatever is queued, writes it once and syncs it once.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use auth_core::time::Timestamp;
use auth_core::{AuthEvent, Observer};

use crate::file::{self, VerifyError};
use crate::record::Head;

/// An audit log that is being written. Clones write to the same log.
///
/// [`observe`](Observer::observe) never waits for the disk: when 4,096 events do, further ones are dropped and
/// counted. Dropping the last clone writes out what is queued, as [`close`](Self::close) does.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    queue: Mutex<Option<SyncSender<(Timestamp, AuthEvent)>>>,
    writer: Mutex<Option<JoinHandle<u64>>>,
    dropped: AtomicU64,
    failed: Arc<AtomicU64>,
}

/// What became of the events of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Records that are on the disk, counting only those of this opening.
    pub written: u64,
    /// Events dropped because the queue was full, or because they came after the log was closed.
    pub dropped: u64,
    /// Events lost to a failing disk.
    pub failed: u64,
}

/// Why a log can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another log in this one, writes to the file.
    #[error("the audit log is being written by somebody else; one log has one writer")]
    Busy,
    /// The file can't be created, read or locked.
    #[error("the audit log can't be opened: {0}")]
    Io(#[from] io::Error),
    /// The file has records that do not fit, and is not extended: that would hide where it broke.
    #[error("{0}; move the file aside and keep it")]
    Broken(VerifyError),
}

/// How many events may wait for the disk: a few seconds of a busy gateway, about 2 MB.
const QUEUE: usize = 4_096;

impl AuditLog {
    /// Opens the log at `path`, or creates it, readable by its owner only.
    ///
    /// A log that exists is verified first, and continued where it ends.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = open_owner_only(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Busy),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let head = file::read(&file).map_err(OpenError::Broken)?;
        let (queue, queued) = sync_channel(QUEUE);
        let failed = Arc::new(AtomicU64::new(0));
        let writer = spawn_writer(Writer { file, head, failed: Arc::clone(&failed) }, queued)?;
        Ok(Self(Arc::new(Inner {
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            dropped: AtomicU64::new(0),
            failed,
        })))
    }

    /// Writes out what is queued, closes the file, and says what became of the events. Blocks until the disk has
    /// them. Later events count as dropped; a second call reports none written.
    #[must_use]
    pub fn close(&self) -> Summary {
        self.0.close()
    }
}

impl Inner {
    fn close(&self) -> Summary {
        drop(lock(&self.queue).take());
        let written = lock(&self.writer).take().map_or(0, |writer| writer.join().unwrap_or(0));
        Summary {
            written,
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Observer for AuditLog {
    fn observe(&self, event: &AuthEvent) {
        let sent = match &*lock(&self.0.queue) {
            Some(queue) => queue.try_send((now(), event.clone())).map_err(|error| match error {
                TrySendError::Full(_) | TrySendError::Disconnected(_) => (),
            }),
            None => Err(()),
        };
        if sent.is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

struct Writer {
    file: File,
    head: Head,
    failed: Arc<AtomicU64>,
}

impl Writer {
    /// Writes until the queue is closed; says how many records are on the disk.
    fn run(mut self, queue: &Receiver<(Timestamp, AuthEvent)>) -> u64 {
        let mut written = 0;
        let mut lines = String::new();
        while let Ok(first) = queue.recv() {
            lines.clear();
            let before = self.head;
            let batch = std::iter::once(first).chain(queue.try_iter()).take(QUEUE);
            let unreadable =
                batch.filter(|(at, event)| self.head.append(&mut lines, *at, event).is_err()).count();
            self.failed.fetch_add(unreadable as u64, Ordering::Relaxed);
            let records = self.head.sequence - before.sequence;
            // One write and one sync for all that waited: the sync in flight is what gathers the next batch.
            let stored = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
            if stored.is_err() {
                // After a failed sync nobody knows what is on the disk, and a second one may lie: stop here, so
                // that what was acknowledged stays true, and count the rest.
                self.failed.fetch_add(records, Ordering::Relaxed);
                while queue.recv().is_ok() {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                }
                return written;
            }
            written += records;
        }
        written
    }
}

#[expect(clippy::disallowed_methods, reason = "the log's driver is a thread of its own")]
fn spawn_writer(writer: Writer, queue: Receiver<(Timestamp, AuthEvent)>) -> io::Result<JoinHandle<u64>> {
    std::thread::Builder::new().name("audit-log".to_owned()).spawn(move || writer.run(&queue))
}

fn open_owner_only(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[expect(clippy::disallowed_methods, reason = "this is the clock of the log's driver")]
fn now() -> Timestamp {
    Timestamp::since_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
