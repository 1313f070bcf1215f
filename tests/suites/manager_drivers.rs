//! One story through three drivers: on tokio, on smol, and on a thread without a runtime. What is asked and what is told are
//! the same.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use auth_core::fingerprint::FingerprintKey;
use auth_core::time::Now;
use auth_core::{Demand, ErrorKind};
use auth_http::manager::{Builder, Sleep, StdClock, Timer, TokenManager};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::scripted_grant::{ScriptedGrant, Step};
use realtime_auth_tests::scripted_store::ScriptedStore;

struct SmolTimer(StdClock);

impl Timer for SmolTimer {
    fn now(&self) -> Now {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(async move {
            smol::Timer::after(duration).await;
        })
    }
}

/// What a driver is judged by.
#[derive(Debug, PartialEq)]
struct Outcome {
    tokens: Vec<Result<String, ErrorKind>>,
    requests: Vec<Option<String>>,
    events: Vec<String>,
    saved: Option<(String, bool)>,
}

/// A first token whose request fails once, one instead of it, whose grant panics once, and none instead of that: it was
/// refused at once. Told by a thread that blocks.
fn story(run: impl FnOnce(Builder) -> TokenManager) -> Outcome {
    let steps = [Step::Fail(ErrorKind::RateLimited), Step::Slow(3), Step::Panic, Step::Slow(1)];
    let grant = ScriptedGrant::refreshing(steps);
    let (recorder, store) = (Recorder::default(), ScriptedStore::default());
    let manager = run(TokenManager::builder(grant.clone())
        .with_seed(7)
        .with_fingerprint_key(FingerprintKey::new([7; 32]))
        .with_store(Arc::new(store.clone()))
        .with_observer(Arc::new(recorder.clone())));
    let mut tokens = Vec::new();
    let mut demand = Demand::Current;
    for _ in 0..3 {
        let result = manager.token_blocking(demand);
        if let Ok(token) = &result {
            demand = Demand::InsteadOf(token.generation());
        }
        tokens.push(result.map(|token| token.secret().expose().to_owned()).map_err(|error| error.kind()));
    }
    manager.shut_down_blocking();
    let events = recorder.events().iter().map(without_clock_readings).collect();
    Outcome { tokens, requests: grant.requests(), events, saved: store.refresh_token() }
}

/// An event as text, without what tells how late it was, and how long it took.
fn without_clock_readings(event: &auth_core::AuthEvent) -> String {
    let mut event = serde_json::to_value(event).unwrap();
    let fields = event.as_object_mut().unwrap();
    let too_soon = fields.get("reason").is_some_and(|reason| reason == "too_soon");
    fields.retain(|name, _| match name.as_str() {
        "valid_for_ms" | "expires_in_ms" | "renews_in_ms" | "took_ms" | "noted_ms" => false,
        "retry_in_ms" => !too_soon,
        _ => true,
    });
    event.to_string()
}

#[test]
fn the_same_story_goes_the_same_way_through_all_three_drivers() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let on_tokio = story(|builder| {
        let _entered = runtime.enter();
        builder.spawn()
    });
    let on_smol = story(|builder| {
        let (manager, driver) = builder.build_on(Arc::new(SmolTimer(StdClock::start())));
        smol::spawn(driver.run()).detach();
        manager
    });
    let on_a_thread = story(|builder| {
        let (manager, driver) = builder.build_blocking();
        thread::spawn(move || driver.run());
        manager
    });
    assert_eq!(on_tokio.tokens[..2], [Ok("token-2".to_owned()), Ok("token-4".to_owned())]);
    assert_eq!(on_tokio.tokens[2], Err(ErrorKind::InvalidToken));
    assert_eq!(on_tokio.requests.len(), 4);
    assert_eq!(on_tokio.saved, Some(("refresh-4".to_owned(), false)));
    assert!(on_tokio.events.len() > 5, "{:#?}", on_tokio.events);
    assert_eq!(on_tokio, on_smol);
    assert_eq!(on_tokio, on_a_thread);
}

/// A thread that is parked for a deadline wakes up for a caller, and for the deadline.
#[test]
fn the_blocking_driver_wakes_for_callers_and_for_time() {
    let grant = ScriptedGrant::new([Step::Silence]);
    let (manager, driver) = TokenManager::builder(grant).build_blocking();
    let driver = thread::spawn(move || driver.run());
    manager.demand();
    let patience = Duration::from_millis(20);
    let error = smol::block_on(manager.token_within(Demand::Current, patience)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    drop(manager);
    driver.join().unwrap();
}
