//! What has happened and is not on record yet, revocations and tokens that were used up: kept until it is.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::observe::{Label, Recorder, Unrecorded};
use auth_core::time::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::serve::drained;

/// What is owed to the recorder.
pub(super) struct Debts {
    /// The oldest first.
    owed: Mutex<VecDeque<Owed>>,
    /// Something more is owed.
    owing: Notify,
    /// How many revocations there was no room to owe, and no record tells yet; and how many used tokens.
    forgotten: [AtomicU64; 2],
}

/// Something that is not on record yet.
pub(super) struct Owed {
    pub(super) event: Arc<AuthEvent>,
    /// When it happened, which is what its record says; `None` for what is told as a number.
    pub(super) at: Option<Timestamp>,
    /// The record of it that is on its way already, where one is: a second one would tell it twice.
    pub(super) recording: Option<Recording>,
}

/// A record on its way.
pub(super) type Recording = Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + Send>>;

/// How much may be owed, and how many records of it may be late beside that: what is beyond it is counted, and that number is owed.
pub(super) const MOST_OWED: usize = 1_024;

/// How long to wait after a recorder has refused what is owed: each refusal is one more that it counts as lost.
const PAUSE: Duration = Duration::from_secs(5);

/// How long each record is waited for at the end, where all that is owed has a few seconds together.
const LAST_PATIENCE: Duration = Duration::from_millis(50);

impl Debts {
    pub(super) fn new() -> Self {
        Self { owed: Mutex::default(), owing: Notify::new(), forgotten: Default::default() }
    }

    pub(super) fn owe(&self, owed: Owed) {
        let mut all = self.owed();
        if all.len() < MOST_OWED {
            all.push_back(owed);
        } else {
            let is_token = matches!(*owed.event, AuthEvent::TokenConsumed { .. });
            self.forgotten[usize::from(is_token)].fetch_add(1, Ordering::Relaxed);
        }
        drop(all);
        self.owing.notify_one();
    }

    /// What was late is owed as before, if the answer was a refusal.
    fn owe_again(&self, answered: Result<Option<Owed>, JoinError>) {
        if let Ok(Some(refused)) = answered {
            self.owe(refused);
        }
    }

    /// Records what is owed, one after the other, and each once: a record that takes longer than `patience` is waited for beside
    /// those behind it, however long it takes, and only after a refusal is there another. Ends after `closing`, when nothing is
    /// owed or late, or the recorder refuses once more.
    pub(super) async fn pay(
        &self,
        recorder: &Arc<dyn Recorder>,
        patience: Duration,
        mut closing: watch::Receiver<bool>,
    ) {
        let mut late = JoinSet::new();
        loop {
            // Also where there is always something owed: what was answered makes room, and what was refused has its turn.
            while let Some(answered) = late.try_join_next() {
                self.owe_again(answered);
            }
            let is_closing = *closing.borrow();
            let Some(Owed { event, at, recording }) = self.next() else {
                if is_closing && late.is_empty() {
                    return;
                }
                tokio::select! {
                    Some(answered) = late.join_next() => self.owe_again(answered),
                    () = self.owing.notified() => {}
                    () = drained(&mut closing), if !is_closing => {}
                }
                continue;
            };
            let mut recording = recording.unwrap_or_else(|| begin(recorder, &event, at));
            let answer = tokio::select! {
                biased;
                answer = &mut recording => Some(answer),
                () = sleep(if is_closing { LAST_PATIENCE } else { patience }) => None,
                () = drained(&mut closing), if !is_closing => None,
            };
            match answer {
                Some(Ok(())) => {}
                Some(Err(_)) => {
                    self.owed().push_front(Owed { event, at, recording: None });
                    if *closing.borrow() {
                        return;
                    }
                    let _ = timeout(PAUSE, drained(&mut closing)).await;
                }
                None if late.len() < MOST_OWED => {
                    let answered = async move {
                        let is_refused = recording.await.is_err();
                        is_refused.then_some(Owed { event, at, recording: None })
                    };
                    #[expect(clippy::disallowed_methods, reason = "it ends with this, and they are bounded")]
                    late.spawn(answered);
                }
                None => self.owed().push_back(Owed { event, at, recording: Some(recording) }),
            }
        }
    }

    /// The oldest that is owed; after all of them, how many there was no room for.
    fn next(&self) -> Option<Owed> {
        let oldest = self.owed().pop_front();
        oldest.or_else(|| {
            let [revocations, tokens] = &self.forgotten;
            number(revocations, "").or_else(|| number(tokens, " used tokens"))
        })
    }

    fn owed(&self) -> MutexGuard<'_, VecDeque<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells how much was forgotten, if anything was.
fn number(forgotten: &AtomicU64, what: &str) -> Option<Owed> {
    let number = forgotten.swap(0, Ordering::Relaxed);
    let target = || Some(Label::new(&format!("{number} more{what} that could not be recorded")));
    (number > 0).then(|| Owed {
        event: Arc::new(AuthEvent::TokenRevoked { token: None, target: target(), peer: None }),
        at: None,
        recording: None,
    })
}

/// A record that whoever owns it may wait for anywhere: of what happens now, or as of when it happened.
pub(super) fn begin(
    recorder: &Arc<dyn Recorder>,
    event: &Arc<AuthEvent>,
    at: Option<Timestamp>,
) -> Recording {
    let (recorder, event) = (Arc::clone(recorder), Arc::clone(event));
    Box::pin(async move {
        match at {
            Some(at) => recorder.record_at(&event, at).await,
            None => recorder.record(&event).await,
        }
    })
}
