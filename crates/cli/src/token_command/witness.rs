//! What the token manager tells that its answer does not: whether the token is new, and whether it was saved.

use std::sync::{Mutex, MutexGuard, PoisonError};

use auth_core::observe::StoreStep;
use auth_core::time::Timestamp;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Observer, Token};

use crate::clock;

/// Watches one token manager.
#[derive(Default)]
pub(crate) struct Witness(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    requested: Option<Timestamp>,
    issued: Option<(Generation, Timestamp)>,
    unsaved: bool,
    store_failure: Option<String>,
}

impl Witness {
    /// When this token was asked for, if this process did: its life counts from there. Else it was in the store.
    pub(super) fn issued(&self, token: &Token) -> Option<Timestamp> {
        let issued = self.seen().issued.filter(|(generation, _)| *generation == token.generation());
        issued.map(|(_, at)| at)
    }

    /// Whether a refresh token came that is not in the store.
    pub(super) fn has_lost_a_login(&self) -> bool {
        self.seen().unsaved
    }

    /// How the store failed, if it did.
    pub(super) fn store_failure(&self) -> Option<String> {
        self.seen().store_failure.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Witness {
    fn observe(&self, event: &AuthEvent) {
        let mut seen = self.seen();
        match event {
            AuthEvent::TokenRequested { .. } => seen.requested = Some(clock::now().wall),
            AuthEvent::TokenIssued { generation, .. } => {
                seen.issued = seen.requested.map(|at| (*generation, at));
            }
            AuthEvent::RefreshTokenSaved { .. } => {
                seen.unsaved = false;
                seen.store_failure = None;
            }
            AuthEvent::StoreFailed { step, kind, retry_in, .. } => {
                // Only what must not be lost is tried again.
                seen.unsaved |= *step == StoreStep::SaveToken && retry_in.is_some();
                let kind = serde_json::to_value(kind).ok();
                seen.store_failure = kind.and_then(|kind| kind.as_str().map(str::to_owned));
            }
            _ => {}
        }
    }
}
