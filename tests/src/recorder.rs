//! An observer that keeps what it is told, for a test to look at and to wait for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::observe::{self, Unrecorded};
use auth_core::{AuthEvent, Observer};
use tokio::sync::Notify;

/// Keeps every event.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Inner>);

#[derive(Default)]
struct Inner {
    events: Mutex<Vec<AuthEvent>>,
    refused: Mutex<Vec<&'static str>>,
    changed: Notify,
}

impl Recorder {
    /// Everything so far.
    #[must_use]
    pub fn events(&self) -> Vec<AuthEvent> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on, refuses to record events of these names, and records all others.
    pub fn refuse(&self, names: &[&'static str]) {
        *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner) = names.to_vec();
    }

    /// How many events so far match.
    pub fn count(&self, matches: impl Fn(&AuthEvent) -> bool) -> usize {
        self.events().iter().filter(|event| matches(event)).count()
    }

    /// Waits until `count` events match.
    ///
    /// # Panics
    ///
    /// When that takes longer than 20 s.
    #[expect(clippy::panic, reason = "a test that waits in vain has failed")]
    pub async fn wait_for(&self, count: usize, matches: impl Fn(&AuthEvent) -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let changed = self.0.changed.notified();
                if self.count(&matches) >= count {
                    return;
                }
                changed.await;
            }
        });
        if waited.await.is_err() {
            panic!("waited in vain; observed {:#?}", self.events());
        }
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &AuthEvent) {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        self.0.changed.notify_waiters();
    }
}

#[async_trait]
impl observe::Recorder for Recorder {
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        // As a recorder that waits for a disk: it does not answer at once.
        tokio::task::yield_now().await;
        if self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&event.name()) {
            return Err(Unrecorded::new("the disk is full"));
        }
        self.observe(event);
        Ok(())
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.events().fmt(formatter)
    }
}
