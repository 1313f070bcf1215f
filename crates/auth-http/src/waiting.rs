//! Those who wait for the same thing: woken all at once, and forgotten as soon as they are dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Those who wait.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Listed>);

#[derive(Default)]
struct Listed {
    /// How many places were taken: each has the next number.
    places: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiting {
    /// A place for one who waits. Nobody is listed yet.
    pub(crate) fn place(self: &Arc<Self>) -> Place {
        let mut listed = self.listed();
        listed.places += 1;
        Place { waiting: Arc::clone(self), number: listed.places }
    }

    pub(crate) fn wake_all(&self) {
        let woken = std::mem::take(&mut self.listed().wakers);
        woken.into_values().for_each(Waker::wake);
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.listed().wakers.len()
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

/// The place of one who waits: whoever is dropped is woken no more.
pub(crate) struct Place {
    waiting: Arc<Waiting>,
    number: u64,
}

impl Place {
    /// Has this waker woken the next time, and no other of this place.
    pub(crate) fn wait(&self, waker: &Waker) {
        let replaced = {
            let mut listed = self.waiting.listed();
            let is_listed = listed.wakers.get(&self.number).is_some_and(|known| known.will_wake(waker));
            if is_listed { None } else { listed.wakers.insert(self.number, waker.clone()) }
        };
        drop(replaced);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let removed = self.waiting.listed().wakers.remove(&self.number);
        drop(removed);
    }
}

/// Wakes them when dropped, if it is armed.
pub(crate) struct WakeAll<'a>(Option<&'a Waiting>);

impl<'a> WakeAll<'a> {
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    pub(crate) const fn arm(&mut self, waiting: &'a Waiting) {
        self.0 = Some(waiting);
    }

    pub(crate) const fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for WakeAll<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.0 {
            waiting.wake_all();
        }
    }
}
