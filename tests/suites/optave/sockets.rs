//! One connection for each token: what the gateway does at the upgrade.

use std::time::Duration;

use auth_core::time::{Now, Timestamp};
use auth_core::{Demand, TokenSource as _};
use auth_http::endpoint::optave::TokenServer;
use auth_http::manager::StdClock;
use gateway::Running;
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{builder, serve, server, text};

fn root(gateway: &Running) -> String {
    gateway.http_url().replace("http", "ws") + "/"
}

async fn by_subprotocol(gateway: &Running, token: &str) -> Result<(RawSocket, String), String> {
    let offered = format!("Sec-WebSocket-Protocol: optave-v1,{token}\r\n");
    RawSocket::open_with(&root(gateway), &offered).await.map_err(|error| error.to_string())
}

async fn by_query(gateway: &Running, parameters: &str) -> Result<(RawSocket, String), String> {
    let url = format!("{}?{parameters}", root(gateway));
    RawSocket::open_with(&url, "").await.map_err(|error| error.to_string())
}

async fn echoes(socket: &mut RawSocket) {
    // What another dialect takes for a credential is a message here.
    for message in ["hello", r#"{"type":"auth","token":"t"}"#] {
        socket.text(message).await.unwrap();
        assert_eq!(socket.frame().await.unwrap(), (opcode::TEXT, message.as_bytes().to_vec()));
    }
}

#[tokio::test]
async fn a_token_opens_a_connection_by_subprotocol_and_by_query() {
    let gateway = serve(server()).await;
    let client = builder(&gateway).build().unwrap();
    let (mut socket, head) = by_subprotocol(&gateway, &text(&client).await).await.unwrap();
    assert!(head.to_lowercase().contains("sec-websocket-protocol: optave-v1\r\n"), "never the token: {head}");
    echoes(&mut socket).await;

    for prefix in ["", "Bearer%20"] {
        let parameters = format!("OptaveTraceChatSessionId=x&Authorization={prefix}{}", text(&client).await);
        let (mut socket, head) = by_query(&gateway, &parameters).await.unwrap();
        assert!(!head.to_lowercase().contains("sec-websocket-protocol"), "none was offered: {head}");
        echoes(&mut socket).await;
    }
    assert_eq!(gateway.sessions().upgrades(), 3);
}

#[tokio::test]
async fn reusing_a_token_is_an_authentication_error_before_the_upgrade() {
    let gateway = serve(server()).await;
    let client = builder(&gateway).build().unwrap();
    let token = text(&client).await;
    let (first, _) = by_subprotocol(&gateway, &token).await.unwrap();
    for again in
        [by_subprotocol(&gateway, &token).await, by_query(&gateway, &format!("Authorization={token}")).await]
    {
        let refusal = again.unwrap_err();
        assert!(refusal.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{refusal}");
    }
    drop(first);
    assert!(by_subprotocol(&gateway, &token).await.is_err(), "also when the connection has ended");
    assert_eq!(gateway.sessions().upgrades(), 1);
}

#[tokio::test]
async fn each_token_opens_one_connection_however_many_try() {
    let gateway = serve(server()).await;
    let token = text(&builder(&gateway).build().unwrap()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let (url, offered) = (root(&gateway), format!("Sec-WebSocket-Protocol: optave-v1, {token}\r\n"));
        tasks.spawn(async move { RawSocket::open_with(&url, &offered).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|opened| *opened).count(), 1);
}

#[tokio::test]
async fn reconnecting_takes_a_new_token() {
    let gateway = serve(server()).await;
    let client = builder(&gateway).build().unwrap();
    let mut token = client.authenticate().await.unwrap();
    for _ in 0..3 {
        let (mut socket, _) = by_subprotocol(&gateway, token.secret().expose()).await.unwrap();
        echoes(&mut socket).await;
        let [session] = &gateway.sessions().live()[..] else { panic!("one session") };
        assert!(gateway.sessions().disconnect(&session.session_id));
        assert!(socket.frame().await.is_err(), "the connection is gone");
        token = client.token(Demand::InsteadOf(token.generation())).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_token_opens_nothing_and_costs_nothing() {
    let gateway = serve(server()).await;
    let client = builder(&gateway).build().unwrap();
    let token = text(&client).await;
    let foreign = TokenServer::hs256([1; 32]).with_client("cid", super::SECRET.into());
    let foreign = text(&builder(&serve(foreign).await).build().unwrap()).await;
    for refused in [
        by_subprotocol(&gateway, "no.such.token").await,
        by_subprotocol(&gateway, &foreign).await,
        by_subprotocol(&gateway, "").await,
        by_subprotocol(&gateway, &format!("{token},more")).await,
        by_query(&gateway, "").await,
        by_query(&gateway, &format!("authorization={token}")).await,
        by_query(&gateway, &format!("Authorization={token}&Authorization={token}")).await,
        RawSocket::open_with(&root(&gateway), &format!("Sec-WebSocket-Protocol: {token}\r\n"))
            .await
            .map_err(|error| error.to_string()),
    ] {
        let refusal = refused.map(|(_, head)| head).unwrap_err();
        assert!(refusal.starts_with("HTTP/1.1 401 "), "{refusal}");
    }
    // Not even an upgrade.
    let address = gateway.http_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /?Authorization={token} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(by_subprotocol(&gateway, &token).await.is_ok(), "after all that it is still good for one");
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let gateway = serve(server().with_lifetime(Duration::from_secs(1))).await;
    let client = builder(&gateway).build().unwrap();
    let (mut socket, _) = by_subprotocol(&gateway, &text(&client).await).await.unwrap();
    echoes(&mut socket).await;
    assert_eq!(socket.close_code(Duration::from_secs(5)).await, Some(4401));
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let gateway = serve(server()).await;
    let now = StdClock::start().now();
    let minted = |ago: u64| {
        let wall = Timestamp::from_millis(now.wall.as_millis() - ago * 1_000);
        server().mint(Now { wall, ..now }, [3; 32], "cid").unwrap()
    };
    // They live for 300 s.
    let refused = by_subprotocol(&gateway, minted(302).expose()).await.unwrap_err();
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    by_subprotocol(&gateway, minted(200).expose()).await.unwrap();
}

#[tokio::test]
async fn without_room_to_remember_a_token_it_opens_nothing() {
    let gateway = serve(server().with_most_remembered(1)).await;
    let client = builder(&gateway).build().unwrap();
    let first = text(&client).await;
    by_subprotocol(&gateway, &first).await.unwrap();
    let second = text(&client).await;
    assert!(by_subprotocol(&gateway, &second).await.unwrap_err().starts_with("HTTP/1.1 503 "));
    assert!(by_subprotocol(&gateway, &first).await.unwrap_err().starts_with("HTTP/1.1 401 "));
}
