//! A store in a file, for all processes of one user.

mod fault;
mod lock;
mod place;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::Error;
use auth_core::renewal::Record;
use blocking::{Task, unblock};

use self::lock::Lock;
use self::place::Place;
use super::{Disk, LockedStore, StdDisk, TokenStore};

/// Keeps tokens in a file that only its owner may read.
///
/// The file is replaced in one step and never written in place: a crash at any moment leaves the old record or the new one.
/// A [`save`](LockedStore::save) that has returned survives a loss of power. Beside a file `tokens.json` lie `tokens.json.lock`,
/// which stays there for ever, for a moment `tokens.json.new`, and `tokens.json.unreadable-1` and so on: what was found
/// instead of a record under the lock, moved aside for a person to look at. A record that a newer release wrote is never
/// moved nor overwritten.
///
/// The lock is the operating system's (`flock` on Unix): it is free again when its holder ends, however it ends. All work
/// happens on the threads of the crate `blocking`, so that a slow disk holds up no executor, whichever that is.
///
/// ```no_run
/// use auth_http::store::{FileStore, TokenStore as _};
///
/// # async fn example() -> Result<(), auth_core::Error> {
/// let store = FileStore::open("tokens.json")?;
/// if let Some(mut locked) = store.try_lock().await? {
///     let mut record = locked.load().await?.unwrap_or_default();
///     record.refresh_token = None; // what a person who logs out wants
///     locked.save(&record).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// Clones share the path; two managers that share a file exclude each other, in one process as in two.
#[derive(Clone)]
pub struct FileStore(Arc<Place>);

impl FileStore {
    /// A store in the file at `path`, which need not exist; its directory must. Looks at the file at once, and so blocks.
    ///
    /// A symbolic link is followed here, once: what it points at is replaced later, never the link.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](auth_core::ErrorKind::Misconfigured) when there is no such directory, the path names something
    /// other than a plain file, or others than its owner may open it;
    /// [`StoreFailed`](auth_core::ErrorKind::StoreFailed) when it can't be looked at.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_on(path, StdDisk)
    }

    /// The same on another disk.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), which asks the operating system and not `disk`.
    pub fn open_on(path: impl AsRef<Path>, disk: impl Disk + 'static) -> Result<Self, Error> {
        Place::resolve(path.as_ref(), Box::new(disk)).map(|place| Self(Arc::new(place)))
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self) -> Result<Option<Record>, Error> {
        let place = Arc::clone(&self.0);
        unblock(move || place.load()).await
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        let place = Arc::clone(&self.0);
        let lock = unblock(move || Lock::try_take(&place.lock())).await?;
        Ok(lock.map(|lock| {
            let held = Held { place: Arc::clone(&self.0), _lock: lock };
            Box::new(LockedFile { held: Arc::new(held), under_way: None }) as Box<dyn LockedStore>
        }))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileStore").field("path", &self.0.record()).finish_non_exhaustive()
    }
}

struct LockedFile {
    held: Arc<Held>,
    /// Work whose future was dropped: it can't be stopped, so the next piece waits for it.
    under_way: Option<Task<Result<Option<Record>, Error>>>,
}

/// Shared with the work under way, so that the lock outlives a write that nobody waits for.
struct Held {
    place: Arc<Place>,
    _lock: Lock,
}

impl LockedFile {
    async fn run(
        &mut self,
        work: impl FnOnce(&Place) -> Result<Option<Record>, Error> + Send + 'static,
    ) -> Result<Option<Record>, Error> {
        if let Some(earlier) = &mut self.under_way {
            // Whoever wanted to know how it went is gone.
            let _ = earlier.await;
        }
        let held = Arc::clone(&self.held);
        let answer = self.under_way.insert(unblock(move || work(&held.place))).await;
        self.under_way = None;
        answer
    }
}

#[async_trait]
impl LockedStore for LockedFile {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        self.run(Place::load_locked).await
    }

    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        let record = record.clone();
        self.run(move |place| place.save(&record).map(|()| None)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests;
