//! `close()` by the state that it comes in (RTN12), and how long a server keeps a lost connection's state (RTN14e, RTN21).

use tokio::spawn;
use tokio::task::JoinHandle;
use tokio::time::{Instant, pause, resume};

use super::*;

const CLOSE: u8 = 7;
const CLOSED: u8 = 8;

/// Closes, with the states from now on.
fn closing(realtime: &Realtime) -> JoinHandle<Result<(), Error>> {
    let realtime = realtime.clone();
    spawn(async move { realtime.close().await })
}

async fn next_state(events: &mut Events) -> State {
    loop {
        if let SessionEvent::State { state, .. } = soon(events.next()).await.expect("it goes on") {
            return state;
        }
    }
}

/// The events from after the state that the session is in.
async fn from_now(session: &Session) -> Events {
    let mut events = session.events();
    assert_eq!(next_state(&mut events).await, session.state());
    events
}

/// No wait before the next attempt is over while a test lasts.
fn patient() -> Config {
    Config::new().with_backoff(Backoff::new(Duration::from_secs(3_600), Duration::from_secs(3_600)))
}

#[tokio::test]
async fn rtn12a_close_says_close_behind_what_was_sent_and_is_done_with_closed() {
    let mut server = Server::start().await;
    let (realtime, session, mut peer) = connected(numbered().0, &mut server).await;
    let mut events = from_now(&session).await;
    let sent = session.sender().enqueue(r#"{"action":15,"channel":"a"}"#).await.unwrap();
    let closing = closing(&realtime);
    assert_eq!(peer.heard().await["action"], 15);
    assert_eq!(peer.heard().await, json!({ "action": CLOSE }));
    sent.await.unwrap();
    assert_eq!(next_state(&mut events).await, State::Closing);
    // Neither is CLOSED: the connection is as it was.
    peer.say(&json!({ "action": 0 })).await;
    peer.say(&json!({ "action": 15, "channel": "a" })).await;
    peer.has_answered_a_ping().await;
    assert!(!closing.is_finished());
    peer.say(&json!({ "action": CLOSED })).await;
    peer.closed().await;
    soon(closing).await.unwrap().unwrap();
    assert_eq!(next_state(&mut events).await, State::Closed);
    assert_eq!((session.state(), server.connections()), (State::Closed, 1));
}

#[tokio::test]
async fn rtn12a_a_session_that_is_dropped_says_close_too() {
    let mut server = Server::start().await;
    let (_realtime, session, mut peer) = connected(numbered().0, &mut server).await;
    drop(session);
    peer.lets_go().await;
}

#[tokio::test]
async fn rtn12b_without_closed_the_connection_is_dropped_after_ten_seconds() {
    let mut server = Server::start().await;
    let realtime = with_defaults(numbered().0, &server.url()).build().unwrap();
    let (session, mut peer) = tokio::join!(realtime.connect(), server.welcomed());
    let session = session.unwrap();
    let closing = closing(&realtime);
    assert_eq!(peer.heard().await["action"], CLOSE);
    pause();
    let begun = Instant::now();
    closing.await.unwrap().unwrap();
    let took = begun.elapsed();
    resume();
    // Before time stood still, some had passed.
    assert!(took.as_secs() <= 10, "{took:?}");
    assert_eq!(session.state(), State::Closed);
    peer.ended().await;
}

#[tokio::test]
async fn rtn12c_a_connection_that_drops_after_close_is_closed() {
    for says in [None, Some(failure(6, 80_003)), Some(failure(9, 50_000))] {
        let mut server = Server::start().await;
        let (realtime, session, mut peer) = connected(numbered().0, &mut server).await;
        let closing = closing(&realtime);
        assert_eq!(peer.heard().await["action"], CLOSE);
        if let Some(message) = says {
            peer.say(&message).await;
        }
        drop(peer);
        soon(closing).await.unwrap().unwrap();
        assert_eq!((session.state(), server.connections()), (State::Closed, 1));
    }
}

#[tokio::test]
async fn rtn12d_close_while_disconnected_or_suspended_is_done_at_once() {
    for (details, state) in
        [(json!({}), State::Disconnected), (json!({ "connectionStateTtl": 0 }), State::Suspended)]
    {
        let mut server = Server::start().await;
        let realtime = builder(numbered().0, &server.url()).with_session_config(patient()).build().unwrap();
        let (session, peer) = tokio::join!(realtime.connect(), server.welcomed_with(details));
        let session = session.unwrap();
        let mut events = from_now(&session).await;
        drop(peer);
        assert_eq!(next_state(&mut events).await, state);
        soon(realtime.close()).await.unwrap();
        assert_eq!(next_state(&mut events).await, State::Closed);
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn rtn12f_close_while_connecting_says_close_once_connected_has_come() {
    for is_upgraded in [false, true] {
        let mut server = Server::start().await;
        let realtime = client(numbered().0, &server);
        let session = realtime.open().unwrap();
        let mut events = session.events();
        let stream = soon(server.connections.recv()).await.unwrap();
        let _ = states_until(&mut events, State::Connecting).await;
        let opened = if is_upgraded {
            let mut peer = Peer::upgraded(stream).await;
            peer.has_answered_a_ping().await;
            Ok(peer)
        } else {
            Err(stream)
        };
        let closing = closing(&realtime);
        assert_eq!(next_state(&mut events).await, State::Closing);
        let mut peer = match opened {
            Ok(peer) => peer,
            Err(stream) => Peer::upgraded(stream).await,
        };
        peer.has_answered_a_ping().await;
        peer.welcome("id", json!({})).await;
        peer.lets_go().await;
        soon(closing).await.unwrap().unwrap();
        assert_eq!(next_state(&mut events).await, State::Closed);
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn rtn12f_close_while_connecting_is_done_when_the_attempt_comes_to_nothing() {
    for says in [None, Some(failure(9, 40_101)), Some(failure(6, 80_003))] {
        let mut server = Server::start().await;
        let realtime = client(numbered().0, &server);
        let session = realtime.open().unwrap();
        let mut events = session.events();
        let mut peer = server.peer().await;
        let closing = closing(&realtime);
        let _ = states_until(&mut events, State::Closing).await;
        if let Some(message) = says {
            peer.say(&message).await;
        }
        drop(peer);
        soon(closing).await.unwrap().unwrap();
        assert_eq!((session.state(), server.connections()), (State::Closed, 1));
    }
}

#[tokio::test]
async fn rtn12_close_elsewhere_changes_nothing() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    soon(realtime.close()).await.unwrap();
    assert_eq!(server.connections(), 0, "there was none");
    let (session, mut peer) = tokio::join!(realtime.connect(), server.welcomed());
    let mut session = session.unwrap();
    peer.say(&failure(9, 40_400)).await;
    assert_eq!(failed(&mut session).await, Some(40_400));
    assert_eq!(soon(realtime.close()).await.unwrap_err().code(), Some(40_400), "why it had failed");
    assert_eq!(session.state(), State::Failed);
    soon(realtime.close()).await.unwrap();
}

/// RTN27d: and then nothing is resumed.
#[tokio::test]
async fn rtn14e_rtn21_the_time_that_the_server_names_decides_when_the_connection_is_suspended() {
    let mut server = Server::start().await;
    let config = quick().with_suspended_after(Duration::from_secs(3_600));
    let realtime = builder(numbered().0, &server.url()).with_session_config(config).build().unwrap();
    let session = realtime.open().unwrap();
    let mut events = session.events();
    let mut peer = server.welcomed_with(json!({ "connectionStateTtl": 3_600_000 })).await;
    // RTN21, RTN24: what is said last counts.
    peer.say(&json!({ "action": 17 })).await;
    let _ = peer.reauthorized().await;
    peer.welcome("id", json!({ "connectionStateTtl": 50 })).await;
    while !matches!(soon(events.next()).await, Some(SessionEvent::Renewed { .. })) {}
    drop(peer);
    let refused = async {
        loop {
            drop(server.connections.recv().await);
        }
    };
    let suspended = async { while next_state(&mut events).await != State::Suspended {} };
    tokio::select! {
        () = suspended => {}
        () = refused => unreachable!(),
    }
    // One that was made before may wait to be seen.
    while server.peer().await.asked("resume").is_some() {}
    assert_eq!(server.peer().await.asked("resume"), None);
}

#[tokio::test]
async fn rtn14e_rtn21_a_server_that_keeps_the_state_for_longer_is_asked_to_resume_for_longer() {
    let mut server = Server::start().await;
    let config = quick().with_suspended_after(Duration::ZERO);
    let realtime = builder(numbered().0, &server.url()).with_session_config(config).build().unwrap();
    let (session, peer) = tokio::join!(realtime.connect(), server.welcomed());
    let mut events = from_now(session.as_ref().unwrap()).await;
    drop(peer);
    for _ in 0..5 {
        assert_eq!(server.peer().await.asked("resume"), Some("id!key"));
    }
    let _peer = server.welcomed().await;
    let states = states_until(&mut events, State::Connected).await;
    assert!(!states.contains(&State::Suspended), "{states:?}");
}
