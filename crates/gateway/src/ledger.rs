//! Whom the gateway tells of its decisions, and what it waits for before it acts on them.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use auth_core::fingerprint::{Fingerprint, FingerprintKey};
use auth_core::observe::{Label, Recorder, Unrecorded};
use auth_core::time::Now;
use auth_core::{AuthEvent, Secret};
use auth_http::endpoint::Decision;

use crate::strangers::Strangers;

/// Whom the gateway tells of its decisions.
pub(crate) struct Ledger {
    recorder: Arc<dyn Recorder>,
    key: FingerprintKey,
    /// How many connections there were.
    connections: AtomicU64,
    strangers: Mutex<Strangers>,
    /// Revocations that took effect and are not on record yet.
    owed: Mutex<Vec<AuthEvent>>,
}

/// How often what was held back is summed up.
pub(crate) const SUMMING_UP: Duration = Duration::from_secs(5);

/// How many revocations may be owed: what is more is with the recorder's own count of failures.
const MOST_OWED: usize = 1_024;

impl Ledger {
    pub(crate) fn new(recorder: Arc<dyn Recorder>, key: FingerprintKey, now: Now) -> Self {
        Self {
            recorder,
            key,
            connections: AtomicU64::new(0),
            strangers: Mutex::new(Strangers::new(now)),
            owed: Mutex::default(),
        }
    }

    /// The number of the next connection.
    pub(crate) fn number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The name of a token, which is the same wherever it is presented.
    pub(crate) fn fingerprint(&self, token: &Secret) -> Fingerprint {
        match token.expose().strip_prefix("Bearer ") {
            Some(bare) => self.key.fingerprint(&Secret::from(bare)),
            None => self.key.fingerprint(token),
        }
    }

    /// Tells of what has happened.
    pub(crate) fn observe(&self, event: &AuthEvent) {
        self.recorder.observe(event);
    }

    /// Tells of a refusal, which any stranger can cause: as often as there is room for.
    pub(crate) fn refuse(&self, now: Now, event: AuthEvent) {
        let told = self.strangers.lock().unwrap_or_else(PoisonError::into_inner).admit(now, event);
        if let Some(event) = told {
            self.observe(&event);
        }
    }

    /// Records what is about to happen.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`]: then it must not happen.
    pub(crate) async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        self.recorder.record(event).await
    }

    /// Records what an endpoint has decided, all of it together, and returns when its reply may leave.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`]: then the reply must not leave. A revocation stands nevertheless, and is recorded as soon as that can be
    /// done.
    pub(crate) async fn settle(
        &self,
        now: Now,
        peer: SocketAddr,
        decisions: Vec<Decision>,
    ) -> Result<(), Unrecorded> {
        let mut events = Vec::new();
        for decision in decisions {
            let event = self.event(decision, Some(peer));
            match event {
                AuthEvent::TokenDenied { .. } | AuthEvent::ReplayRejected { .. } => self.refuse(now, event),
                event => events.push(event),
            }
        }
        let outcomes = self.record_all(&events).await;
        let mut settled = Ok(());
        for (event, outcome) in events.into_iter().zip(outcomes) {
            if outcome.is_err() && matches!(event, AuthEvent::TokenRevoked { .. }) {
                self.owe(event);
            }
            settled = settled.and(outcome);
        }
        settled
    }

    /// Tells what was held back, and tries again to record what is owed.
    pub(crate) async fn sum_up(&self, now: Now) {
        let summed = self.strangers.lock().unwrap_or_else(PoisonError::into_inner).sum_up(now);
        summed.iter().for_each(|event| self.observe(event));
        // It stays owed until it is on record: whoever waits for this may stop.
        let owed = self.owed().clone();
        let mut outcomes = self.record_all(&owed).await.into_iter();
        self.owed().retain(|_| outcomes.next().is_none_or(|outcome| outcome.is_err()));
    }

    fn owe(&self, event: AuthEvent) {
        let mut owed = self.owed();
        if owed.len() < MOST_OWED {
            owed.push(event);
        }
    }

    fn owed(&self) -> MutexGuard<'_, Vec<AuthEvent>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records several events together, so that they share what takes time.
    async fn record_all(&self, events: &[AuthEvent]) -> Vec<Result<(), Unrecorded>> {
        let mut waiting: Vec<_> =
            events.iter().map(|event| Waiting::For(self.recorder.record(event))).collect();
        poll_fn(|cx| {
            let mut all = Poll::Ready(());
            for waiting in &mut waiting {
                if let Waiting::For(recording) = waiting {
                    match recording.as_mut().poll(cx) {
                        Poll::Ready(outcome) => *waiting = Waiting::Done(outcome),
                        Poll::Pending => all = Poll::Pending,
                    }
                }
            }
            all
        })
        .await;
        let done = |waiting| match waiting {
            Waiting::Done(outcome) => outcome,
            Waiting::For(_) => Ok(()),
        };
        waiting.into_iter().map(done).collect()
    }

    fn event(&self, decision: Decision, peer: Option<SocketAddr>) -> AuthEvent {
        let named = |token: Option<Secret>| token.map(|token| self.fingerprint(&token));
        match decision {
            Decision::Minted { token, refresh_token: _, grant, client_id, scope, expires_in } => {
                let token = self.fingerprint(&token);
                AuthEvent::TokenMinted { token, grant: Label::new(grant), client_id, scope, expires_in, peer }
            }
            Decision::Denied { grant, reason, client_id } => {
                AuthEvent::TokenDenied { grant: Label::new(grant), reason, client_id, peer, repeated: 0 }
            }
            Decision::Replayed { replayed, token, client_id } => {
                AuthEvent::ReplayRejected { replayed, token: named(token), client_id, peer, repeated: 0 }
            }
            Decision::Revoked { token, target } => {
                AuthEvent::TokenRevoked { token: named(token), target, peer }
            }
        }
    }
}

enum Waiting<'a> {
    For(std::pin::Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + Send + 'a>>),
    Done(Result<(), Unrecorded>),
}
