//! The way to a connection (RTN2, RTN4, RTN14, RSA4), and whom it turns out to speak for (RSA7, RSA15).

use auth_core::Secret;
use auth_core::ably::ClientId;
use tokio::sync::Semaphore;

use super::*;

#[tokio::test]
async fn rtn2_the_request_has_the_token_and_what_the_protocol_wants() {
    let mut server = Server::start().await;
    let realtime = builder(numbered().0, &server.url()).with_client_id(ClientId::new("zoë ${x} &").unwrap());
    let _session = realtime.build().unwrap().open().unwrap();
    let peer = server.peer().await;
    let asked = ["access_token", "format", "heartbeats", "v", "clientId", "resume", "key"];
    assert_eq!(
        asked.map(|name| peer.asked(name)),
        [Some("token-1"), Some("json"), Some("true"), Some("6"), Some("zoë ${x} &"), None, None]
    );
}

/// RTN2e, RTN27b: connecting is what it is from the request for a token on, and no socket is opened without one.
#[tokio::test]
async fn rtn2e_rtn27b_rtn4_a_connection_begins_with_a_token_and_tells_each_state_once() {
    let mut server = Server::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let ask = callback(move |_: TokenParams| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(TokenReply::Token(Secret::from("late")))
        }
    });
    let realtime = client(AuthOptions::new().with_auth_callback(ask), &server);
    let session = realtime.open().unwrap();
    let mut events = session.events();
    let begun = states_until(&mut events, State::Connecting).await;
    assert_eq!((begun, server.connections()), (vec![State::Initialized, State::Connecting], 0));
    gate.add_permits(1);
    let mut peer = server.welcomed().await;
    assert_eq!(states_until(&mut events, State::Connected).await, [State::Connected]);
    tokio::join!(soon(realtime.close()), peer.lets_go()).0.unwrap();
    assert_eq!(states_until(&mut events, State::Closed).await, [State::Closing, State::Closed]);
}

#[tokio::test]
async fn rtn14a_rtn14g_an_error_that_no_token_cures_fails_the_session_with_its_number() {
    for code in [40_101, 40_102, 40_130, 40_300, 40_400, 50_000] {
        let mut server = Server::start().await;
        let (options, calls) = numbered();
        let mut session = client(options, &server).open().unwrap();
        let mut events = session.events();
        server.refuse(1, code).await;
        assert_eq!(failed(&mut session).await, Some(code));
        let states = states_until(&mut events, State::Failed).await;
        assert!(!states.contains(&State::Disconnected), "{code}: {states:?}");
        assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (1, 1), "{code}");
    }
}

#[tokio::test]
async fn rtn14b_a_token_error_is_cured_by_one_new_token() {
    for code in TOKEN_ERRORS {
        for action in [9, 6] {
            let mut server = Server::start().await;
            let (options, calls) = numbered();
            let mut session = client(options, &server).open().unwrap();
            server.peer().await.say(&failure(action, code)).await;
            let peer = server.welcomed().await;
            soon(session.authenticated()).await.unwrap();
            assert_eq!((peer.token(), calls.load(Ordering::Relaxed)), ("token-2", 2), "{code}");
        }
    }
}

#[tokio::test]
async fn rtn14b_a_second_token_error_fails_the_session() {
    for code in TOKEN_ERRORS {
        let mut server = Server::start().await;
        let (options, calls) = numbered();
        let mut session = client(options, &server).open().unwrap();
        server.refuse(2, code).await;
        assert_eq!(failed(&mut session).await, Some(code));
        assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (2, 2), "{code}");
    }
}

#[tokio::test]
async fn rtn14b_a_callback_that_fails_after_a_token_error_leads_to_disconnected() {
    let mut server = Server::start().await;
    let (options, calls) = failing(|call| (call == 2).then(outage));
    let session = client(options, &server).open().unwrap();
    let mut events = session.events();
    let _ = states_until(&mut events, State::Connecting).await;
    server.refuse(1, 40_142).await;
    // For the token error, and for the callback.
    for _ in 0..2 {
        let _ = states_until(&mut events, State::Disconnected).await;
    }
    assert_eq!(server.welcomed().await.token(), "token-3");
    let _ = states_until(&mut events, State::Connected).await;
    assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (2, 3));
}

#[tokio::test]
async fn rsa4a2_rtn14b_a_token_that_can_not_be_renewed_fails_the_session_with_40171() {
    let mut server = Server::start().await;
    let realtime = client(bare("given"), &server);
    let (outcome, ()) = tokio::join!(realtime.connect(), server.refuse(1, 40_142));
    assert_eq!((outcome.unwrap_err().code(), server.connections()), (Some(40_171), 1));
}

#[tokio::test]
async fn rtn14d_a_fault_that_may_pass_leads_to_disconnected_and_another_attempt() {
    let mut server = Server::start().await;
    let session = client(numbered().0, &server).open().unwrap();
    let mut events = session.events();
    // By a message, by the end of the connection.
    server.peer().await.say(&failure(6, 80_003)).await;
    drop(server.peer().await);
    let _peer = server.welcomed().await;
    let states = states_until(&mut events, State::Connected).await;
    let away = states.iter().filter(|state| **state == State::Disconnected).count();
    assert_eq!((away, server.connections()), (2, 3), "{states:?}");
}

#[tokio::test]
async fn rsa4c2_a_callback_that_fails_leads_to_disconnected_and_is_asked_again() {
    let mut server = Server::start().await;
    let (options, calls) = failing(|call| (call < 3).then(outage));
    let session = client(options, &server).open().unwrap();
    let mut events = session.events();
    let reason = loop {
        if let SessionEvent::State { state: State::Disconnected, reason, retry_in, .. } =
            soon(events.next()).await.unwrap()
        {
            assert!(retry_in.is_some());
            break reason.unwrap();
        }
    };
    // RSA4c1: that there was no token, and why.
    assert!(reason.as_str().contains("this client got no token"), "{reason:?}");
    assert_eq!(server.welcomed().await.token(), "token-3");
    let _ = states_until(&mut events, State::Connected).await;
    assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (1, 3));
}

#[tokio::test]
async fn rsa4d_a_callback_that_refuses_fails_the_session_with_80019() {
    let server = Server::start().await;
    let (options, calls) = failing(|_| Some(refusal()));
    let realtime = client(options, &server);
    let error = soon(realtime.connect()).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some(80_019), auth_core::Retry::Never), "{error}");
    assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (0, 1));
}

#[tokio::test]
async fn rsa4c_what_is_no_token_is_a_failure_of_its_callback() {
    for wrong in ["", "undefined", "null", "{\"token\":\"encoded twice\"}"] {
        let server = Server::start().await;
        let ask = callback(move |_: TokenParams| async move { Ok(TokenReply::Token(Secret::from(wrong))) });
        let session = client(AuthOptions::new().with_auth_callback(ask), &server).open().unwrap();
        let _ = states_until(&mut session.events(), State::Disconnected).await;
        assert_eq!(server.connections(), 0, "{wrong:?}");
    }
}

#[tokio::test]
async fn rtc4a_rsa7b3_the_client_is_whom_connected_says() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    assert!(realtime.auth().client_id().is_none());
    let welcome = async {
        let mut peer = server.peer().await;
        peer.welcome("id", json!({ "clientId": "alice" })).await;
        peer
    };
    let (session, mut peer) = tokio::join!(realtime.connect(), welcome);
    let mut session = session.unwrap();
    assert_eq!(realtime.auth().client_id().unwrap().as_str(), "alice");
    // RTN24, RSA7b4: told again on the live connection; the message is the user's.
    peer.welcome("id", json!({ "clientId": "*" })).await;
    assert!(soon(session.next()).await.is_some());
    assert_eq!(realtime.auth().client_id().unwrap().as_str(), "*");
    assert_eq!(session.state(), State::Connected);
}

#[tokio::test]
async fn rsa15c_a_connection_that_speaks_for_somebody_else_fails_with_40102() {
    for (details, fits) in [
        (json!({ "clientId": "alice" }), true),
        (json!({ "clientId": "*" }), true),
        (json!({}), true),
        (json!({ "clientId": "bob" }), false),
        (json!({ "clientId": "" }), false),
    ] {
        let mut server = Server::start().await;
        let realtime = builder(numbered().0, &server.url()).with_client_id(ClientId::new("alice").unwrap());
        let realtime = realtime.build().unwrap();
        let welcome = async {
            let mut peer = server.peer().await;
            peer.welcome("id", details.clone()).await;
            peer
        };
        let (outcome, _peer) = tokio::join!(realtime.connect(), welcome);
        let code = outcome.map(drop).map_err(|error| error.code());
        assert_eq!(code, if fits { Ok(()) } else { Err(Some(40_102)) }, "{details}");
        assert_eq!(server.connections(), 1);
    }
}
