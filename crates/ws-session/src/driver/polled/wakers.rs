//! Waking both halves of a session, when one task reads it and another writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// Which half polls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Read,
    Write,
}

/// Who polled each half last. Everything in a session wakes both: a socket remembers one waker only, and whoever polled last is
/// not always who waits for what comes.
#[derive(Debug)]
pub(super) struct Wakers {
    shared: Arc<Shared>,
    /// The shared ones wrapped, for whoever is to wake them.
    waker: Waker,
    /// What is there already, to be compared without a lock.
    known: [Option<Waker>; 2],
    /// Whether a half had nothing to tell when it was polled last.
    waiting: [bool; 2],
}

#[derive(Debug, Default)]
struct Shared {
    halves: Mutex<[Option<Waker>; 2]>,
    woken: AtomicBool,
}

impl Wakers {
    pub(super) fn new() -> Self {
        let shared = Arc::<Shared>::default();
        Self { waker: Arc::clone(&shared).into(), shared, known: [None, None], waiting: [false; 2] }
    }

    /// Takes note of who polls this half.
    pub(super) fn register(&mut self, half: Half, cx: &Context<'_>) {
        let known = &mut self.known[half as usize];
        if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *known = Some(cx.waker().clone());
            self.shared.halves()[half as usize].clone_from(known);
        }
    }

    /// What wakes both halves.
    pub(super) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether something woke them since this was asked last.
    pub(super) fn take_woken(&self) -> bool {
        self.shared.woken.swap(false, Ordering::AcqRel)
    }

    /// Takes note of whether this half waits for something, now that it was polled.
    pub(super) const fn waits(&mut self, half: Half, waits: bool) {
        self.waiting[half as usize] = waits;
    }

    /// Wakes the half that does not poll now, if it waits.
    pub(super) fn wake_other(&self, half: Half) {
        let other = match half {
            Half::Read => Half::Write,
            Half::Write => Half::Read,
        };
        if let (true, Some(waker)) = (self.waiting[other as usize], &self.known[other as usize]) {
            waker.wake_by_ref();
        }
    }
}

impl Shared {
    fn halves(&self) -> std::sync::MutexGuard<'_, [Option<Waker>; 2]> {
        // Nothing can panic while it is held.
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        // Cloned first: a waker may run anything, this one's own lock included.
        let [read, write] = self.halves().clone();
        match (read, write) {
            (Some(read), Some(write)) if read.will_wake(&write) => read.wake(),
            (read, write) => [read, write].into_iter().flatten().for_each(Waker::wake),
        }
    }
}
