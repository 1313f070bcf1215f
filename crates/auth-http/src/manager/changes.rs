//! Watching a token manager: woken for each new token, without keeping the manager alive.

use std::fmt;
use std::sync::Arc;

use auth_core::Error;
use auth_core::token::Generation;

use super::shared::Shared;

/// Tells of each new token that readers can see, from [`TokenManager::changes`](super::TokenManager::changes).
///
/// It neither counts as a use of the token nor keeps the driver alive. A source of single-use tokens shows none to
/// readers, so there is nothing to tell.
pub struct Changes {
    shared: Arc<Shared>,
    seen: Generation,
}

impl Changes {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let seen = shared.generation();
        Self { shared, seen }
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
    /// [`Closed`](auth_core::ErrorKind::Closed) once the driver has ended.
    pub async fn changed(&mut self) -> Result<Generation, Error> {
        loop {
            let Some(listener) = self.shared.until_ended() else { return Err(super::closed()) };
            let generation = self.shared.generation();
            if generation > self.seen {
                self.seen = generation;
                return Ok(generation);
            }
            listener.await;
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shared: _, seen } = self;
        formatter.debug_struct("Changes").field("seen", seen).finish_non_exhaustive()
    }
}
