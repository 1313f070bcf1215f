//! Those who wait for the same thing: woken all at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Those who wait.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<Waker>>);

impl Waiting {
    pub(crate) fn add(&self, waker: &Waker) {
        let mut waiting = self.waiting();
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Wakes them when dropped, if it is armed.
pub(crate) struct WakeAll<'a>(Option<&'a Arc<Waiting>>);

impl<'a> WakeAll<'a> {
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    pub(crate) const fn arm(&mut self, waiting: &'a Arc<Waiting>) {
        self.0 = Some(waiting);
    }

    pub(crate) const fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for WakeAll<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.0 {
            Arc::clone(waiting).wake();
        }
    }
}
