//! Whom the gateway tells of its decisions, and what it waits for before it acts on them.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use auth_core::fingerprint::{Fingerprint, FingerprintKey};
use auth_core::observe::{Label, Recorder, Unrecorded};
use auth_core::time::Now;
use auth_core::{AuthEvent, Secret};
use auth_http::endpoint::Decision;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::serve::drained;
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
    /// Revocations that took effect and are not on record yet, the oldest first.
    owed: Mutex<VecDeque<Owed>>,
    /// Something more is owed.
    owing: Notify,
    /// How many revocations there was no room to owe, and no record tells yet.
    forgotten: AtomicU64,
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

/// A record on its way.
type Recording = Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + Send>>;

/// A revocation that is not on record yet.
struct Owed {
    event: Arc<AuthEvent>,
    /// The record of it that is on its way already, where one is: a second one would tell it twice.
    recording: Option<Recording>,
}

/// How often what was held back is summed up.
pub(crate) const SUMMING_UP: Duration = Duration::from_secs(5);

/// How many revocations may be owed: those beyond it are counted, and that number is owed.
const MOST_OWED: usize = 1_024;

/// How many records may be under way at once, at about a kilobyte each: more than there are connections by default.
const MOST_UNDER_WAY: usize = 16_384;

/// How long to wait after a recorder has refused what is owed: each refusal is one more that it counts as lost.
const PAUSE: Duration = Duration::from_secs(5);

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
            owed: Mutex::default(),
            owing: Notify::new(),
            forgotten: AtomicU64::new(0),
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
        let recording = self.begin(&Arc::new(event));
        let (answer, answered) = oneshot::channel();
        self.detach(async move {
            let recorded = recording.await.is_ok();
            then(recorded);
            let _ = answer.send(recorded);
        });
        match timeout(self.patience, answered).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false) | Err(_)) => Err(Missing::Refused),
            Err(_) => Err(Missing::Late),
        }
    }

    /// Records a revocation that took effect, as soon as that can be done. `then` is called once the recorder has answered.
    pub(crate) fn revoke(self: &Arc<Self>, event: AuthEvent, then: impl FnOnce() + Send + 'static) {
        let event = Arc::new(event);
        let recording = self.begin(&event);
        if !self.has_room() {
            self.owe(Owed { event, recording: Some(recording) });
            return then();
        }
        let ledger = Arc::clone(self);
        self.detach(async move {
            if recording.await.is_err() {
                ledger.owe(Owed { event, recording: None });
            }
            then();
        });
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
        let mut settling = Settling { ledger: self, events: Vec::new() };
        for decision in decisions {
            let event = self.event(decision, Some(peer));
            match event {
                AuthEvent::TokenDenied { .. } | AuthEvent::ReplayRejected { .. } => self.refuse(now, event),
                event => {
                    let event = Arc::new(event);
                    let recording = self.begin(&event);
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

    /// Records what is owed, one after the other, and each once: a record on its way is waited for, however long it takes, and
    /// only after a refusal is there another. Ends after `closing`, when nothing is owed or the recorder refuses once more.
    pub(crate) async fn pay(&self, mut closing: watch::Receiver<bool>) {
        loop {
            let Some(Owed { event, recording }) = self.next_owed() else {
                if *closing.borrow() {
                    return;
                }
                tokio::select! {
                    () = self.owing.notified() => {}
                    () = drained(&mut closing) => {}
                }
                continue;
            };
            let recording = recording.unwrap_or_else(|| self.begin(&event));
            if recording.await.is_ok() {
                continue;
            }
            self.owed().push_front(Owed { event, recording: None });
            if *closing.borrow() {
                return;
            }
            let _ = timeout(PAUSE, drained(&mut closing)).await;
        }
    }

    fn owe(&self, owed: Owed) {
        let mut all = self.owed();
        if all.len() < MOST_OWED {
            all.push_back(owed);
        } else {
            self.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        drop(all);
        self.owing.notify_one();
    }

    /// The oldest that is owed; after all of them, how many there was no room for.
    fn next_owed(&self) -> Option<Owed> {
        let oldest = self.owed().pop_front();
        oldest.or_else(|| match self.forgotten.swap(0, Ordering::Relaxed) {
            0 => None,
            forgotten => {
                let target = Some(Label::new(&format!("{forgotten} more that could not be recorded")));
                let event = Arc::new(AuthEvent::TokenRevoked { token: None, target, peer: None });
                Some(Owed { event, recording: None })
            }
        })
    }

    fn owed(&self) -> MutexGuard<'_, VecDeque<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record that whoever owns it may wait for anywhere.
    fn begin(&self, event: &Arc<AuthEvent>) -> Recording {
        let (recorder, event) = (Arc::clone(&self.recorder), Arc::clone(event));
        Box::pin(async move { recorder.record(&event).await })
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
                self.ledger.owe(Owed { event, recording });
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
