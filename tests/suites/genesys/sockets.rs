//! The WebSocket of the document: its login, its session, its refusals, its renewal and its end.

use std::time::Duration;

use auth_core::{AuthEvent, ErrorKind};
use providers::genesys;
use realtime_auth_tests::closed_port::ClosedPort;
use realtime_auth_tests::raw_socket::RawSocket;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use tokio::spawn;
use tokio::time::{Instant, pause, resume, sleep, timeout};
use ws_session::driver::tokio::{Events, SessionEvent};
use ws_session::machine::State;

use super::spoken::{Reply, Spoken};
use super::{HOUR, REFRESH_TOKEN, client, gateway, is_authenticated, is_lost};

/// Welcomes every login, echoes the rest, and hangs up at a `bye`.
fn welcoming(_connection: usize, text: &str) -> Reply {
    match text {
        "bye" => Reply::HangUp,
        text if text.contains("\"auth\"") => {
            Reply::Say(r#"{"type":"auth","status":"ok","sessionId":"s-1"}"#.to_owned())
        }
        text => Reply::Say(text.to_owned()),
    }
}

/// As a token is refused in the document.
fn refused(message: &str) -> Reply {
    Reply::Say(format!(r#"{{"type":"auth","status":"error","message":"{message}"}}"#))
}

#[tokio::test]
async fn a_session_lives_on_a_refresh_token() {
    let gateway = gateway(Duration::from_secs(2)).await;
    let recorder = Recorder::default();
    let client = client(gateway.http_url(), &recorder).with_refresh_token(REFRESH_TOKEN).build().unwrap();
    let mut session = client.connect().await.unwrap();
    recorder.wait_for(2, |event| matches!(event, AuthEvent::TokenRenewed { .. })).await;
    session.send("on").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("on"));
    assert_eq!(gateway.sessions().upgrades(), 1);

    // The first refresh token is spent: whoever has a copy of it gets nothing.
    let thief = self::client(gateway.http_url(), &Recorder::default()).with_refresh_token(REFRESH_TOKEN);
    let error = thief.build().unwrap().valid_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidGrant);
}

#[tokio::test]
async fn a_dropped_socket_comes_back_with_a_token_that_was_never_presented() {
    let gateway = gateway(HOUR).await;
    let recorder = Recorder::default();
    let client = client(gateway.http_url(), &recorder).build().unwrap();
    let mut session = client.connect().await.unwrap();
    for lost in 1..=3 {
        let live = gateway.sessions().live().remove(0);
        assert!(gateway.sessions().disconnect(&live.session_id));
        recorder.wait_for(lost + 1, |event| matches!(event, AuthEvent::Authenticated { .. })).await;
    }
    session.authenticated().await.unwrap();
    let presented: std::collections::BTreeSet<_> = recorder
        .events()
        .iter()
        .filter_map(|event| match event {
            AuthEvent::Authenticated { token, .. } => *token,
            _ => None,
        })
        .collect();
    assert_eq!(presented.len(), 4, "four connections, four tokens");
}

#[tokio::test]
async fn the_first_message_is_the_credential_and_the_upgrade_has_none() {
    let server = Spoken::serve(3_600, 1, welcoming).await;
    let client = client(&server.url(), &Recorder::default()).build().unwrap();
    let mut session = client.connect().await.unwrap();
    session.send("afterwards").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("afterwards"));
    let heard = server.heard();
    assert!(heard[0].starts_with("1: GET /ws HTTP/1.1\r\n"), "{}", heard[0]);
    let head = heard[0].to_lowercase();
    assert!(!head.contains("authorization") && !head.contains("t1") && !head.contains("protocol:"), "{head}");
    assert_eq!(heard[1..], [r#"1: {"token":"t1","type":"auth"}"#, "1: afterwards"]);
}

#[tokio::test]
async fn a_session_id_is_told() {
    let gateway = gateway(HOUR).await;
    let recorder = Recorder::default();
    let client = client(gateway.http_url(), &recorder).build().unwrap();
    let _session = client.connect().await.unwrap();
    let told = recorder.events().into_iter().find_map(|event| match event {
        AuthEvent::Authenticated { session_id, .. } => session_id,
        _ => None,
    });
    assert_eq!(told.unwrap().as_str(), gateway.sessions().live()[0].session_id);
}

async fn resumed(events: &mut Events) -> Option<bool> {
    loop {
        if let SessionEvent::Authenticated { resumed, .. } = events.next().await.unwrap() {
            return resumed;
        }
    }
}

#[tokio::test]
async fn a_new_connection_names_the_session_of_the_one_before() {
    let server = Spoken::serve(3_600, 9, |connection, text| match (connection, text.contains("\"auth\"")) {
        // It has forgotten the session by then.
        (3, true) => Reply::Say(r#"{"type":"auth","status":"ok","sessionId":"s-2"}"#.to_owned()),
        _ => welcoming(connection, text),
    })
    .await;
    let client = client(&server.url(), &Recorder::default()).build().unwrap();
    let (mut session, driver) = client.session().build();
    let mut events = session.events();
    spawn(driver.run());
    session.authenticated().await.unwrap();
    assert_eq!(resumed(&mut events).await, Some(false));
    for taken_up in [true, false] {
        session.send("bye").await.unwrap();
        assert_eq!(resumed(&mut events).await, Some(taken_up));
    }
    let heard = server.heard();
    let logins: Vec<_> = heard.iter().filter(|heard| heard.contains("\"auth\"")).collect();
    assert_eq!(
        logins,
        [
            r#"1: {"token":"t1","type":"auth"}"#,
            r#"2: {"sessionId":"s-1","token":"t2","type":"auth"}"#,
            r#"3: {"sessionId":"s-1","token":"t3","type":"auth"}"#,
        ]
    );
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = Spoken::serve(3_600, 9, |connection, text| match text.contains("\"t1\"") {
        true => refused("the token has expired"),
        false => welcoming(connection, text),
    })
    .await;
    let recorder = Recorder::default();
    let client = client(&server.url(), &recorder).build().unwrap();
    let _session = client.connect().await.unwrap();
    let logins: Vec<_> = server.heard().into_iter().filter(|heard| heard.contains("\"auth\"")).collect();
    assert_eq!(logins, [r#"1: {"token":"t1","type":"auth"}"#, r#"2: {"token":"t2","type":"auth"}"#]);
    assert_eq!(recorder.count(|event| matches!(event, AuthEvent::TokenRejected { .. })), 1);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_ends_the_session() {
    let server = Spoken::serve(3_600, 9, |_, _| refused("conversation:read is missing")).await;
    let recorder = Recorder::default();
    let client = client(&server.url(), &recorder).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert_eq!(error.kind(), ws_session::ErrorKind::AuthenticationRefused, "{error}");
    let logins: Vec<_> = server.heard().into_iter().filter(|heard| heard.contains("\"auth\"")).collect();
    assert_eq!(logins, [r#"1: {"token":"t1","type":"auth"}"#, r#"2: {"token":"t2","type":"auth"}"#]);
    assert_eq!(recorder.count(|event| matches!(event, AuthEvent::SessionFailed { .. })), 1);
    assert!(!format!("{error:?} {recorder:?}").contains("conversation"), "{error:?} {recorder:?}");
}

/// The token endpoint of a tenant that has no such WebSocket.
#[tokio::test]
async fn a_websocket_that_is_not_there_is_told_by_its_status() {
    let server = Script::answering(|request| match request.starts_with("POST /oauth/token ") {
        true => Answer::token("t", 3_600),
        false => Answer::http(404, "", ""),
    });
    let server = server.await.unwrap();
    let client = client(server.url(), &Recorder::default()).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ws_session::ErrorKind::ConnectionRefused, Some(404)));
    assert_eq!(server.requests().len(), 2, "it is not asked again");
}

#[tokio::test]
async fn an_invalid_region_is_refused_before_anything_is_sent() {
    for region in ["", "us-east-1", "my pure cloud.com", "mypurecloud.com/api", "wss://api.mypurecloud.com"] {
        let error = genesys::Client::builder(region, "id", "secret").build().unwrap_err();
        assert!(matches!(error, genesys::ConfigError::Region), "{region}: {error}");
        assert!(error.to_string().contains("mypurecloud.com"), "{error}");
    }
}

#[tokio::test]
async fn a_network_that_refuses_connections_is_told_as_such() {
    let closed = ClosedPort::take().unwrap();
    let recorder = Recorder::default();
    let url = format!("http://{}", closed.address().unwrap());
    let client = client(&url, &recorder).build().unwrap();
    let session = client.open();
    recorder.wait_for(1, |event| matches!(event, AuthEvent::ConnectionDelayed { .. })).await;
    let error = client.valid_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(!session.state().is_final(), "it tries on");
}

#[tokio::test]
async fn a_client_waits_10_s_for_an_answer_and_tries_again() {
    let server = Spoken::serve(3_600, 9, |connection, text| match connection {
        1 => Reply::Nothing,
        _ => welcoming(connection, text),
    });
    waits_10_s_and_tries_again(server.await).await;
}

#[tokio::test]
async fn a_message_that_is_no_answer_does_not_end_the_wait_for_one() {
    let server = Spoken::serve(3_600, 9, |connection, text| match connection {
        1 => Reply::Say(r#"{"type":"heartbeat"}"#.to_owned()),
        _ => welcoming(connection, text),
    });
    waits_10_s_and_tries_again(server.await).await;
}

/// For the answer of a server that says what it does on the first connection, and welcomes the second.
async fn waits_10_s_and_tries_again(server: Spoken) {
    let recorder = Recorder::default();
    let client = client(&server.url(), &recorder).build().unwrap();
    let mut session = client.open();
    server.until(2).await;
    pause();
    sleep(Duration::from_secs(9)).await;
    assert_eq!(recorder.count(is_lost), 0, "{recorder:?}");
    sleep(Duration::from_secs(1)).await;
    resume();
    recorder.wait_for(1, is_lost).await;
    timeout(Duration::from_secs(20), session.authenticated()).await.unwrap().unwrap();
    assert!(server.heard().iter().any(|heard| heard.starts_with("2: {")), "{:?}", server.heard());
}

#[tokio::test(start_paused = true)]
async fn connect_waits_for_half_a_minute() {
    let begun = Instant::now();
    let nobody = ClosedPort::take().unwrap();
    let url = format!("http://{}", nobody.address().unwrap());
    let client = client(&url, &Recorder::default()).build().unwrap();
    let connecting = spawn(async move { client.connect().await });
    sleep(Duration::from_millis(29_500)).await;
    assert!(!connecting.is_finished());
    let error = connecting.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), begun.elapsed().as_secs()), (ws_session::ErrorKind::Timeout, 30), "{error}");
}

#[tokio::test]
async fn a_gateway_waits_10_s_for_a_credential() {
    let gateway = gateway(HOUR).await;
    let mut silent = RawSocket::open(gateway.ws_url()).await.unwrap();
    pause();
    assert!(timeout(Duration::from_secs(9), silent.frame()).await.is_err(), "it is still waited for");
    assert_eq!(silent.close_code(Duration::from_secs(2)).await, Some(4401));
}

#[tokio::test]
async fn a_renewed_token_goes_over_the_connection_that_is_there() {
    let server = Spoken::serve(3, 9, welcoming).await;
    let recorder = Recorder::default();
    let client = client(&server.url(), &recorder).build().unwrap();
    let session = client.connect().await.unwrap();
    recorder.wait_for(1, |event| matches!(event, AuthEvent::TokenRenewed { in_band: true, .. })).await;
    assert_eq!(session.state(), State::Connected);
    let logins = server.heard().split_off(1);
    assert_eq!(logins[..2], [r#"1: {"token":"t1","type":"auth"}"#, r#"1: {"token":"t2","type":"auth"}"#]);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_connection_as_it_is() {
    let server = Spoken::serve(4, 1, welcoming).await;
    let recorder = Recorder::default();
    let client = client(&server.url(), &recorder).build().unwrap();
    let mut session = client.connect().await.unwrap();
    recorder.wait_for(1, |event| matches!(event, AuthEvent::TokenRequestFailed { .. })).await;
    session.send("on").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("on"));
    assert_eq!((recorder.count(is_lost), recorder.count(is_authenticated)), (0, 1));
}

#[tokio::test]
async fn a_closed_session_leaves_no_connection() {
    let server = Spoken::serve(3_600, 9, welcoming).await;
    let client = client(&server.url(), &Recorder::default()).build().unwrap();
    client.connect().await.unwrap().close().await.unwrap();
    assert_eq!(server.until(3).await[2], "1: close");
}
