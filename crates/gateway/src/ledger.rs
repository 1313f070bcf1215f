//! Whom the gateway tells of its decisions, and what it waits for before it acts on them.

mod debts;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use auth_core::fingerprint::{Fingerprint, FingerprintKey};
use auth_core::observe::{Label, Recorder};
use auth_core::time::{Now, Timestamp};
use auth_core::{AuthEvent, Secret};
use auth_http::endpoint::Decision;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::debts::{Debts, Owed, Recording, begin};
use crate::strangers::Strangers;

/// Whom the gateway tells of its decisions.
pub(crate) struct Ledger {
    recorder: Arc<dyn Recorder>,
    key: FingerprintKey,
    /// How long a record may take.
    patience: Duration,
    /// How many connections there were.
    connections: AtomicU64,
    strangers: Mutex<Strangers>,
    /// What has happened and is not on record yet.
    debts: Debts,
    /// The records that go on whoever waits for them.
    under_way: Mutex<JoinSet<()>>,
}

/// Why something is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The recorder has said that it is not, and will not be.
    Refused,
    /// The recorder has said nothing in time: it may be on record later.
    Late,
}

/// How often what was held back is summed up.
pub(crate) const SUMMING_UP: Duration = Duration::from_secs(5);

/// How many records may be under way at once, at about a kilobyte each: more than there are connections by default.
const MOST_UNDER_WAY: usize = 16_384;

/// How many sums are told at once, and how long the recorder has to write them before the next: they must not take the room
/// of what is waited for.
const SLICE: usize = 256;
const BREATH: Duration = Duration::from_millis(50);

impl Ledger {
    pub(crate) fn new(
        recorder: Arc<dyn Recorder>,
        key: FingerprintKey,
        patience: Duration,
        now: Now,
    ) -> Self {
        Self {
            recorder,
            key,
            patience,
            connections: AtomicU64::new(0),
            strangers: Mutex::new(Strangers::new(now)),
            debts: Debts::new(),
            under_way: Mutex::default(),
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

    /// Records what is about to happen. The record goes on where nobody waits for it any more; `then` learns whether it was made,
    /// however late.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then it must not happen.
    pub(crate) async fn record(
        &self,
        event: AuthEvent,
        then: impl FnOnce(bool) + Send + 'static,
    ) -> Result<(), Missing> {
        if !self.has_room() {
            then(false);
            return Err(Missing::Refused);
        }
        let recording = begin(&self.recorder, &Arc::new(event), None);
        let (answer, answered) = oneshot::channel();
        self.detach(async move {
            let recorded = recording.await.is_ok();
            then(recorded);
            let _ = answer.send(recorded);
        });
        self.answer(answered).await
    }

    /// Records that a token was used up, which stands whatever comes of this: as [`past`](Self::past).
    ///
    /// # Errors
    ///
    /// [`Missing`]: then the token must open nothing.
    pub(crate) async fn consume(self: &Arc<Self>, now: Now, event: AuthEvent) -> Result<(), Missing> {
        let (answer, answered) = oneshot::channel();
        // Whoever has hung up no longer wants to know.
        self.past(now, event, move |recorded| {
            let _ = answer.send(recorded);
        });
        self.answer(answered).await
    }

    /// Records what has taken effect, as soon as that can be done. `then` learns what the recorder has answered at first.
    pub(crate) fn past(
        self: &Arc<Self>,
        now: Now,
        event: AuthEvent,
        then: impl FnOnce(bool) + Send + 'static,
    ) {
        let (event, at) = (Arc::new(event), now.wall);
        let mut recording = begin(&self.recorder, &event, None);
        if !self.has_room() {
            // It is of now only if it is begun now; whoever pays it waits for the rest.
            let recording = match recording.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(())) => return then(true),
                Poll::Ready(Err(_)) => None,
                Poll::Pending => Some(recording),
            };
            self.debts.owe(Owed { event, at, recording });
            return then(false);
        }
        let ledger = Arc::clone(self);
        self.detach(async move {
            let recorded = recording.await.is_ok();
            if !recorded {
                ledger.debts.owe(Owed { event, at, recording: None });
            }
            then(recorded);
        });
    }

    /// What the recorder answers, if it does so in time.
    async fn answer(&self, answered: oneshot::Receiver<bool>) -> Result<(), Missing> {
        match timeout(self.patience, answered).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false) | Err(_)) => Err(Missing::Refused),
            Err(_) => Err(Missing::Late),
        }
    }

    /// Waits for the records under way. Those that are left when nobody waits for this any more are given up.
    pub(crate) async fn finish(&self) {
        let mut under_way = std::mem::take(&mut *self.under_way());
        while under_way.join_next().await.is_some() {}
    }

    /// Whether one more record may be under way.
    fn has_room(&self) -> bool {
        let mut under_way = self.under_way();
        while under_way.try_join_next().is_some() {}
        under_way.len() < MOST_UNDER_WAY
    }

    #[expect(clippy::disallowed_methods, reason = "it ends with the ledger, and they are bounded")]
    fn detach(&self, record: impl Future<Output = ()> + Send + 'static) {
        self.under_way().spawn(record);
    }

    fn under_way(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what an endpoint has decided, all of it together, and returns when its reply may leave.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then the reply must not leave. A revocation stands nevertheless, and is recorded as soon as that can be
    /// done, also where nobody waits for this any more.
    pub(crate) async fn settle(
        &self,
        now: Now,
        peer: SocketAddr,
        decisions: Vec<Decision>,
    ) -> Result<(), Missing> {
        let mut settling = Settling { ledger: self, at: now.wall, events: Vec::new() };
        for decision in decisions {
            let event = self.event(decision, Some(peer));
            match event {
                AuthEvent::TokenDenied { .. } | AuthEvent::ReplayRejected { .. } => self.refuse(now, event),
                event => {
                    let event = Arc::new(event);
                    let recording = begin(&self.recorder, &event, None);
                    settling.events.push((event, Progress::Waiting(recording)));
                }
            }
        }
        match timeout(self.patience, poll_fn(|context| settling.poll(context))).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Missing::Refused),
            Err(_) => Err(Missing::Late),
        }
    }

    /// Tells what was held back, a slice at a time.
    pub(crate) async fn sum_up(&self, now: Now) {
        let summed = self.strangers.lock().unwrap_or_else(PoisonError::into_inner).sum_up(now);
        for (number, event) in summed.iter().enumerate() {
            if number > 0 && number % SLICE == 0 {
                sleep(BREATH).await;
            }
            self.observe(event);
        }
    }

    /// Records what is owed, until `closing`, and then what is left, if the recorder takes it.
    pub(crate) async fn pay(&self, closing: watch::Receiver<bool>) {
        self.debts.pay(&self.recorder, self.patience, closing).await;
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

/// The events of one reply, which are recorded together, so that they share what takes time.
struct Settling<'a> {
    ledger: &'a Ledger,
    /// When they happened.
    at: Timestamp,
    events: Vec<(Arc<AuthEvent>, Progress)>,
}

enum Progress {
    Waiting(Recording),
    Recorded,
    Refused,
}

impl Settling<'_> {
    /// Ready when the recorder has answered for each of them: whether all of them are on record.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let (mut answered, mut recorded) = (true, true);
        for (_, progress) in &mut self.events {
            if let Progress::Waiting(recording) = progress {
                match recording.as_mut().poll(context) {
                    Poll::Ready(Ok(())) => *progress = Progress::Recorded,
                    Poll::Ready(Err(_)) => *progress = Progress::Refused,
                    Poll::Pending => answered = false,
                }
            }
            recorded &= matches!(progress, Progress::Recorded);
        }
        if answered { Poll::Ready(recorded) } else { Poll::Pending }
    }
}

impl Drop for Settling<'_> {
    /// Whether it was refused, or nobody waits for it any more: what is revoked is revoked, and its record is owed.
    fn drop(&mut self) {
        for (event, progress) in self.events.drain(..) {
            let recording = match progress {
                Progress::Waiting(recording) => Some(recording),
                Progress::Refused => None,
                Progress::Recorded => continue,
            };
            if matches!(*event, AuthEvent::TokenRevoked { .. }) {
                self.ledger.debts.owe(Owed { event, at: self.at, recording });
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
