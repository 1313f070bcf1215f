//! What has happened and is not on record yet, revocations and tokens that were used up: kept until it is.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
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
    all: Mutex<All>,
    /// Something more is owed.
    owing: Notify,
}

#[derive(Default)]
struct All {
    /// The oldest first.
    owed: VecDeque<Owed>,
    /// What there was no room to owe, and no record tells yet: revocations, and used tokens.
    forgotten: [Option<Forgotten>; 2],
}

/// What is told as a number.
struct Forgotten {
    /// The first of them, and when it happened.
    event: Arc<AuthEvent>,
    at: Timestamp,
    /// How many there are beside it.
    more: u64,
}

/// Something that is not on record yet.
pub(super) struct Owed {
    pub(super) event: Arc<AuthEvent>,
    /// When it happened, which is what its record says.
    pub(super) at: Timestamp,
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
        Self { all: Mutex::default(), owing: Notify::new() }
    }

    pub(super) fn owe(&self, owed: Owed) {
        let mut all = self.all();
        if all.owed.len() < MOST_OWED {
            all.owed.push_back(owed);
        } else {
            let is_token = matches!(*owed.event, AuthEvent::TokenConsumed { .. });
            match &mut all.forgotten[usize::from(is_token)] {
                Some(forgotten) => forgotten.more += 1,
                none => *none = Some(Forgotten { event: owed.event, at: owed.at, more: 0 }),
            }
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
            let mut recording = recording.unwrap_or_else(|| begin(recorder, &event, Some(at)));
            let answer = tokio::select! {
                biased;
                answer = &mut recording => Some(answer),
                () = sleep(if is_closing { LAST_PATIENCE } else { patience }) => None,
                () = drained(&mut closing), if !is_closing => None,
            };
            match answer {
                Some(Ok(())) => {}
                Some(Err(_)) => {
                    self.all().owed.push_front(Owed { event, at, recording: None });
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
                None => self.all().owed.push_back(Owed { event, at, recording: Some(recording) }),
            }
        }
    }

    /// The oldest that is owed; after all of them, how many there was no room for.
    fn next(&self) -> Option<Owed> {
        let mut all = self.all();
        let oldest = all.owed.pop_front();
        oldest.or_else(|| all.forgotten.iter_mut().find_map(Option::take).map(Forgotten::told))
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forgotten {
    /// One event for all of them: of used tokens the first, with how many more it stands for.
    fn told(self) -> Owed {
        let mut event = (*self.event).clone();
        if let AuthEvent::TokenConsumed { repeated, .. } = &mut event {
            *repeated = self.more;
        } else if self.more > 0 {
            let target = Label::new(&format!("{} more that could not be recorded", self.more + 1));
            event = AuthEvent::TokenRevoked { token: None, target: Some(target), peer: None };
        }
        Owed { event: Arc::new(event), at: self.at, recording: None }
    }
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
