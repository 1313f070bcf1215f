//! What the defaults of the client bound, in virtual time: each attempt (RTN14c), a callback (RSA4c), and the patience of `connect`.

use realtime_auth_tests::recorder::Recorder;
use tokio::spawn;
use tokio::time::{Instant, pause, resume, sleep};

use super::*;

fn is_lost(event: &AuthEvent) -> bool {
    matches!(event, AuthEvent::ConnectionLost { .. })
}

/// That the attempt under way, of which the server says no more, is given up after ten seconds and no earlier.
async fn is_given_up_after_ten_seconds(recorder: &Recorder) {
    pause();
    sleep(Duration::from_millis(9_500)).await;
    assert_eq!(recorder.count(is_lost), 0, "{recorder:?}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(recorder.count(is_lost), 1, "{recorder:?}");
    resume();
}

#[tokio::test]
async fn rtn14c_an_attempt_without_an_upgrade_is_given_up_after_ten_seconds() {
    let mut server = Server::start().await;
    let recorder = Recorder::default();
    let realtime = with_defaults(numbered().0, &server.url()).with_observer(Arc::new(recorder.clone()));
    let mut session = realtime.build().unwrap().open().unwrap();
    let mut silent = soon(server.connections.recv()).await.unwrap();
    soon(request(&mut silent)).await.unwrap();
    is_given_up_after_ten_seconds(&recorder).await;
    let _peer = server.welcomed().await;
    soon(session.authenticated()).await.unwrap();
}

#[tokio::test]
async fn rtn14c_an_attempt_without_connected_is_given_up_after_ten_seconds() {
    let mut server = Server::start().await;
    let recorder = Recorder::default();
    let realtime = with_defaults(numbered().0, &server.url()).with_observer(Arc::new(recorder.clone()));
    let mut session = realtime.build().unwrap().open().unwrap();
    let mut peer = server.peer().await;
    // Another message is no CONNECTED. It is asked for the pong, so that the upgrade has been seen when time stands still.
    peer.say(&json!({ "action": 0 })).await;
    peer.has_answered_a_ping().await;
    is_given_up_after_ten_seconds(&recorder).await;
    let _peer = server.welcomed().await;
    soon(session.authenticated()).await.unwrap();
}

/// What asks for a token is never answered.
fn unanswered() -> AuthOptions {
    AuthOptions::new().with_auth_callback(callback(|_: TokenParams| std::future::pending()))
}

#[tokio::test(start_paused = true)]
async fn rsa4c2_a_callback_that_never_answers_leads_to_disconnected() {
    let session = with_defaults(unanswered(), "http://127.0.0.1:1").build().unwrap().open().unwrap();
    let mut events = session.events();
    // Not by `soon`, which is as long as the callback's time.
    while !matches!(events.next().await, Some(SessionEvent::State { state: State::Disconnected, .. })) {}
    session.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn connect_waits_for_half_a_minute() {
    let begun = Instant::now();
    let realtime = with_defaults(unanswered(), "http://127.0.0.1:1").build().unwrap();
    let connecting = spawn(async move { realtime.connect().await });
    sleep(Duration::from_millis(29_500)).await;
    assert!(!connecting.is_finished());
    let error = connecting.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), begun.elapsed().as_secs()), (auth_core::ErrorKind::Timeout, 30), "{error}");
}
