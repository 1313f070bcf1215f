//! The stories of connections in dialects: let in, refused, renewed, expired, revoked, drained.

use gateway::LiveSession;
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use serde_json::json;
use ws_session::dialect::{Dialect, Farewell, Matcher, Template};

use super::*;

fn login(token: &str) -> String {
    format!(r#"{{"type":"auth","token":"{token}"}}"#)
}

async fn opened(told: &Told) -> RawSocket {
    RawSocket::open(&told.ws("/ws")).await.unwrap()
}

async fn authenticated(told: &Told) -> (RawSocket, String) {
    let token = told.token().await;
    let mut socket = opened(told).await;
    socket.text(&login(&token)).await.unwrap();
    assert!(String::from_utf8(socket.frame().await.unwrap().1).unwrap().contains(r#""status":"ok""#));
    (socket, token)
}

const MINTED: &str = "token_minted client_credentials id";
const ADMITTED: &str = "client_authenticated 1 genesys id";

#[tokio::test]
async fn a_connection_is_let_in_renewed_and_left_by_its_client() {
    let told = Told::plain().await;
    let (mut socket, first) = authenticated(&told).await;
    let second = told.token().await;
    socket.text(&login(&second)).await.unwrap();
    socket.frame().await.unwrap();
    socket.text(&login("no.such.token")).await.unwrap();
    socket.frame().await.unwrap();
    socket.send(opcode::CLOSE, true, &1_000_u16.to_be_bytes()).await.unwrap();
    assert_eq!(
        told.story(6).await,
        [
            MINTED,
            ADMITTED,
            MINTED,
            "client_reauthenticated 1 id",
            "client_rejected 1 genesys the token is invalid",
            "client_disconnected 1 closed by the client 1000",
        ]
    );
    let events = told.recorder.events();
    assert_eq!(parsed(&events[1])["token"], print(&first));
    assert_eq!(parsed(&events[3])["token"], print(&second));
    assert!(parsed(&events[1])["latency_ms"].is_u64() && parsed(&events[5])["lasted_ms"].is_u64());
    assert_eq!(told.end().await.len(), 6, "and nothing after it");
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_as_rejected_once_with_what_it_was_answered() {
    let told = Told::with(|config| config.with_patience(Duration::from_millis(300))).await;
    let mut refused = opened(&told).await;
    refused.text(&login("no.such.token")).await.unwrap();
    assert_eq!(refused.close_code(SOON).await, Some(4401));
    let mut silent = opened(&told).await;
    assert_eq!(silent.close_code(SOON).await, Some(4401));
    let mut binary = opened(&told).await;
    binary.send(opcode::BINARY, true, b"x").await.unwrap();
    assert_eq!(binary.close_code(SOON).await, Some(1003));
    let mut large = opened(&told).await;
    large.send(opcode::TEXT, true, &[b'x'; 70_000]).await.unwrap();
    assert_eq!(large.close_code(SOON).await, Some(1009));
    // One that goes by itself was refused nothing.
    let mut leaving = opened(&told).await;
    leaving.send(opcode::CLOSE, true, &1_000_u16.to_be_bytes()).await.unwrap();
    leaving.close_code(SOON).await;
    assert_eq!(
        told.story(4).await,
        [
            "client_rejected 1 genesys the token is invalid 4401",
            "client_rejected 2 genesys no credential in time 4401",
            "client_rejected 3 genesys authenticate with a text message 1003",
            "client_rejected 4 genesys messages of up to 64 KiB are read 1009",
        ]
    );
    assert_eq!(parsed(&told.recorder.events()[0])["token"], print("no.such.token"));
    assert_eq!(told.end().await.len(), 4);
}

#[tokio::test]
async fn a_client_that_says_farewell_is_answered_and_told_as_one_that_left() {
    let mut dialect = Dialect::genesys();
    let answered = vec![Matcher::of([("/type", json!("gone"))])];
    dialect.farewell = Some(Farewell { send: Template::json(json!({ "type": "bye" })), answered });
    let told = Told::with(|config| config.with_websocket("/polite", dialect)).await;
    let token = told.token().await;
    let mut socket = RawSocket::open(&told.ws("/polite")).await.unwrap();
    socket.text(&login(&token)).await.unwrap();
    assert!(String::from_utf8(socket.frame().await.unwrap().1).unwrap().contains(r#""status":"ok""#));
    socket.text(r#"{"type":"bye"}"#).await.unwrap();
    assert_eq!(socket.frame().await.unwrap(), (opcode::TEXT, br#"{"type":"gone"}"#.to_vec()));
    assert_eq!(socket.close_code(SOON).await, Some(1000));
    let left = "client_disconnected 1 closed by the client 1000";
    assert_eq!(told.story(3).await, [MINTED, ADMITTED, left]);
    assert_eq!(told.end().await.len(), 3);
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let told = Told::with(|config| config.with_token_lifetime(Duration::from_secs(1))).await;
    let (mut socket, _) = authenticated(&told).await;
    assert_eq!(socket.close_code(SOON).await, Some(4401));
    assert_eq!(told.story(3).await, [MINTED, ADMITTED, "client_disconnected 1 expired 4401"]);
    assert_eq!(told.end().await.len(), 3);
}

#[tokio::test]
async fn a_connection_whose_token_is_taken_back_is_told_as_revoked() {
    let told = Told::plain().await;
    let (mut socket, _) = authenticated(&told).await;
    let LiveSession { session_id, .. } = told.gateway.sessions().live().remove(0);
    assert!(told.gateway.sessions().revoke(&session_id));
    assert_eq!(socket.close_code(SOON).await, Some(4401));
    assert_eq!(
        told.story(4).await,
        [MINTED, ADMITTED, "token_revoked", "client_disconnected 1 revoked 4401"]
    );
    assert_eq!(told.end().await.len(), 4);
}

#[tokio::test]
async fn a_revocation_names_the_token_that_the_connection_lives_by_and_not_one_that_was_refused() {
    let told = Told::plain().await;
    let (mut socket, first) = authenticated(&told).await;
    socket.text(&login("no.such.token")).await.unwrap();
    socket.frame().await.unwrap();
    let LiveSession { session_id, .. } = told.gateway.sessions().live().remove(0);
    assert!(told.gateway.sessions().revoke(&session_id));
    assert_eq!(socket.close_code(SOON).await, Some(4401));
    let story = told.story(5).await;
    assert_eq!(
        story[2..],
        [
            "client_rejected 1 genesys the token is invalid",
            "token_revoked",
            "client_disconnected 1 revoked 4401",
        ]
    );
    let events = told.recorder.events();
    assert_eq!(parsed(&events[2])["token"], print("no.such.token"), "what was refused");
    assert_eq!(parsed(&events[3])["token"], print(&first), "what was in use");
}

#[tokio::test]
async fn a_revocation_after_a_renewal_names_the_fresh_token() {
    let told = Told::plain().await;
    let (mut socket, _) = authenticated(&told).await;
    let second = told.token().await;
    socket.text(&login(&second)).await.unwrap();
    socket.frame().await.unwrap();
    let LiveSession { session_id, .. } = told.gateway.sessions().live().remove(0);
    assert!(told.gateway.sessions().revoke(&session_id));
    assert_eq!(told.story(6).await[4], "token_revoked");
    assert_eq!(parsed(&told.recorder.events()[4])["token"], print(&second));
}

#[tokio::test]
async fn who_is_dropped_lost_or_drained_is_told_to_be_gone() {
    let told = Told::plain().await;
    let (mut dropped, _) = authenticated(&told).await;
    let LiveSession { session_id, .. } = told.gateway.sessions().live().remove(0);
    assert!(told.gateway.sessions().disconnect(&session_id));
    assert_eq!(dropped.close_code(SOON).await, None);
    assert_eq!(told.story(3).await[2], "client_disconnected 1 dropped");
    drop(authenticated(&told).await);
    assert_eq!(told.story(6).await[5], "client_disconnected 2 lost");
    let (mut drained, _) = authenticated(&told).await;
    let ending = tokio::spawn(told.end());
    assert_eq!(drained.close_code(SOON).await, Some(1001));
    let story = ending.await.unwrap();
    assert_eq!(story[8..], ["client_disconnected 3 draining 1001"]);
}

/// Each built-in dialect that can be logged into by a JWT alone, with how that is done and how one is refused.
#[tokio::test]
async fn every_dialect_tells_the_same_story() {
    for (dialect, headers, message) in [
        ("bearer-header", "Authorization: Bearer <token>\r\n", ""),
        ("genesys", "", r#"{"type":"auth","token":"<token>"}"#),
        ("directus", "", r#"{"type":"auth","access_token":"<token>"}"#),
        ("home-assistant", "", r#"{"type":"auth","access_token":"<token>"}"#),
        (
            "graphql-transport-ws",
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n",
            r#"{"type":"connection_init","payload":{"Authorization":"Bearer <token>"}}"#,
        ),
        ("centrifugo", "", r#"{"id":1,"connect":{"token":"<token>","name":"rust"}}"#),
    ] {
        let described = Dialect::named(dialect).unwrap();
        let told = Told::with(|config| config.with_websocket("/door", described)).await;
        let token = told.token().await;
        let open = async |token: &str| {
            let headers = headers.replace("<token>", token);
            let (mut socket, _) = RawSocket::open_with(&told.ws("/door"), &headers).await?;
            if !message.is_empty() {
                socket.text(&message.replace("<token>", token)).await?;
            }
            Ok::<_, std::io::Error>(socket)
        };
        let let_in = open(&token).await.unwrap();
        let admitted = format!("client_authenticated 1 {dialect} id");
        assert_eq!(told.story(2).await[1], admitted);
        assert_eq!(parsed(&told.recorder.events()[1])["token"], print(&token), "{dialect}");
        if let Ok(mut refused) = open("no.such.token").await {
            refused.close_code(SOON).await;
        }
        let rejected = format!("client_rejected 2 {dialect} the token is invalid");
        assert!(told.story(3).await[2].starts_with(&rejected), "{:?}", told.recorder);
        assert_eq!(parsed(&told.recorder.events()[2])["token"], print("no.such.token"), "{dialect}");
        drop(let_in);
        assert_eq!(told.story(4).await[3], "client_disconnected 1 lost", "{dialect}");
        assert_eq!(told.end().await.len(), 4, "{dialect}");
    }
}
