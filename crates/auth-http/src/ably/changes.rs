//! Watching a client: woken for each new token, without keeping the client alive.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake as _};

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
        self.newest().generation = generation;
        Arc::clone(&self.waiting).wake();
    }

    pub(super) fn end(&self) {
        self.newest().ended = true;
        Arc::clone(&self.waiting).wake();
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
        poll_fn(|context| {
            // Listed before looking: what happens between the two is not missed.
            announcements.waiting.add(context.waker());
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
