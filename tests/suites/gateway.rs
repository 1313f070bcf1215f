//! The gateway against strangers: what they may not do, and how long they may take over it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::jwt::{Draft, HmacKey};
use auth_core::time::{Now, Timestamp};
use auth_core::{ErrorKind, Secret};
use gateway::{Application, Client, Config, Gateway, Running};
use providers::genesys;
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

fn config() -> Config {
    let client = |id: &str| Client::new(id, Secret::from("secret"), "a b".parse().unwrap());
    let refreshing = client("id").with_refresh_token(Secret::from("r1"));
    Config::new("127.0.0.1:0".parse().unwrap())
        .with_client(refreshing)
        .with_client(client("other"))
        .with_client(Client::new("unguarded", Secret::from(""), "a".parse().unwrap()))
        .with_patience(Duration::from_millis(500))
}

async fn serve(config: Config) -> Running {
    Gateway::bind(config).await.unwrap().spawn()
}

async fn token(gateway: &Running, id: &str) -> String {
    let client = genesys::Client::builder(gateway.http_url(), id, "secret").build().unwrap();
    client.valid_token().await.unwrap().secret().expose().to_owned()
}

fn login(token: &str) -> String {
    format!(r#"{{"type":"auth","token":"{token}"}}"#)
}

async fn authenticated(gateway: &Running) -> RawSocket {
    let login = login(&token(gateway, "id").await);
    let mut socket = RawSocket::open(gateway.ws_url()).await.unwrap();
    socket.text(&login).await.unwrap();
    let (_, answer) = socket.frame().await.unwrap();
    assert!(String::from_utf8(answer).unwrap().contains(r#""status":"ok""#));
    socket
}

/// Sends an HTTP request as it is, and reads all that comes back.
async fn http(gateway: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.http_url().trim_start_matches("http://")).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    timeout(SOON, stream.read_to_end(&mut reply)).await.expect("a reply in time").unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

fn form(body: &str) -> Vec<u8> {
    // base64("id:secret")
    format!(
        "POST /oauth/token HTTP/1.1\r\nHost: gateway\r\nAuthorization: Basic aWQ6c2VjcmV0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test]
async fn a_socket_that_presents_no_credential_is_closed_however_busy_it_is() {
    let gateway = serve(config()).await;
    let mut silent = RawSocket::open(gateway.ws_url()).await.unwrap();
    assert_eq!(silent.close_code(SOON).await, Some(4401));

    let mut busy = RawSocket::open(gateway.ws_url()).await.unwrap();
    let pings = async { while busy.send(opcode::PING, true, b"x").await.is_ok() {} };
    timeout(SOON, pings).await.expect("a flood of pings must not hold the socket");
}

#[tokio::test]
async fn a_connection_is_closed_when_its_token_expires_however_busy_it_is() {
    let gateway = serve(config().with_token_lifetime(Duration::from_secs(1))).await;
    let stream = authenticated(&gateway).await.into_stream();
    let (mut reader, mut writer) = stream.into_split();
    let flood = tokio::spawn(async move {
        // A text frame of one byte, masked by zeros, as fast as the socket takes it.
        while writer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x'].repeat(64)).await.is_ok() {}
    });
    let mut echoed = Vec::new();
    timeout(SOON, reader.read_to_end(&mut echoed)).await.expect("the connection outlived its token").unwrap();
    assert!(echoed.windows(2).any(|bytes| bytes == 4401_u16.to_be_bytes()), "the reason is told");
    flood.abort();
    assert!(gateway.sessions().live().is_empty());
}

#[tokio::test]
async fn a_peer_that_does_not_read_can_not_put_off_its_expiry() {
    let gateway = serve(config().with_token_lifetime(Duration::from_secs(1))).await;
    let (reader, mut writer) = authenticated(&gateway).await.into_stream().into_split();
    // Echoes pile up until the gateway can write no more.
    let frame = [&[0x81, 0xfe, 0x10, 0x00, 0, 0, 0, 0][..], &[b'x'; 4_096]].concat();
    let flood = tokio::spawn(async move { while writer.write_all(&frame).await.is_ok() {} });
    timeout(SOON, flood).await.expect("the connection outlived its token by far").unwrap();
    assert!(gateway.sessions().live().is_empty());
    drop(reader);
}

/// An application that never answers.
struct Stuck;

#[async_trait]
impl Application for Stuck {
    async fn answer(&self, _session_id: &str, _text: &str) -> Option<String> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_connection_is_closed_when_its_token_expires_while_the_application_thinks() {
    let config = config().with_token_lifetime(Duration::from_secs(1)).with_application(Arc::new(Stuck));
    let gateway = serve(config).await;
    let mut socket = authenticated(&gateway).await;
    socket.text("a question").await.unwrap();
    assert_eq!(socket.close_code(SOON).await, Some(4401));
}

#[tokio::test]
async fn what_is_no_credential_closes_a_fresh_socket() {
    let gateway = serve(config()).await;
    for (opcode, payload, code) in [
        (opcode::TEXT, &b"{\"type\":\"subscribe\"}"[..], 4401),
        (opcode::TEXT, b"{\"type\":\"auth\",\"token\":\"no.such.token\"}", 4401),
        (opcode::TEXT, b"{\"type\":\"auth\",\"token\":5}", 4401),
        (opcode::TEXT, b"\xff\xfe", 1007),
        (opcode::TEXT, &[b'x'; 70_000], 1009),
        (opcode::BINARY, b"binary", 1003),
        (opcode::CONTINUATION, b"of nothing", 1002),
    ] {
        let mut socket = RawSocket::open(gateway.ws_url()).await.unwrap();
        // A server that closes in the middle of a large frame is right.
        let _ = socket.send(opcode, true, payload).await;
        assert_eq!(socket.close_code(SOON).await, Some(code), "{opcode} {:.20?}", payload);
    }
    let mut unmasked = RawSocket::open(gateway.ws_url()).await.unwrap();
    unmasked.bytes(b"\x81\x01x").await.unwrap();
    assert_eq!(unmasked.close_code(SOON).await, Some(1002));
}

#[tokio::test]
async fn a_fragmented_credential_is_a_credential() {
    let gateway = serve(config()).await;
    let message = login(&token(&gateway, "id").await);
    let mut socket = RawSocket::open(gateway.ws_url()).await.unwrap();
    let (first, second) = message.as_bytes().split_at(20);
    socket.send(opcode::TEXT, false, first).await.unwrap();
    socket.send(opcode::CONTINUATION, true, second).await.unwrap();
    let (_, answer) = socket.frame().await.unwrap();
    assert!(String::from_utf8(answer).unwrap().contains(r#""status":"ok""#));
}

#[tokio::test]
async fn a_connection_can_not_be_renewed_with_another_clients_token() {
    let gateway = serve(config()).await;
    let mut socket = authenticated(&gateway).await;
    socket.text(&login(&token(&gateway, "other").await)).await.unwrap();
    let (_, answer) = socket.frame().await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(r#""status":"error""#) && answer.contains("another subject"), "{answer}");
    socket.text("still mine").await.unwrap();
    assert_eq!(socket.frame().await.unwrap().1, b"still mine");
    assert_eq!(gateway.sessions().live()[0].renewals, 0);
}

#[tokio::test]
async fn another_issuers_token_is_refused_although_its_signature_verifies() {
    use gateway::{Authenticator as _, Issuer as _, JwtAuthority, Refusal};

    let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: auth_core::time::Moment::ORIGIN };
    let key = [7; 32];
    let authority = JwtAuthority::with_key(&key).unwrap();
    let claims =
        Draft::new().with_issuer("elsewhere").with_subject("id").with_expiry(now.wall.saturating_add(SOON));
    let foreign = HmacKey::hs256(&key).unwrap().mint(&claims);
    let verdict = |credential: Secret, authority: JwtAuthority| async move {
        authority.authenticate(now, &gateway::Presented::new(credential, false)).await
    };
    assert_eq!(
        verdict(foreign, authority.clone()).await,
        Err(Refusal::rejected("the token is another issuer's"))
    );
    // The control: an authority's own token passes, whatever its key.
    let approved = gateway::Approved::new("id", "a".parse().unwrap(), SOON);
    for authority in [authority, JwtAuthority::with_random_key()] {
        assert!(verdict(authority.issue(now, &approved), authority).await.is_ok());
    }
}

#[tokio::test]
async fn a_stranger_has_one_patience_for_a_head_and_one_for_a_body() {
    let gateway = serve(config()).await;
    assert_eq!(http(&gateway, b"POST /oauth/token HTTP/1.1\r\nHost: ga").await, "");
    let slow_body = b"POST /oauth/token HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10\r\n\r\ngra";
    assert!(http(&gateway, slow_body).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn requests_beyond_their_limits_are_refused_by_status() {
    let gateway = serve(config()).await;
    for (request, status) in [
        (form(&"x".repeat(20_000)), 413),
        (b"GET /oauth/token HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec(), 405),
        (b"GET /elsewhere HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec(), 404),
        (b"POST /ws HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n".to_vec(), 405),
        (b"GET /ws HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec(), 400),
        (
            b"GET /ws HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nhello"
                .to_vec(),
            400,
        ),
        (format!("GET / HTTP/1.1\r\nHost: gateway\r\nX: {}\r\n\r\n", "x".repeat(40_000)).into_bytes(), 431),
        (b"\x16\x03\x01\x02\x00".to_vec(), 400),
    ] {
        let reply = http(&gateway, &request).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {reply:.80}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let gateway = serve(config().with_most_connections(1).with_patience(SOON)).await;
    let held = RawSocket::open(gateway.ws_url()).await.unwrap();
    let waiting = RawSocket::open(gateway.ws_url());
    let mut waiting = std::pin::pin!(waiting);
    assert!(timeout(Duration::from_millis(300), waiting.as_mut()).await.is_err(), "there is room for one");
    drop(held);
    assert!(timeout(SOON, waiting).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_gets_no_scope_that_it_was_not_granted() {
    let gateway = serve(config()).await;
    let reply = http(&gateway, &form("grant_type=client_credentials&scope=a+c")).await;
    assert!(reply.starts_with("HTTP/1.1 400 ") && reply.contains("invalid_scope"), "{reply}");
    let reply = http(&gateway, &form("grant_type=client_credentials&scope=b")).await;
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains(r#""scope":"b""#), "{reply}");
}

#[tokio::test]
async fn a_refused_scope_does_not_cost_the_refresh_token() {
    let gateway = serve(config()).await;
    let reply = http(&gateway, &form("grant_type=refresh_token&refresh_token=r1&scope=nope")).await;
    assert!(reply.contains("invalid_scope"), "{reply}");
    let reply = http(&gateway, &form("grant_type=refresh_token&refresh_token=r1")).await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}

/// The refresh token in a reply; "" if it has none.
fn refresh_token(reply: &str) -> &str {
    let (_, rest) = reply.split_once(r#""refresh_token":""#).unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

#[tokio::test]
async fn a_client_that_missed_an_answer_may_ask_for_it_again() {
    let gateway = serve(config()).await;
    let refresh = |token: &str| form(&format!("grant_type=refresh_token&refresh_token={token}"));
    let missed = http(&gateway, &refresh("r1")).await;
    let again = http(&gateway, &refresh("r1")).await;
    assert_eq!(refresh_token(&missed).len(), 43, "{missed}");
    assert_eq!(refresh_token(&missed), refresh_token(&again), "one line of descent");
    let refreshes = gateway.refreshes();
    assert_eq!((refreshes.redeemed(), refreshes.retried(), refreshes.revoked()), (1, 1, 0));

    // Whoever has redeemed the successor has missed nothing.
    let next = http(&gateway, &refresh(refresh_token(&again))).await;
    let reused = http(&gateway, &refresh("r1")).await;
    assert!(reused.starts_with("HTTP/1.1 400 ") && reused.contains("invalid_grant"), "{reused}");
    let revoked = http(&gateway, &refresh(refresh_token(&next))).await;
    assert!(revoked.starts_with("HTTP/1.1 400 "), "{revoked}");
    assert_eq!((refreshes.redeemed(), refreshes.retried(), refreshes.revoked()), (2, 1, 1));
}

#[tokio::test]
async fn a_gateway_without_a_grace_takes_a_retry_for_theft() {
    let gateway = serve(config().with_refresh_grace(Duration::ZERO)).await;
    let refresh = form("grant_type=refresh_token&refresh_token=r1");
    assert!(http(&gateway, &refresh).await.starts_with("HTTP/1.1 200 "));
    assert!(http(&gateway, &refresh).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(gateway.refreshes().revoked(), 1);
}

#[tokio::test]
async fn a_client_without_a_secret_is_nobody() {
    let gateway = serve(config()).await;
    let body = "grant_type=client_credentials";
    // base64("unguarded:")
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: gateway\r\nAuthorization: Basic dW5ndWFyZGVkOg==\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(http(&gateway, request.as_bytes()).await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_reply_is_not_waited_for() {
    let gateway = serve(config()).await;
    let mut stream = TcpStream::connect(gateway.http_url().trim_start_matches("http://")).await.unwrap();
    // One request is answered, and the connection ends: replies can't pile up behind each other.
    let requests = form("grant_type=client_credentials").repeat(100);
    stream.write_all(&requests).await.unwrap();
    let mut reply = Vec::new();
    // The server may reset what it did not read; what matters is that it ends.
    let _ = timeout(SOON, stream.read_to_end(&mut reply)).await.expect("an end in time");
    let replies = String::from_utf8_lossy(&reply).matches("HTTP/1.1 ").count();
    assert!(replies <= 1, "{replies} replies");
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye() {
    let gateway = serve(config()).await;
    let mut socket = authenticated(&gateway).await;
    let stopping = tokio::spawn(gateway.stop());
    assert_eq!(socket.close_code(SOON).await, Some(1001));
    drop(socket);
    timeout(SOON, stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_costs_the_client_nothing() {
    let gateway = serve(config()).await;
    for _ in 0..50 {
        let client = genesys::Client::builder(gateway.http_url(), "id", "wrong").build().unwrap();
        assert_eq!(client.valid_token().await.unwrap_err().kind(), ErrorKind::InvalidClient);
    }
    assert!(!token(&gateway, "id").await.is_empty(), "the client's own limit is untouched");
}
