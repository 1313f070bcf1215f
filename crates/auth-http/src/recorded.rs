//! A source that lets a token out once that is on record, and not before.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::fingerprint::{Fingerprint, FingerprintKey};
use auth_core::observe::{Recorder, Unrecorded};
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, ErrorKind, Retry, Token, TokenSource};

use crate::shared_future::{Outcome, SharedFuture};

/// No record, no token: hands out what another source gives, each token once its [`TokenReleased`](AuthEvent::TokenReleased)
/// is as safe at a [`Recorder`] as its class asks for.
///
/// Each token is recorded once, however many ask for it at once and however often it is handed out then: from the second time on that
/// costs one comparison. A token without a [generation](Token::generation) is told apart by its name. One without a name is handed out
/// with the one that it has on record.
///
/// How long a record may take is for the recorder to bound, as a source bounds its own time; whoever asks here may give up at any time,
/// and is given nothing then. A record that everybody has given up waiting for is made anew for who asks next.
///
/// ```
/// use std::sync::Arc;
///
/// use auth_core::TokenSource;
/// use auth_core::fingerprint::FingerprintKey;
/// use auth_core::observe::Recorder;
/// use auth_http::recorded::Recorded;
///
/// fn strict(tokens: Arc<dyn TokenSource>, trail: Arc<dyn Recorder>, names: FingerprintKey) -> Recorded {
///     Recorded::new(tokens, trail, names)
/// }
/// ```
pub struct Recorded {
    source: Arc<dyn TokenSource>,
    recorder: Arc<dyn Recorder>,
    names: FingerprintKey,
    /// The generation that was released last.
    released: AtomicU64,
    releases: Mutex<Releases>,
}

#[derive(Default)]
struct Releases {
    /// The last ones that are on record.
    recorded: VecDeque<Name>,
    under_way: Vec<(Name, Recording)>,
}

type Name = (Generation, Fingerprint);
type Recording = Arc<SharedFuture<Result<(), Unrecorded>>>;

/// Readers of a source may be a token behind each other, and hardly more.
const REMEMBERED: usize = 8;

impl Recorded {
    /// Lets tokens of `source` out that are on record at `recorder`. `names` is the key under which records name a token that its source
    /// has not named.
    #[must_use]
    pub fn new(source: Arc<dyn TokenSource>, recorder: Arc<dyn Recorder>, names: FingerprintKey) -> Self {
        Self { source, recorder, names, released: AtomicU64::new(0), releases: Mutex::default() }
    }

    async fn release(&self, name: Name) -> Result<(), Error> {
        let Some((recording, outcome)) = self.recording(name) else { return Ok(()) };
        // A recorder that panics has recorded nothing.
        let outcome =
            outcome.await.unwrap_or_else(|| Err(Unrecorded::new("it panicked; see its own message")));
        let mut releases = self.releases();
        let ended: Vec<_> =
            releases.under_way.extract_if(.., |(_, other)| Arc::ptr_eq(other, &recording)).collect();
        if outcome.is_ok() && !releases.recorded.contains(&name) {
            if releases.recorded.len() == REMEMBERED {
                releases.recorded.pop_front();
            }
            releases.recorded.push_back(name);
            self.released.store(name.0.number(), Ordering::Release);
        }
        drop(releases);
        // Code of the program is in it.
        drop(ended);
        outcome.map_err(|unrecorded| {
            let text = format!("{unrecorded}; no token is handed out without a record");
            Error::new(ErrorKind::StoreFailed, text).with_retry(Retry::Backoff).with_source(unrecorded)
        })
    }

    /// A place among those who wait for this record; `None` where there is one already.
    fn recording(&self, name: Name) -> Option<(Recording, Outcome<Result<(), Unrecorded>>)> {
        let mut releases = self.releases();
        if releases.recorded.contains(&name) {
            return None;
        }
        let same = releases.under_way.iter().find(|(known, _)| *known == name);
        if let Some((_, recording)) = same.filter(|(_, recording)| !recording.is_abandoned()) {
            return Some((Arc::clone(recording), recording.outcome()));
        }
        let (recorder, (generation, token)) = (Arc::clone(&self.recorder), name);
        let recording = SharedFuture::new(async move {
            recorder.record(&AuthEvent::TokenReleased { token, generation }).await
        });
        let outcome = recording.outcome();
        let abandoned: Vec<_> =
            releases.under_way.extract_if(.., |(_, recording)| recording.is_abandoned()).collect();
        releases.under_way.push((name, Arc::clone(&recording)));
        drop(releases);
        drop(abandoned);
        Some((recording, outcome))
    }

    fn releases(&self) -> MutexGuard<'_, Releases> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenSource for Recorded {
    /// # Errors
    ///
    /// Those of the source, and [`StoreFailed`](ErrorKind::StoreFailed), to be tried again, where the token can't be recorded.
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let token = self.source.token(demand).await?;
        let name = token.fingerprint().unwrap_or_else(|| self.names.fingerprint(token.secret()));
        let generation = token.generation();
        if generation == Generation::NONE || self.released.load(Ordering::Acquire) != generation.number() {
            self.release((generation, name)).await?;
        }
        Ok(token.with_fingerprint(name))
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source: _, recorder: _, names: _, released, releases: _ } = self;
        formatter.debug_struct("Recorded").field("released", released).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use auth_core::{Observer, Secret};
    use tokio::sync::Semaphore;

    use super::*;

    /// Records as it is told to.
    struct Log {
        mode: Mutex<Mode>,
        events: Mutex<Vec<AuthEvent>>,
        /// Records that may end.
        gate: Semaphore,
    }

    #[derive(Clone, Copy)]
    enum Mode {
        Works,
        Refuses,
        Hangs,
        Panics,
        Waits,
    }

    impl Log {
        fn new(mode: Mode) -> Arc<Self> {
            Arc::new(Self { mode: Mutex::new(mode), events: Mutex::default(), gate: Semaphore::new(0) })
        }

        fn set(&self, mode: Mode) {
            *self.mode.lock().unwrap() = mode;
        }

        fn released(&self) -> Vec<u64> {
            let number = |event: &AuthEvent| match event {
                AuthEvent::TokenReleased { generation, .. } => generation.number(),
                other => panic!("{other:?}"),
            };
            self.events.lock().unwrap().iter().map(number).collect()
        }
    }

    impl Observer for Log {
        fn observe(&self, event: &AuthEvent) {
            panic!("{event:?} is to be recorded")
        }
    }

    #[async_trait]
    impl Recorder for Log {
        async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
            let mode = *self.mode.lock().unwrap();
            match mode {
                Mode::Works => {}
                Mode::Refuses => return Err(Unrecorded::new("the disk is full; make room")),
                Mode::Hangs => pending().await,
                Mode::Panics => panic!("a recorder's own"),
                Mode::Waits => self.gate.acquire().await.unwrap().forget(),
            }
            self.events.lock().unwrap().push(event.clone());
            Ok(())
        }
    }

    /// The generation that it gives, and how often it was asked.
    struct Source(AtomicU64, AtomicUsize);

    #[async_trait]
    impl TokenSource for Source {
        async fn token(&self, _: Demand) -> Result<Token, Error> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let number = self.0.load(Ordering::Relaxed);
            let generation = (0..number).fold(Generation::NONE, |generation, _| generation.next());
            Ok(Token::new(Secret::from(format!("t{number}"))).with_generation(generation))
        }
    }

    fn recorded(log: &Arc<Log>, first: u64) -> (Arc<Source>, Arc<Recorded>) {
        let source = Arc::new(Source(AtomicU64::new(first), AtomicUsize::new(0)));
        let recorder = Arc::clone(log) as Arc<dyn Recorder>;
        let names = FingerprintKey::new([1; 32]);
        (Arc::clone(&source), Arc::new(Recorded::new(source as Arc<dyn TokenSource>, recorder, names)))
    }

    #[tokio::test]
    async fn each_token_is_recorded_once_before_it_is_handed_out() {
        let log = Log::new(Mode::Works);
        let (source, recorded) = recorded(&log, 1);
        for number in [1, 1, 2, 2, 1, 2] {
            source.0.store(number, Ordering::Relaxed);
            assert_eq!(recorded.token(Demand::Current).await.unwrap().generation().number(), number);
            assert!(log.released().contains(&number));
        }
        assert_eq!(log.released(), [1, 2], "one that is a token behind was recorded before");
        // One without a number has a name.
        source.0.store(0, Ordering::Relaxed);
        for _ in 0..2 {
            let token = recorded.token(Demand::Current).await.unwrap();
            let name = token.fingerprint().expect("the name that it has on record");
            let released = AuthEvent::TokenReleased { token: name, generation: Generation::NONE };
            assert_eq!(log.events.lock().unwrap().last(), Some(&released));
        }
        assert_eq!(log.released(), [1, 2, 0]);
    }

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_record_and_none_has_the_token_before() {
        let log = Log::new(Mode::Waits);
        let (_, recorded) = recorded(&log, 1);
        let mut asking: Vec<_> = (0..8)
            .map(|_| {
                let recorded = Arc::clone(&recorded);
                Box::pin(async move { recorded.token(Demand::Current).await })
            })
            .collect();
        for caller in &mut asking {
            let early = tokio::time::timeout(Duration::ZERO, caller).await;
            assert!(early.is_err(), "it is not on record yet");
        }
        log.gate.add_permits(1);
        // Whoever polled first may be gone.
        drop(asking.remove(0));
        for caller in asking {
            caller.await.unwrap();
        }
        assert_eq!(log.released(), [1]);
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a panic ends a task of its own")]
    async fn without_a_record_there_is_no_token_until_it_can_be_made() {
        let log = Log::new(Mode::Refuses);
        let (_, recorded) = recorded(&log, 1);
        for _ in 0..2 {
            let error = recorded.token(Demand::Current).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreFailed, Retry::Backoff));
            assert!(error.to_string().starts_with("the audit log can't record this: "), "{error}");
        }
        log.set(Mode::Panics);
        let asking = {
            let recorded = Arc::clone(&recorded);
            async move { recorded.token(Demand::Current).await }
        };
        assert!(tokio::spawn(asking).await.unwrap_err().is_panic(), "that is the program's own affair");
        log.set(Mode::Works);
        recorded.token(Demand::Current).await.unwrap();
        assert_eq!(log.released(), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_recorder_that_hangs_is_left_by_whoever_waits_and_asked_anew() {
        let log = Log::new(Mode::Hangs);
        let (_, recorded) = recorded(&log, 1);
        let hour = Duration::from_secs(3_600);
        assert!(tokio::time::timeout(hour, recorded.token(Demand::Current)).await.is_err());
        log.set(Mode::Works);
        recorded.token(Demand::Current).await.unwrap();
        assert_eq!(log.released(), [1]);
    }

    #[tokio::test]
    async fn what_the_source_fails_with_is_passed_on_unrecorded() {
        struct Fails;
        #[async_trait]
        impl TokenSource for Fails {
            async fn token(&self, _: Demand) -> Result<Token, Error> {
                Err(Error::new(ErrorKind::InvalidGrant, "log in again"))
            }
        }
        let log = Log::new(Mode::Works);
        let recorder = Arc::clone(&log) as Arc<dyn Recorder>;
        let recorded = Recorded::new(Arc::new(Fails), recorder, FingerprintKey::new([1; 32]));
        assert_eq!(recorded.token(Demand::Current).await.unwrap_err().kind(), ErrorKind::InvalidGrant);
        assert!(log.released().is_empty());
    }
}
