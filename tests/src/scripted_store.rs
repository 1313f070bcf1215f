//! A token store in memory, with a lock as processes have it, and failures on demand.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::renewal::Record;
use auth_core::{Error, ErrorKind};
use auth_http::store::{LockedStore, TokenStore};

use crate::scripted_grant::pass;

/// A store that keeps one record and all that it ever was. Clones share it.
#[derive(Clone, Default)]
pub struct ScriptedStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    saved: Mutex<Vec<Record>>,
    locked: AtomicBool,
    slowness: AtomicU32,
    failures: AtomicU32,
    panics: AtomicU32,
}

impl ScriptedStore {
    /// All records that were saved, in order.
    #[must_use]
    pub fn saved(&self) -> Vec<Record> {
        self.records().clone()
    }

    /// The refresh token of the record, and whether an intent stands on it.
    #[must_use]
    pub fn refresh_token(&self) -> Option<(String, bool)> {
        let record = self.records().last().cloned()?;
        Some((record.refresh_token?.expose().to_owned(), record.intent.is_some()))
    }

    /// Whether somebody holds the lock.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.locked.load(Ordering::SeqCst)
    }

    /// From now on a write takes this many polls.
    pub fn slow_down(&self, polls: u32) {
        self.0.slowness.store(polls, Ordering::SeqCst);
    }

    /// The next `count` writes fail.
    pub fn fail(&self, count: u32) {
        self.0.failures.store(count, Ordering::SeqCst);
    }

    /// The next `count` writes panic.
    pub fn panic(&self, count: u32) {
        self.0.panics.store(count, Ordering::SeqCst);
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenStore for ScriptedStore {
    async fn load(&self) -> Result<Option<Record>, Error> {
        Ok(self.records().last().cloned())
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        let locked = self.0.locked.swap(true, Ordering::SeqCst);
        Ok(if locked { None } else { Some(Box::new(Locked(self.clone()))) })
    }
}

struct Locked(ScriptedStore);

#[async_trait]
impl LockedStore for Locked {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        self.0.load().await
    }

    #[expect(clippy::panic, reason = "a test asked for it")]
    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        let Self(ScriptedStore(inner)) = self;
        pass(inner.slowness.load(Ordering::SeqCst)).await;
        if take_one(&inner.panics) {
            panic!("as the test says");
        }
        if take_one(&inner.failures) {
            return Err(Error::new(ErrorKind::StoreFailed, "as the test says"));
        }
        self.0.records().push(record.clone());
        Ok(())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.0.locked.store(false, Ordering::SeqCst);
    }
}

impl fmt::Debug for ScriptedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScriptedStore").field("saved", &self.records().len()).finish_non_exhaustive()
    }
}

fn take_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}
