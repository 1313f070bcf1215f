//! A store in memory: tokens outlive their manager, not their process.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::Error;
use auth_core::renewal::Record;

use super::{LockedStore, TokenStore};

/// Keeps tokens in memory. Clones share the record and its lock: give one to each manager that must not redeem the same
/// refresh token twice.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Default)]
struct Shared {
    record: Mutex<Option<Record>>,
    locked: AtomicBool,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn load(&self) -> Result<Option<Record>, Error> {
        Ok(self.0.record().clone())
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        if self.0.locked.swap(true, Ordering::Acquire) {
            return Ok(None);
        }
        Ok(Some(Box::new(LockedMemory(Arc::clone(&self.0)))))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Option<Record>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exists while the flag is set, and clears it.
struct LockedMemory(Arc<Shared>);

#[async_trait]
impl LockedStore for LockedMemory {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        Ok(self.0.record().clone())
    }

    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        *self.0.record() = Some(record.clone());
        Ok(())
    }
}

impl Drop for LockedMemory {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The answer of work that never waits: it is there at the first poll, on no runtime at all.
    fn at_once<T>(work: impl Future<Output = T>) -> T {
        match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("memory has nothing to wait for"),
        }
    }

    #[test]
    fn clones_share_one_record_and_one_lock() {
        let store = MemoryStore::new();
        let other = store.clone();
        let record = Record { revision: 1, ..Record::default() };

        let mut locked = at_once(store.try_lock()).unwrap().unwrap();
        assert!(at_once(other.try_lock()).unwrap().is_none());
        assert!(at_once(store.try_lock()).unwrap().is_none(), "nor may its own holder take it twice");
        assert_eq!(at_once(locked.load()).unwrap(), None);
        at_once(locked.save(&record)).unwrap();
        assert_eq!(at_once(other.load()).unwrap(), Some(record.clone()), "reading needs no lock");

        drop(locked);
        let mut locked = at_once(other.try_lock()).unwrap().unwrap();
        assert_eq!(at_once(locked.load()).unwrap(), Some(record));
    }

    #[test]
    fn an_attempt_that_failed_does_not_free_the_lock() {
        let store = MemoryStore::new();
        let _locked = at_once(store.try_lock()).unwrap();
        for _ in 0..3 {
            assert!(at_once(store.try_lock()).unwrap().is_none());
        }
    }

    #[test]
    fn stores_that_are_no_clones_are_strangers() {
        let (one, other) = (MemoryStore::new(), MemoryStore::new());
        let _locked = at_once(one.try_lock()).unwrap().unwrap();
        assert!(at_once(other.try_lock()).unwrap().is_some());
    }
}
