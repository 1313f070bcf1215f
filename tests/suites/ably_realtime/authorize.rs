//! `authorize` on a realtime client (RTC8): in place, while connecting, and without a connection.

use auth_core::{ErrorKind, Retry};

use super::*;

async fn authorize(realtime: &Realtime) -> Result<String, Error> {
    soon(realtime.authorize(None, None)).await.map(|details| details.token().expose().to_owned())
}

#[tokio::test]
async fn rtc8a_authorize_sends_auth_on_the_live_connection() {
    let mut server = Server::start().await;
    let (realtime, session, mut peer) = connected(numbered().0, &mut server).await;
    let mut events = session.events();
    let answered = async {
        assert_eq!(peer.reauthorized().await, "token-2");
        peer.welcome("id", json!({})).await;
    };
    assert_eq!(tokio::join!(authorize(&realtime), answered).0.unwrap(), "token-2");
    // RTC8a1, RTN24: an update, and no other state.
    let now = soon(events.next()).await.unwrap();
    assert!(matches!(now, SessionEvent::State { state: State::Connected, .. }), "{now:?}");
    let update = soon(events.next()).await.unwrap();
    assert!(matches!(update, SessionEvent::Renewed { in_band: true, .. }), "{update:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn rtc8a3_authorize_is_done_only_when_the_server_has_answered() {
    let mut server = Server::start().await;
    let (realtime, _session, mut peer) = connected(numbered().0, &mut server).await;
    let other = realtime.clone();
    let authorizing = tokio::spawn(async move { authorize(&other).await });
    assert_eq!(peer.reauthorized().await, "token-2");
    // What is no answer is none.
    peer.say(&json!({ "action": 0 })).await;
    peer.say(&json!({ "action": 11, "channel": "a" })).await;
    assert_eq!(realtime.auth().token_details().unwrap().token().expose(), "token-2");
    assert!(!authorizing.is_finished());
    peer.welcome("id", json!({})).await;
    assert_eq!(soon(authorizing).await.unwrap().unwrap(), "token-2");
}

#[tokio::test]
async fn rtc8a1_what_the_answer_says_takes_the_place_of_what_was_said() {
    let mut server = Server::start().await;
    let (realtime, _session, mut peer) = connected(numbered().0, &mut server).await;
    assert!(realtime.auth().client_id().is_none());
    let answered = async {
        let _ = peer.reauthorized().await;
        peer.welcome("id", json!({ "connectionKey": "another", "clientId": "alice" })).await;
    };
    tokio::join!(authorize(&realtime), answered).0.unwrap();
    assert_eq!(realtime.auth().client_id().unwrap().as_str(), "alice");
    drop(peer);
    assert_eq!(server.peer().await.asked("resume"), Some("another"));
}

#[tokio::test]
async fn rtc8a2_an_error_in_answer_to_auth_fails_the_connection() {
    let mut server = Server::start().await;
    let (realtime, mut session, mut peer) = connected(numbered().0, &mut server).await;
    let refused = async {
        let _ = peer.reauthorized().await;
        peer.say(&failure(9, 40_102)).await;
    };
    let error = tokio::join!(authorize(&realtime), refused).0.unwrap_err();
    assert_eq!((error.code(), failed(&mut session).await), (Some(40_102), Some(40_102)), "{error}");
    assert!(!error.to_string().contains("canary"), "what a stranger wrote: {error}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn rtc8a_a_token_error_in_answer_to_auth_is_cured_by_one_more_token_on_a_new_connection() {
    let mut server = Server::start().await;
    let (realtime, _session, mut peer) = connected(numbered().0, &mut server).await;
    let refused = async {
        let _ = peer.reauthorized().await;
        peer.say(&failure(9, 40_142)).await;
        let peer = server.welcomed().await;
        assert_eq!((peer.token(), peer.asked("resume")), ("token-3", Some("id!key")));
        peer
    };
    assert!(tokio::join!(authorize(&realtime), refused).0.is_ok());
}

/// ably-js waits for ever.
#[tokio::test]
async fn rtc8a_an_auth_that_is_not_answered_costs_the_connection_and_the_next_has_the_token() {
    let mut server = Server::start().await;
    let config = quick().with_answer_timeout(Duration::from_millis(200));
    let realtime = builder(numbered().0, &server.url()).with_session_config(config).build().unwrap();
    let (session, mut peer) = tokio::join!(realtime.connect(), server.welcomed());
    let _session = session.unwrap();
    let unanswered = async {
        let _ = peer.reauthorized().await;
        let next = server.welcomed().await;
        assert_eq!(next.token(), "token-2");
        next
    };
    assert!(tokio::join!(authorize(&realtime), unanswered).0.is_ok());
}

#[tokio::test]
async fn rtc8a_of_two_at_once_both_are_done_and_the_later_token_is_the_connections() {
    let mut server = Server::start().await;
    let (realtime, _session, mut peer) = connected(numbered().0, &mut server).await;
    let answered = async {
        let mut last = String::new();
        while last != "token-3" {
            last = peer.reauthorized().await;
            peer.welcome("id", json!({})).await;
        }
    };
    let (one, other, ()) = tokio::join!(authorize(&realtime), authorize(&realtime), answered);
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn rtc8b_authorize_while_connecting_gives_the_attempt_up_and_connects_with_the_new_token() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    let _session = realtime.open().unwrap();
    let mut unanswered = server.peer().await;
    assert_eq!(unanswered.token(), "token-1");
    let connects = async {
        unanswered.ended().await;
        let peer = server.welcomed().await;
        assert_eq!(peer.token(), "token-2");
        peer
    };
    assert_eq!(tokio::join!(authorize(&realtime), connects).0.unwrap(), "token-2");
}

#[tokio::test]
async fn rtc8b1_authorize_fails_with_the_connection_that_it_waits_for() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    let mut session = realtime.open().unwrap();
    let mut unanswered = server.peer().await;
    let refused = async {
        unanswered.ended().await;
        server.refuse(1, 40_101).await;
    };
    let error = tokio::join!(authorize(&realtime), refused).0.unwrap_err();
    assert_eq!((error.code(), failed(&mut session).await), (Some(40_101), Some(40_101)));
}

#[tokio::test]
async fn rtc8b1_authorize_fails_when_the_connection_is_closed_or_dropped() {
    for drops in [false, true] {
        let mut server = Server::start().await;
        let realtime = client(numbered().0, &server);
        let session = realtime.open().unwrap();
        let mut unanswered = server.peer().await;
        let ends = async {
            unanswered.ended().await;
            let _peer = server.peer().await;
            if drops { drop(session) } else { realtime.close().await.unwrap() }
        };
        let error = tokio::join!(authorize(&realtime), ends).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}

#[tokio::test]
async fn rtc8b1_authorize_fails_when_the_connection_is_suspended_and_that_goes_on_trying() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    let details = json!({ "connectionStateTtl": 50 });
    let (session, peer) = tokio::join!(realtime.connect(), server.welcomed_with(details));
    let mut session = session.unwrap();
    drop(peer);
    let refused = async {
        loop {
            drop(server.connections.recv().await);
        }
    };
    let error = tokio::select! {
        outcome = authorize(&realtime) => outcome.unwrap_err(),
        () = refused => unreachable!(),
    };
    assert_eq!((error.code(), error.retry()), (Some(80_002), Retry::Backoff), "{error}");
    let (again, _peer) = tokio::join!(session.authenticated(), server.welcomed());
    again.unwrap();
}

#[tokio::test]
async fn rtc8c_authorize_without_a_connection_makes_one_which_connect_hands_over() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    let (authorized, mut peer) = tokio::join!(authorize(&realtime), server.welcomed());
    assert_eq!((authorized.unwrap().as_str(), peer.token()), ("token-1", "token-1"));
    peer.say(&json!({ "action": 15, "channel": "a" })).await;
    let mut session = realtime.connect().await.unwrap();
    assert!(soon(session.next()).await.is_some(), "nothing of it is lost");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn rtc8c_authorize_connects_again_after_the_connection_has_failed_or_was_closed() {
    let mut server = Server::start().await;
    let (realtime, mut session, mut peer) = connected(numbered().0, &mut server).await;
    peer.say(&failure(9, 40_101)).await;
    assert_eq!(failed(&mut session).await, Some(40_101));
    let (authorized, peer) = tokio::join!(authorize(&realtime), server.welcomed());
    assert_eq!((authorized.unwrap().as_str(), peer.token()), ("token-2", "token-2"));
    // Another one, so nothing is resumed.
    assert_eq!(peer.asked("resume"), None);
    soon(realtime.close()).await.unwrap();
    let (authorized, peer) = tokio::join!(authorize(&realtime), server.welcomed());
    assert_eq!((authorized.unwrap().as_str(), peer.token()), ("token-3", "token-3"));
}

#[tokio::test]
async fn rtc8c_authorize_while_disconnected_waits_no_longer() {
    let mut server = Server::start().await;
    let wait = Backoff::new(Duration::from_secs(3_600), Duration::from_secs(3_600));
    let config = Config::new().with_backoff(wait);
    let realtime = builder(numbered().0, &server.url()).with_session_config(config).build().unwrap();
    let (session, peer) = tokio::join!(realtime.connect(), server.welcomed());
    let mut events = session.unwrap().events();
    // The session was dropped with its last use: another.
    drop((peer, events.next().await));
    let session = realtime.open().unwrap();
    let mut events = session.events();
    drop(server.peer().await);
    let _ = states_until(&mut events, State::Disconnected).await;
    let (authorized, peer) = tokio::join!(authorize(&realtime), server.welcomed());
    assert_eq!(authorized.unwrap(), peer.token());
}

/// RSA4c3: the connection goes on with what it has, and nothing is sent.
#[tokio::test]
async fn rtc8_rsa4c_authorize_that_gets_no_token_leaves_the_connection_alone() {
    let mut server = Server::start().await;
    let options = failing(|call| match call {
        2 => Some(outage()),
        3 => Some(refusal()),
        _ => None,
    });
    let (realtime, mut session, mut peer) = connected(options.0, &mut server).await;
    let error = authorize(&realtime).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some(80_019), Retry::Backoff), "{error}");
    // RSA4d: for good; but the token in use is as good as before.
    let error = authorize(&realtime).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some(80_019), Retry::Never), "{error}");
    assert_eq!(session.state(), State::Connected);
    session.send(r#"{"action":0,"id":"5"}"#).await.unwrap();
    assert_eq!(peer.heard().await["id"], "5", "no AUTH came before it");
    peer.say(&json!({ "action": 0, "id": "5" })).await;
    assert!(soon(session.next()).await.is_some());
}

/// RSA10a, RSA10j: later tokens are got by the options of the last `authorize`.
#[tokio::test]
async fn rtc8_rsa10j_what_authorize_was_given_is_used_from_then_on() {
    let mut server = Server::start().await;
    let (realtime, _session, mut peer) = connected(bare("given"), &mut server).await;
    assert_eq!(peer.token(), "given");
    let (options, calls) = numbered();
    let answered = async {
        assert_eq!(peer.reauthorized().await, "token-1");
        peer.welcome("id", json!({})).await;
        peer.say(&failure(6, 40_142)).await;
        server.welcomed().await
    };
    let (authorized, peer) = tokio::join!(soon(realtime.authorize(None, Some(options))), answered);
    authorized.unwrap();
    assert_eq!((peer.token(), calls.load(Ordering::Relaxed)), ("token-2", 2));
}
