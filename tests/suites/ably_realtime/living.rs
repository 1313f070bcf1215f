//! What happens to a live connection: the server asks, disconnects, and fails (RTN15, RTN22, RSA4).

use super::*;

#[tokio::test]
async fn rtn15h1_disconnected_by_a_token_error_without_means_to_renew_fails_the_session() {
    for code in [40_140, 40_142, 40_149] {
        let mut server = Server::start().await;
        let (_realtime, mut session, mut peer) = connected(bare("given"), &mut server).await;
        peer.say(&failure(6, code)).await;
        assert_eq!((failed(&mut session).await, server.connections()), (Some(40_171), 1), "{code}");
    }
}

/// RTN22a: that is how a server ends it that was not heard.
#[tokio::test]
async fn rtn15h2_rtn22a_disconnected_by_a_token_error_a_new_token_resumes_the_connection() {
    let mut server = Server::start().await;
    let (options, calls) = numbered();
    let (_realtime, session, mut peer) = connected(options, &mut server).await;
    let mut events = session.events();
    peer.say(&failure(6, 40_142)).await;
    let peer = server.welcomed().await;
    assert_eq!((peer.token(), peer.asked("resume")), ("token-2", Some("id!key")));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    let back = loop {
        match soon(events.next()).await.unwrap() {
            SessionEvent::Closed { code, .. } => assert_eq!(code, Some(40_142)),
            SessionEvent::Authenticated { resumed, .. } => break resumed,
            _ => {}
        }
    };
    assert_eq!(back, Some(true));
}

#[tokio::test]
async fn rtn15h2_after_a_second_token_error_the_session_fails() {
    for code in TOKEN_ERRORS {
        let mut server = Server::start().await;
        let (options, calls) = numbered();
        let (_realtime, mut session, mut peer) = connected(options, &mut server).await;
        peer.say(&failure(6, code)).await;
        server.refuse(1, code).await;
        assert_eq!(failed(&mut session).await, Some(code));
        assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (2, 2), "{code}");
    }
}

#[tokio::test]
async fn rtn15h2_a_callback_that_fails_after_a_token_error_leads_to_disconnected() {
    let mut server = Server::start().await;
    let (options, _) = failing(|call| (call == 2).then(outage));
    let (_realtime, session, mut peer) = connected(options, &mut server).await;
    let mut events = session.events();
    peer.say(&failure(6, 40_142)).await;
    let states = states_until(&mut events, State::Connecting).await;
    assert!(states.contains(&State::Disconnected));
    let _ = states_until(&mut events, State::Disconnected).await;
    assert_eq!(server.welcomed().await.token(), "token-3");
}

#[tokio::test]
async fn rtn15h3_disconnected_for_another_reason_the_connection_is_resumed_with_the_same_token() {
    let mut server = Server::start().await;
    let (options, calls) = numbered();
    let (_realtime, mut session, mut peer) = connected(options, &mut server).await;
    peer.say(&failure(6, 80_003)).await;
    let peer = server.welcomed().await;
    assert_eq!((peer.token(), peer.asked("resume")), ("token-1", Some("id!key")));
    soon(session.authenticated()).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn rtn15j_an_error_of_the_connection_fails_the_session_and_one_of_a_channel_is_the_users() {
    let mut server = Server::start().await;
    let (_realtime, mut session, mut peer) = connected(numbered().0, &mut server).await;
    let mut of_channel = failure(9, 40_160);
    of_channel["channel"] = json!("a");
    peer.say(&of_channel).await;
    let delivered = soon(session.next()).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(delivered.as_text().unwrap()).unwrap(), of_channel);
    assert_eq!(session.state(), State::Connected);
    peer.say(&failure(9, 50_000)).await;
    assert_eq!(failed(&mut session).await, Some(50_000));
}

#[tokio::test]
async fn rtn22_a_server_that_asks_gets_a_new_token_in_place() {
    let mut server = Server::start().await;
    let (options, calls) = numbered();
    let (_realtime, session, mut peer) = connected(options, &mut server).await;
    let mut events = session.events();
    peer.say(&json!({ "action": 17 })).await;
    assert_eq!(peer.reauthorized().await, "token-2");
    peer.welcome("id", json!({})).await;
    let renewed = async {
        loop {
            match events.next().await.unwrap() {
                SessionEvent::Renewed { in_band, .. } => break in_band,
                event => assert!(!matches!(event, SessionEvent::Closed { .. }), "{event:?}"),
            }
        }
    };
    assert!(soon(renewed).await);
    assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (1, 2));
}

async fn renewal_failed(events: &mut Events) -> Option<Duration> {
    loop {
        if let SessionEvent::RenewalFailed { retry_in, .. } = soon(events.next()).await.unwrap() {
            return retry_in;
        }
    }
}

#[tokio::test]
async fn rtn22_rsa4c3_a_callback_that_fails_then_leaves_the_connection_and_is_asked_again() {
    let mut server = Server::start().await;
    let (options, calls) = failing(|call| (call == 2).then(outage));
    let (_realtime, session, mut peer) = connected(options, &mut server).await;
    let mut events = session.events();
    peer.say(&json!({ "action": 17 })).await;
    assert!(renewal_failed(&mut events).await.is_some());
    assert_eq!(session.state(), State::Connected);
    assert_eq!(peer.reauthorized().await, "token-3");
    assert_eq!((server.connections(), calls.load(Ordering::Relaxed)), (1, 3));
}

/// The token in use is as good as before, so it serves to its end; then the session has failed.
#[tokio::test]
async fn rtn22_rsa4d_a_callback_that_refuses_then_ends_the_session_with_the_token() {
    let mut server = Server::start().await;
    let (options, calls) = failing(|call| (call > 1).then(refusal));
    let (_realtime, mut session, mut peer) = connected(options, &mut server).await;
    let mut events = session.events();
    peer.say(&json!({ "action": 17 })).await;
    assert_eq!(renewal_failed(&mut events).await, None);
    assert_eq!((session.state(), calls.load(Ordering::Relaxed)), (State::Connected, 2));
    peer.say(&failure(6, 40_142)).await;
    assert_eq!((failed(&mut session).await, server.connections()), (Some(80_019), 1));
}

#[tokio::test]
async fn rtn22_rsa4a2_a_server_that_asks_where_there_is_no_other_token_keeps_the_connection() {
    let mut server = Server::start().await;
    let (_realtime, session, mut peer) = connected(bare("given"), &mut server).await;
    let mut events = session.events();
    peer.say(&json!({ "action": 17 })).await;
    let _ = renewal_failed(&mut events).await;
    session.send(r#"{"action":0,"id":"5"}"#).await.unwrap();
    assert_eq!(peer.heard().await["id"], "5", "and no AUTH");
    assert_eq!(session.state(), State::Connected);
}
