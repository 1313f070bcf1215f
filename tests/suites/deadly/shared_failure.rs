//! A thousand callers during an outage: one flight for all of them, and one failure.

use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::renewal::Policy;
use auth_core::{AuthEvent, Demand, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::grant::ClientCredentials;
use auth_http::manager::TokenManager;
use auth_http::wire::TokenEndpoint;
use realtime_auth_tests::by_hand::ByHand;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Hold, Script};
use realtime_auth_tests::turns::Turns;
use tokio::sync::Notify;

use super::quick;

const CALLERS: usize = 1_000;

/// A pause longer than the test takes.
const LONG: Duration = Duration::from_secs(600);

/// A server that answers 503, the first time once the gate is opened; and a manager that asks it.
async fn overloaded(policy: Policy) -> (Script, Arc<Notify>, TokenManager, Turns, Recorder) {
    let gate = Arc::new(Notify::new());
    let answer = Answer::http(503, "", "");
    let held = answer.clone().held(Hold::Unanswered, Arc::clone(&gate));
    let server = Script::serve(vec![held, answer]).await.unwrap();
    let endpoint = TokenEndpoint::new(server.url(), "id", Secret::from("secret")).unwrap();
    let recorder = Recorder::default();
    let grant = ClientCredentials::new(endpoint, Arc::new(HyperClient::plaintext()));
    let builder = TokenManager::builder(grant).with_policy(policy).with_observer(Arc::new(recorder.clone()));
    let (manager, driver) = builder.build();
    (server, gate, manager, Turns::new(driver), recorder)
}

fn paused(event: &AuthEvent) -> bool {
    matches!(event, AuthEvent::RenewalPaused { .. })
}

#[tokio::test]
async fn a_thousand_callers_during_a_503_share_one_flight_and_its_failure() {
    let pauses = Backoff::new(LONG, LONG);
    let (server, gate, manager, mut turns, recorder) = overloaded(quick().with_pause(pauses)).await;
    let mut callers: Vec<_> = (0..CALLERS).map(|_| ByHand::new(manager.token(Demand::Current))).collect();
    // All of them come before the first answer: more than the driver's queue holds, so it takes a few rounds.
    let mut rounds = 0;
    loop {
        let before: usize = callers.iter().map(ByHand::wakes).sum();
        for caller in &mut callers {
            assert!(caller.settle().is_none(), "there is nothing to answer with");
        }
        turns.until(server.until(|progress| progress.received == 1)).await;
        turns.until(tokio::task::yield_now()).await;
        rounds += 1;
        if rounds > 1 && callers.iter().map(ByHand::wakes).sum::<usize>() == before {
            break;
        }
    }
    assert_eq!(recorder.count(paused), 0);

    gate.notify_one();
    turns.until(recorder.wait_for(1, paused)).await;
    // The flight is over. From here on the driver is not polled, so nobody is answered who has not been already.
    for caller in &mut callers {
        let error = caller.settle().expect("no caller outlives the flight").unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::ServerFailed, Some(503)));
        assert!(matches!(error.retry(), Retry::After(wait) if wait <= LONG), "{error:?}");
    }
    assert_eq!(server.requests().len(), 3, "the attempts of one flight");

    // Who comes during the pause gets the same at once.
    for _ in 0..CALLERS {
        let error = turns.until(manager.token(Demand::Current)).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::ServerFailed, Some(503)));
    }
    let counted = (server.requests().len(), recorder.count(paused));
    assert_eq!(counted, (3, 1), "no request and no flight since");
}

/// The control: once the pause is over the next caller does cause a flight.
#[tokio::test]
async fn a_caller_after_the_pause_causes_the_next_flight() {
    let (server, gate, manager, mut turns, recorder) = overloaded(quick()).await;
    gate.notify_one();
    turns.until(manager.token(Demand::Current)).await.unwrap_err();
    assert_eq!(server.requests().len(), 3);
    let again = async {
        while recorder.count(paused) < 2 {
            manager.token(Demand::Current).await.unwrap_err();
            tokio::task::yield_now().await;
        }
    };
    turns.until(again).await;
    assert_eq!(server.requests().len(), 6);
}
