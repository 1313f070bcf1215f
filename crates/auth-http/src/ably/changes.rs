//! Watching a client: woken for each new token, without keeping the client alive.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use auth_core::token::Generation;
use auth_core::{Error, ErrorKind};

use crate::waiting::Waiting;

/// What a client tells those who watch it.
#[derive(Default)]
pub(super) struct Announcements {
    newest: Mutex<Newest>,
    waiting: Arc<Waiting>,
}

#[derive(Clone, Copy, Default)]
struct Newest {
    generation: Generation,
    ended: bool,
}

impl Announcements {
    pub(super) fn announce(&self, generation: Generation) {
        {
            // Of two tokens that came at once, the older may be told last.
            let mut newest = self.newest();
            newest.generation = newest.generation.max(generation);
        }
        self.waiting.wake_all();
    }

    pub(super) fn end(&self) {
        self.newest().ended = true;
        self.waiting.wake_all();
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells of each new token of an [`Auth`](super::Auth), from [`Auth::changes`](super::Auth::changes): what a live
/// connection needs to change over to it in place (RTC8).
pub struct Changes {
    announcements: Arc<Announcements>,
    seen: Generation,
}

impl Changes {
    pub(super) fn new(announcements: Arc<Announcements>) -> Self {
        let seen = announcements.newest().generation;
        Self { announcements, seen }
    }

    /// The newest generation that this has told of; at first, the one that was current when it began.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.seen
    }

    /// Waits for a newer token than the last that it told of. Several that came meanwhile count as one. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    ///
    /// [`Closed`](ErrorKind::Closed) once the last handle of the client is gone.
    pub async fn changed(&mut self) -> Result<Generation, Error> {
        let Self { announcements, seen } = self;
        let place = announcements.waiting.place();
        poll_fn(|context| {
            // Listed before looking: what happens between the two is not missed.
            place.wait(context.waker());
            let Newest { generation, ended } = *announcements.newest();
            if generation > *seen {
                *seen = generation;
                return Poll::Ready(Ok(generation));
            }
            if ended {
                let text = "the last handle of the client is gone; keep one";
                return Poll::Ready(Err(Error::new(ErrorKind::Closed, text)));
            }
            Poll::Pending
        })
        .await
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { announcements: _, seen } = self;
        formatter.debug_struct("Changes").field("seen", seen).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Wake, Waker};

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[tokio::test]
    async fn a_token_that_is_told_late_does_not_hide_a_newer_one() {
        let announcements = Arc::new(Announcements::default());
        let mut changes = Changes::new(Arc::clone(&announcements));
        let first = Generation::NONE.next();
        announcements.announce(first.next());
        announcements.announce(first);
        assert_eq!(changes.changed().await.unwrap(), first.next());
    }

    #[test]
    fn who_looks_in_now_and_then_leaves_nothing_behind() {
        let announcements = Arc::new(Announcements::default());
        let mut changes = Changes::new(Arc::clone(&announcements));
        for _ in 0..100 {
            let waker = Waker::from(Arc::new(Nobody));
            let mut changed = pin!(changes.changed());
            assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(announcements.waiting.count(), 1);
        }
        assert_eq!(announcements.waiting.count(), 0);
    }
}
