//! A reader's view of the cached token: borrowed from the cache, and released when dropped.

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;
use auth_core::renewal::Credential;
use auth_core::time::Now;
use auth_core::token::Generation;
use auth_core::{Secret, Token};

use super::shared::Published;

/// The cached token, from [`TokenManager::current`](super::TokenManager::current): read without a copy.
///
/// Use it and drop it: a few that are held by one thread for long make its further reads slower.
pub struct Cached {
    guard: Guard<Option<Arc<Published>>>,
    now: Now,
}

impl Cached {
    /// What is published and may be served at `now`.
    pub(super) const fn new(guard: Guard<Option<Arc<Published>>>, now: Now) -> Self {
        Self { guard, now }
    }

    /// The text to present.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        self.credential().secret()
    }

    /// Which token of its source this is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.credential().generation()
    }

    /// A token of its own, to keep: it shares the secret, and so counts a reference to it.
    #[must_use]
    pub fn token(&self) -> Token {
        self.credential().token(self.now)
    }

    fn credential(&self) -> &Credential {
        &self.published().credential
    }

    #[expect(clippy::expect_used, reason = "a guard never changes what it guards")]
    fn published(&self) -> &Published {
        self.guard.as_ref().expect("made from a guard that holds a credential")
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cached").field("generation", &self.generation()).finish_non_exhaustive()
    }
}
