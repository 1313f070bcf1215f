//! Recorders that hang or refuse: what is owed is told once, however long that takes.

use async_trait::async_trait;
use std::future::pending;
use std::sync::atomic::AtomicBool;

use auth_core::Observer;
use auth_core::observe::{Replayed, Unrecorded};

use super::debts::MOST_OWED;
use super::*;
use crate::clock::Clock;

/// A recorder that refuses, hangs or records, as it is told, and counts what it is asked.
pub(crate) struct Moody {
    mood: watch::Sender<Mood>,
    asked: AtomicU64,
    recorded: Mutex<Vec<AuthEvent>>,
    /// The times that were given with events.
    times: Mutex<Vec<Timestamp>>,
    /// Whether the next call is never answered, whatever the mood.
    loses_one: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Records,
    Refuses,
    Hangs,
}

impl Moody {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            mood: watch::Sender::new(mood),
            asked: AtomicU64::new(0),
            recorded: Mutex::default(),
            times: Mutex::default(),
            loses_one: AtomicBool::new(false),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The names of what is on record.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.recorded.lock().unwrap().iter().map(AuthEvent::name).collect()
    }
}

impl Observer for Moody {
    fn observe(&self, event: &AuthEvent) {
        self.recorded.lock().unwrap().push(event.clone());
    }
}

#[async_trait]
impl Recorder for Moody {
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.loses_one.swap(false, Ordering::Relaxed) {
            pending().await
        }
        let mood = self.mood.subscribe().wait_for(|mood| *mood != Mood::Hangs).await.map(|mood| *mood);
        if mood.is_ok_and(|mood| mood == Mood::Refuses) {
            return Err(Unrecorded::new("the disk is full"));
        }
        self.observe(event);
        Ok(())
    }

    async fn record_at(&self, event: &AuthEvent, at: Timestamp) -> Result<(), Unrecorded> {
        self.times.lock().unwrap().push(at);
        self.record(event).await
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn ledger(recorder: &Arc<Moody>) -> (Arc<Ledger>, Clock) {
    let clock = Clock::start();
    let recorder: Arc<Moody> = Arc::clone(recorder);
    (Arc::new(Ledger::new(recorder, FingerprintKey::new([5; 32]), PATIENCE, clock.now())), clock)
}

fn peer() -> SocketAddr {
    "192.0.2.1:1000".parse().unwrap()
}

fn revocations(count: usize) -> Vec<Decision> {
    let revoked =
        |number: usize| Decision::Revoked { token: None, target: Some(Label::new(&number.to_string())) };
    (0..count).map(revoked).collect()
}

fn revoked(target: &str) -> AuthEvent {
    AuthEvent::TokenRevoked { token: None, target: Some(Label::new(target)), peer: None }
}

async fn for_a_minute(ledger: &Ledger, closing: &watch::Sender<bool>) {
    assert!(timeout(Duration::from_secs(60), ledger.pay(closing.subscribe())).await.is_err(), "it goes on");
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_hangs_is_asked_once_for_each_revocation_and_tells_each_once() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, clock) = ledger(&recorder);
    assert_eq!(ledger.settle(clock.now(), peer(), revocations(3)).await, Err(Missing::Late));
    let closing = watch::Sender::new(false);
    let paying = ledger.pay(closing.subscribe());
    let mut paying = std::pin::pin!(paying);
    assert!(timeout(Duration::from_secs(60), paying.as_mut()).await.is_err());
    assert_eq!((recorder.asked(), recorder.names().len()), (3, 0), "no copies, however long it hangs");
    recorder.set(Mood::Records);
    closing.send_replace(true);
    paying.await;
    assert_eq!((recorder.asked(), recorder.names()), (3, vec!["token_revoked"; 3]));
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_refuses_is_tried_with_one_revocation_at_a_time_and_with_pauses() {
    let recorder = Moody::new(Mood::Refuses);
    let (ledger, clock) = ledger(&recorder);
    assert_eq!(ledger.settle(clock.now(), peer(), revocations(100)).await, Err(Missing::Refused));
    let closing = watch::Sender::new(false);
    for_a_minute(&ledger, &closing).await;
    let tries = recorder.asked() - 100;
    assert!((2..=13).contains(&tries), "{tries}");
    recorder.set(Mood::Records);
    closing.send_replace(true);
    ledger.pay(closing.subscribe()).await;
    assert_eq!(recorder.names(), vec!["token_revoked"; 100]);
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_at_the_end_is_tried_once_more_and_then_left() {
    let recorder = Moody::new(Mood::Refuses);
    let (ledger, clock) = ledger(&recorder);
    assert!(ledger.settle(clock.now(), peer(), revocations(2)).await.is_err());
    ledger.pay(watch::Sender::new(true).subscribe()).await;
    assert_eq!(recorder.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_caller_goes_away_is_recorded_all_the_same_and_a_token_is_not_owed() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, clock) = ledger(&recorder);
    let minted = Decision::Minted {
        token: Secret::from("token"),
        refresh_token: None,
        grant: "client_credentials",
        client_id: None,
        scope: auth_core::scope::Scopes::default(),
        expires_in: PATIENCE,
    };
    let decisions = [vec![minted], revocations(1)].concat();
    let settled = timeout(Duration::from_secs(1), ledger.settle(clock.now(), peer(), decisions)).await;
    assert!(settled.is_err(), "whoever asked is gone");
    recorder.set(Mood::Records);
    ledger.pay(watch::Sender::new(true).subscribe()).await;
    assert_eq!((recorder.asked(), recorder.names()), (2, vec!["token_revoked"]));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_come_in_time_is_late() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, _) = ledger(&recorder);
    let event = AuthEvent::TokenRevoked { token: None, target: None, peer: None };
    assert_eq!(ledger.record(event.clone(), |_| {}).await, Err(Missing::Late));
    recorder.set(Mood::Refuses);
    assert_eq!(ledger.record(event.clone(), |_| {}).await, Err(Missing::Refused));
    recorder.set(Mood::Records);
    assert_eq!(ledger.record(event.clone(), |_| {}).await, Ok(()), "the control");
}

#[tokio::test(start_paused = true)]
async fn the_sums_of_a_flood_from_everywhere_come_in_slices() {
    let recorder = Moody::new(Mood::Records);
    let (ledger, clock) = ledger(&recorder);
    let now = clock.now();
    for number in 0..20_000_u32 {
        let peer = Some(SocketAddr::from((number.to_be_bytes(), 1_000)));
        let event = AuthEvent::ReplayRejected {
            replayed: Replayed::Token,
            token: None,
            client_id: None,
            peer,
            repeated: 0,
        };
        ledger.refuse(now, event);
    }
    assert!(recorder.names().len() <= 1_000, "at once: {}", recorder.names().len());
    let before = recorder.names().len();
    assert!(timeout(Duration::ZERO, ledger.sum_up(now)).await.is_err(), "there is more than one slice");
    assert_eq!(recorder.names().len() - before, SLICE);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_was_refused_its_record_is_recorded_later_and_one_that_hung_once() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, clock) = ledger(&recorder);
    let event = AuthEvent::TokenRevoked { token: None, target: None, peer: None };
    ledger.past(clock.now(), event.clone(), |_| {});
    recorder.set(Mood::Refuses);
    ledger.finish().await;
    ledger.past(clock.now(), event, |_| {});
    ledger.finish().await;
    assert_eq!((recorder.asked(), recorder.names().len()), (2, 0));
    recorder.set(Mood::Records);
    ledger.pay(watch::Sender::new(true).subscribe()).await;
    assert_eq!((recorder.asked(), recorder.names()), (4, vec!["token_revoked"; 2]));
}

#[tokio::test(start_paused = true)]
async fn what_there_was_no_room_to_owe_is_told_as_numbers() {
    let recorder = Moody::new(Mood::Refuses);
    let (ledger, clock) = ledger(&recorder);
    let at = |millis| Now { wall: Timestamp::from_millis(millis), ..clock.now() };
    for millis in (0..MOST_OWED).map(|_| 7).chain(8..=10) {
        ledger.past(at(millis), revoked("a connection"), |_| {});
    }
    ledger.finish().await;
    for millis in 9..=10 {
        assert_eq!(ledger.consume(at(millis), consumed(&ledger)).await, Err(Missing::Refused));
    }
    recorder.set(Mood::Records);
    ledger.pay(watch::Sender::new(true).subscribe()).await;
    let recorded = recorder.recorded.lock().unwrap();
    assert_eq!(recorded.len(), MOST_OWED + 2);
    let [.., forgotten, tokens] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(*forgotten, revoked("3 more that could not be recorded"));
    assert!(matches!(tokens, AuthEvent::TokenConsumed { repeated: 1, .. }), "{tokens:?}");
    let times = recorder.times.lock().unwrap();
    assert_eq!(times.len(), recorded.len(), "each was counted when it was asked for at first");
    assert_eq!(times[MOST_OWED..], [8, 9].map(Timestamp::from_millis), "of each kind the first");
}

fn consumed(ledger: &Ledger) -> AuthEvent {
    let token = ledger.fingerprint(&Secret::from("token"));
    AuthEvent::TokenConsumed { token, client_id: None, peer: None, took: None, repeated: 0 }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_used_up_is_recorded_later_where_its_record_was_refused_however_late() {
    for (mood, missing) in [(Mood::Refuses, Missing::Refused), (Mood::Hangs, Missing::Late)] {
        let recorder = Moody::new(mood);
        let (ledger, clock) = ledger(&recorder);
        assert_eq!(ledger.consume(clock.now(), consumed(&ledger)).await, Err(missing));
        recorder.set(Mood::Refuses);
        ledger.finish().await;
        recorder.set(Mood::Records);
        ledger.pay(watch::Sender::new(true).subscribe()).await;
        assert_eq!((recorder.asked(), recorder.names()), (2, vec!["token_consumed"]), "{mood:?}");
        assert_eq!(ledger.consume(clock.now(), consumed(&ledger)).await, Ok(()), "the control");
        ledger.pay(watch::Sender::new(true).subscribe()).await;
        assert_eq!(recorder.names().len(), 2, "what is on record is not owed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_bearer_hangs_up_before_its_record_is_refused_is_recorded_later() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, clock) = ledger(&recorder);
    let consuming = ledger.consume(clock.now(), consumed(&ledger));
    assert!(timeout(Duration::from_secs(1), consuming).await.is_err());
    recorder.set(Mood::Refuses);
    ledger.finish().await;
    recorder.set(Mood::Records);
    ledger.pay(watch::Sender::new(true).subscribe()).await;
    assert_eq!(recorder.names(), ["token_consumed"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_holds_up_no_other_record_and_is_not_repeated() {
    for closes in [false, true] {
        let recorder = Moody::new(Mood::Refuses);
        let (ledger, clock) = ledger(&recorder);
        assert_eq!(ledger.settle(clock.now(), peer(), revocations(20)).await, Err(Missing::Refused));
        recorder.set(Mood::Records);
        recorder.loses_one.store(true, Ordering::Relaxed);
        let closing = watch::Sender::new(closes);
        // At the end there are a few seconds for all.
        let bound = if closes { Duration::from_secs(5) } else { PATIENCE * 2 };
        assert!(
            timeout(bound, ledger.pay(closing.subscribe())).await.is_err(),
            "the one may be answered yet"
        );
        assert_eq!((recorder.asked(), recorder.names().len()), (20 + 20, 19), "closes: {closes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_late_and_is_refused_then_is_made_anew() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, clock) = ledger(&recorder);
    assert_eq!(ledger.settle(clock.now(), peer(), revocations(3)).await, Err(Missing::Late));
    let closing = watch::Sender::new(false);
    let mut paying = std::pin::pin!(ledger.pay(closing.subscribe()));
    assert!(timeout(PATIENCE * 6, paying.as_mut()).await.is_err());
    recorder.set(Mood::Refuses);
    assert!(timeout(Duration::from_secs(1), paying.as_mut()).await.is_err());
    recorder.set(Mood::Records);
    closing.send_replace(true);
    paying.await;
    assert_eq!(recorder.names(), ["token_revoked"; 3]);
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_later_is_recorded_as_of_when_it_happened() {
    let recorder = Moody::new(Mood::Refuses);
    let (ledger, clock) = ledger(&recorder);
    let at = |millis| Now { wall: Timestamp::from_millis(millis), ..clock.now() };
    assert!(ledger.settle(at(1), peer(), revocations(1)).await.is_err());
    ledger.past(at(2), AuthEvent::TokenRevoked { token: None, target: None, peer: None }, |_| {});
    ledger.finish().await;
    assert!(ledger.consume(at(3), consumed(&ledger)).await.is_err());
    assert_eq!(recorder.times.lock().unwrap().len(), 0, "the first time it is now");
    recorder.set(Mood::Records);
    ledger.pay(watch::Sender::new(true).subscribe()).await;
    assert_eq!(*recorder.times.lock().unwrap(), [1, 2, 3].map(Timestamp::from_millis));
}

#[tokio::test(start_paused = true)]
async fn where_no_more_records_may_be_under_way_one_is_begun_when_it_happens_all_the_same() {
    for (mood, is_recorded, times) in
        [(Mood::Hangs, false, vec![]), (Mood::Refuses, false, vec![7]), (Mood::Records, true, vec![])]
    {
        let recorder = Moody::new(Mood::Hangs);
        let (ledger, clock) = ledger(&recorder);
        (0..MOST_UNDER_WAY).for_each(|_| ledger.past(clock.now(), revoked("many"), |_| {}));
        assert_eq!(recorder.asked(), 0, "none of them has had its turn");
        recorder.set(mood);
        let (answer, mut answered) = oneshot::channel();
        let now = Now { wall: Timestamp::from_millis(7), ..clock.now() };
        ledger.past(now, revoked("one more"), |recorded| answer.send(recorded).unwrap());
        assert_eq!((answered.try_recv(), recorder.asked()), (Ok(is_recorded), 1), "{mood:?}");
        recorder.set(Mood::Records);
        ledger.finish().await;
        ledger.pay(watch::Sender::new(true).subscribe()).await;
        assert_eq!(recorder.names().len(), MOST_UNDER_WAY + 1, "{mood:?}: each once");
        let times: Vec<_> = times.into_iter().map(Timestamp::from_millis).collect();
        assert_eq!(*recorder.times.lock().unwrap(), times, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_record_that_was_refused_is_made_anew_before_what_comes_after_it() {
    let recorder = Moody::new(Mood::Hangs);
    let (ledger, clock) = ledger(&recorder);
    assert_eq!(ledger.settle(clock.now(), peer(), revocations(2)).await, Err(Missing::Late));
    let closing = watch::Sender::new(false);
    let mut paying = std::pin::pin!(ledger.pay(closing.subscribe()));
    // The first is late then, and the second is waited for.
    assert!(timeout(PATIENCE * 3 / 2, paying.as_mut()).await.is_err());
    recorder.set(Mood::Refuses);
    // As long as the second is refused once more.
    assert!(timeout(Duration::from_secs(7), paying.as_mut()).await.is_err());
    ledger.past(clock.now(), revoked("another"), |_| {});
    ledger.finish().await;
    recorder.set(Mood::Records);
    closing.send_replace(true);
    paying.await;
    let recorded = recorder.recorded.lock().unwrap();
    let targets = recorded.iter().map(|event| match event {
        AuthEvent::TokenRevoked { target: Some(target), .. } => target.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(targets.collect::<Vec<_>>(), ["1", "0", "another"]);
}
