//! What the handles of a token manager share with its driver: the published credential, and signals that need no queue.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use auth_core::renewal::Credential;
use auth_core::time::Now;
use auth_core::token::Generation;
use event_listener::{Event, EventListener};

/// The state between handles and driver. Nobody waits for a lock here: the only one is held for an assignment.
pub(super) struct Shared {
    published: ArcSwapOption<Published>,
    /// Which signals wait for the driver.
    signals: AtomicU8,
    /// The generation of [`Signal::Rejected`].
    rejected: Mutex<Generation>,
    ended: AtomicBool,
    /// Something that [`Changes`](super::Changes) and shutting down wait for has happened.
    pub(super) changed: Event,
}

/// A credential that readers may serve, and the note that one did.
pub(super) struct Published {
    pub(super) credential: Arc<Credential>,
    usage: AtomicU8,
}

/// What the driver's note on the credential says. It only grows between two ticks of the driver, so that readers write
/// to memory that they share at most twice in that time.
const UNUSED: u8 = 0;
const USED: u8 = 1;
const USED_WHEN_DUE: u8 = 2;

/// What handles tell the driver beside the calls that want an answer. Each is told once until the driver has heard it,
/// so that no number of handles can flood the driver with them.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Signal {
    /// Somebody wants a token to be there, and doesn't wait.
    Wanted = 1,
    /// A credential whose renewal is due was used.
    Used = 2,
    /// A server refused a token.
    Rejected = 4,
    /// A caller that waited has gone.
    Gone = 8,
}

/// The signals that the driver has just heard.
#[derive(Clone, Copy)]
pub(super) struct Signals(u8);

impl Signals {
    pub(super) const fn has(self, signal: Signal) -> bool {
        self.0 & signal as u8 != 0
    }
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            published: ArcSwapOption::empty(),
            signals: AtomicU8::new(0),
            rejected: Mutex::new(Generation::NONE),
            ended: AtomicBool::new(false),
            changed: Event::new(),
        }
    }

    /// What readers see now.
    pub(super) fn published(&self) -> Guard<Option<Arc<Published>>> {
        self.published.load()
    }

    /// The generation of what readers see now.
    pub(super) fn generation(&self) -> Generation {
        self.published.load().as_ref().map_or(Generation::NONE, |published| published.credential.generation())
    }

    /// Shows another credential to readers, or none.
    pub(super) fn publish(&self, credential: Option<Arc<Credential>>) {
        let unused = |credential| Arc::new(Published { credential, usage: AtomicU8::new(UNUSED) });
        self.published.store(credential.map(unused));
        self.changed.notify(usize::MAX);
    }

    /// Leaves a signal, and says whether the driver must be woken for it: it must not where it has one already.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        self.signals.fetch_or(signal as u8, Ordering::AcqRel) & signal as u8 == 0
    }

    /// Leaves the signal that `generation` was refused; like [`signal`](Self::signal). Only what readers see can be refused
    /// with effect: a late report, or one of another source's token, must not hide one that counts.
    pub(super) fn reject(&self, generation: Generation) -> bool {
        if self.generation() != generation {
            return false;
        }
        {
            let mut last = self.last_rejected();
            *last = generation.max(*last);
        }
        self.signal(Signal::Rejected)
    }

    /// Takes the signals that wait.
    pub(super) fn take_signals(&self) -> Signals {
        if self.signals.load(Ordering::Relaxed) == 0 {
            return Signals(0);
        }
        Signals(self.signals.swap(0, Ordering::AcqRel))
    }

    /// The generation of [`Signal::Rejected`].
    pub(super) fn take_rejected(&self) -> Generation {
        std::mem::take(&mut *self.last_rejected())
    }

    fn last_rejected(&self) -> MutexGuard<'_, Generation> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether readers have used what they see since the last tick; the note is wiped.
    pub(super) fn take_used(&self) -> bool {
        self.published.load().as_ref().is_some_and(|published| {
            published.usage.load(Ordering::Relaxed) != UNUSED
                && published.usage.swap(UNUSED, Ordering::Relaxed) != UNUSED
        })
    }

    /// The driver is gone: nothing is shown any more, and whoever waits for it is woken.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.publish(None);
    }

    /// What to wait for until the driver is gone; `None` once it is. Look again after that: it is woken for less.
    pub(super) fn until_ended(&self) -> Option<EventListener> {
        // Listening begins before looking: what happens between the two is not missed.
        let listener = self.changed.listen();
        if self.has_ended() { None } else { Some(listener) }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Published {
    /// Notes a use at `now`; `None` if the credential may not be used any more.
    #[inline]
    pub(super) fn note_use(&self, now: Now) -> Option<Usage> {
        // One that is not due serves: for most of its life there is one deadline to look at.
        let due = self.credential.due(now);
        if due && !self.credential.serves(now) {
            return None;
        }
        let usage = if due { USED_WHEN_DUE } else { USED };
        // Looking first: a note that stands already is read by all cores without taking the line from each other.
        let is_news = self.usage.load(Ordering::Relaxed) < usage
            && self.usage.fetch_max(usage, Ordering::Relaxed) < usage
            && due;
        Some(Usage { is_news })
    }
}

/// A use that was noted.
pub(super) struct Usage {
    /// It is the first since the last tick that finds the renewal due, so the driver must hear of it.
    pub(super) is_news: bool,
}
