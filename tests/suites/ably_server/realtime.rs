//! Connections over WebSockets: told apart from others, live and ended, and what they hear from each other.

use auth_core::ably::{ClientId, mint_jwt};
use auth_http::endpoint::optave::TokenServer;
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use serde_json::json;

use super::*;

const REVOCABLE: &str = "appid1.keyid2:RevocableRevocable";

fn realtime_config() -> Config {
    let revocable = ServedKey::new(ApiKey::parse(REVOCABLE).unwrap()).with_revocable_tokens();
    Config::new("127.0.0.1:0".parse().unwrap()).with_ably_key(revocable)
}

/// A connection of Ably's.
struct Socket(RawSocket);

impl Socket {
    async fn open(gateway: &Running, query: &str) -> Self {
        let url = format!("{}/?v=6&format=json&{query}", gateway.http_url().replace("http", "ws"));
        Self(RawSocket::open(&url).await.unwrap())
    }

    async fn open_by_key(gateway: &Running) -> Self {
        let mut socket = Self::open(gateway, &format!("key={REVOCABLE}")).await;
        assert_eq!(socket.next().await["action"], 4);
        socket
    }

    /// The next frame of the protocol.
    async fn next(&mut self) -> Value {
        let read = async {
            loop {
                let (kind, payload) = self.0.frame().await.expect("a frame");
                if kind == opcode::TEXT {
                    return serde_json::from_slice(&payload).unwrap();
                }
                assert_eq!(kind, opcode::PING, "{payload:?}");
            }
        };
        timeout(SOON, read).await.expect("a frame in time")
    }

    async fn say(&mut self, frame: &Value) {
        self.0.text(&frame.to_string()).await.unwrap();
    }

    async fn attach(&mut self, channel: &str) {
        self.say(&json!({ "action": 10, "channel": channel })).await;
        assert_eq!(self.next().await["action"], 11);
    }

    async fn publish(&mut self, channel: &str, data: &str) {
        let frame =
            json!({ "action": 15, "channel": channel, "msgSerial": 0, "messages": [{ "data": data }] });
        self.say(&frame).await;
    }

    /// The frame that ends the connection, in short; the socket is closed after it, in order.
    async fn end(&mut self) -> (u64, u64) {
        let frame = self.next().await;
        assert_eq!(self.0.close_code(SOON).await, Some(1_000), "{frame}");
        (frame["action"].as_u64().unwrap(), frame["error"]["code"].as_u64().unwrap())
    }
}

/// A JWT of a client's, which lives for so many seconds.
fn jwt(client_id: &str, lifetime: u64) -> String {
    let params = TokenParams::new()
        .with_client_id(ClientId::new(client_id).unwrap())
        .with_ttl(Duration::from_secs(lifetime));
    // Issued a second ago: a JWT knows whole seconds only, and a revocation is finer.
    let earlier = Timestamp::from_millis(now().wall.as_millis() - 1_000);
    mint_jwt(&ApiKey::parse(REVOCABLE).unwrap(), &params.with_timestamp(earlier), now()).expose().to_owned()
}

async fn revoke(gateway: &Running, client_id: &str) {
    let key = ApiKey::parse(REVOCABLE).unwrap();
    let basic = format!("Authorization: Basic {}", key.basic_credentials().expose());
    let body = json!({ "targets": [format!("clientId:{client_id}")] }).to_string();
    let headers = [&basic, JSON, "X-Ably-Version: 6"];
    assert_eq!(send(gateway, "POST /keys/appid1.keyid2/revokeTokens", &headers, &body).await.status, 201);
}

#[tokio::test]
async fn connections_of_ably_and_of_optave_are_told_apart_at_the_same_path() {
    let gateway = serve(realtime_config().with_optave(TokenServer::hs256([1; 32]))).await;
    let mut socket = Socket::open_by_key(&gateway).await;
    socket.say(&json!({ "action": 0, "id": "5" })).await;
    assert_eq!(socket.next().await, json!({ "action": 0, "id": "5" }));
    let url = gateway.http_url().replace("http", "ws");
    for (query, headers) in [("?Authorization=x", ""), ("", "Sec-WebSocket-Protocol: optave-v1, x\r\n")] {
        // It is Optave's that refuses these, by a status.
        let refused = RawSocket::open_with(&format!("{url}/{query}"), headers).await.unwrap_err().to_string();
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    }
}

#[tokio::test]
async fn without_a_key_there_are_no_connections_and_elsewhere_neither() {
    let without = serve(Config::new("127.0.0.1:0".parse().unwrap())).await;
    let with = serve(realtime_config()).await;
    for (gateway, path) in [(&without, "?v=6&key=a.b:c"), (&with, "x?v=6&key=a.b:c"), (&with, "?x=y")] {
        let url = format!("{}/{path}", gateway.http_url().replace("http", "ws"));
        let refused = RawSocket::open(&url).await.unwrap_err().to_string();
        assert!(refused.starts_with("HTTP/1.1 404 "), "{path}: {refused}");
    }
    let reply = send(&with, "GET /?v=6&key=a.b:c", &[], "").await;
    assert_eq!(reply.status, 400, "no upgrade");
    let reply = send(&with, "POST /?v=6&key=a.b:c", &[], "").await;
    assert_eq!(reply.status, 405);
}

#[tokio::test]
async fn bad_credentials_are_told_over_the_socket_and_it_closes() {
    let gateway = serve(realtime_config()).await;
    for (query, code) in [
        ("x=y".to_owned(), 40_101),
        ("key=appid1.keyid2:wrong".to_owned(), 40_101),
        ("access_token=fake".to_owned(), 40_101),
        (format!("access_token={}&clientId=bob", jwt("alice", 60)), 40_102),
        (format!("accessToken={}x", jwt("alice", 60)), 40_144),
    ] {
        assert_eq!(Socket::open(&gateway, &query).await.end().await, (9, code), "{query}");
    }
    assert!(gateway.sessions().live().is_empty());
}

#[tokio::test]
async fn a_token_expires_during_the_connection_unless_it_is_renewed() {
    let gateway = serve(realtime_config()).await;
    let mut socket = Socket::open(&gateway, &format!("access_token={}", jwt("alice", 3))).await;
    let mut renewed = Socket::open(&gateway, &format!("access_token={}", jwt("alice", 3))).await;
    let connected = renewed.next().await;
    assert_eq!(
        (&connected["action"], &connected["connectionDetails"]["clientId"]),
        (&json!(4), &json!("alice"))
    );
    renewed.say(&json!({ "action": 17, "auth": { "accessToken": jwt("alice", 60) } })).await;
    let update = renewed.next().await;
    assert_eq!((&update["action"], &update["connectionId"]), (&json!(4), &connected["connectionId"]));
    assert_eq!(socket.next().await["action"], 4);
    assert_eq!(socket.end().await, (6, 40_142));
    // Of the two, only the renewed one is left.
    let live = gateway.sessions().live();
    assert_eq!(live.len(), 1);
    assert_eq!((json!(live[0].session_id), live[0].renewals), (connected["connectionId"].clone(), 1));
    renewed.attach("a").await;
}

#[tokio::test]
async fn a_revocation_reaches_live_connections_and_only_those_it_concerns() {
    let gateway = serve(realtime_config()).await;
    let mut alice = Socket::open(&gateway, &format!("access_token={}", jwt("alice", 60))).await;
    let mut bob = Socket::open(&gateway, &format!("access_token={}", jwt("bob", 60))).await;
    for socket in [&mut alice, &mut bob] {
        assert_eq!(socket.next().await["action"], 4);
    }
    revoke(&gateway, "alice").await;
    assert_eq!(alice.end().await, (6, 40_141));
    bob.attach("a").await;
    let query = format!("access_token={}", jwt("alice", 60));
    assert_eq!(Socket::open(&gateway, &query).await.end().await, (9, 40_141), "it does not come back");
}

#[tokio::test]
async fn what_is_published_is_heard_where_it_may_be() {
    let gateway = serve(realtime_config()).await;
    let mut publisher =
        Socket::open(&gateway, &format!("access_token={}&echo=false", jwt("alice", 60))).await;
    assert_eq!(publisher.next().await["action"], 4);
    let mut subscriber = Socket::open_by_key(&gateway).await;
    publisher.attach("chat").await;
    subscriber.attach("chat").await;
    publisher.publish("elsewhere", "not heard").await;
    assert_eq!(publisher.next().await["action"], 1);
    publisher.publish("chat", "by WebSocket").await;
    assert_eq!(publisher.next().await["action"], 1, "and its own is not heard");
    let heard = subscriber.next().await;
    assert_eq!((&heard["channel"], &heard["messages"][0]["data"]), (&json!("chat"), &json!("by WebSocket")));
    assert_eq!(heard["messages"][0]["clientId"], "alice");
    let basic =
        format!("Authorization: Basic {}", ApiKey::parse(REVOCABLE).unwrap().basic_credentials().expose());
    let reply =
        send(&gateway, "POST /channels/chat/messages", &[&basic, JSON], r#"{"data":"by REST"}"#).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    for socket in [&mut publisher, &mut subscriber] {
        let heard = socket.next().await;
        assert_eq!((&heard["action"], &heard["messages"][0]["data"]), (&json!(15), &json!("by REST")));
        assert!(heard.get("connectionId").is_none());
    }
}

#[tokio::test]
async fn who_does_not_read_is_let_go_and_holds_up_nobody() {
    const MESSAGES: usize = 600;
    let gateway = serve(realtime_config()).await;
    let mut publisher = Socket::open_by_key(&gateway).await;
    let (mut slow, mut quick) = (Socket::open_by_key(&gateway).await, Socket::open_by_key(&gateway).await);
    slow.attach("chat").await;
    quick.attach("chat").await;
    let data = "x".repeat(40_000);
    for _ in 0..MESSAGES {
        publisher.publish("chat", &data).await;
        assert_eq!(publisher.next().await["action"], 1);
        assert_eq!(quick.next().await["action"], 15);
    }
    let mut heard = 0;
    loop {
        let frame = slow.next().await;
        if frame["action"] != 15 {
            assert_eq!((&frame["action"], &frame["error"]["code"]), (&json!(6), &json!(80_003)));
            break;
        }
        heard += 1;
    }
    assert!(heard < MESSAGES, "its queue would be without bounds");
    assert_eq!(slow.0.close_code(SOON).await, Some(1_000));
}

#[tokio::test]
async fn what_is_no_frame_of_the_protocol_ends_the_connection() {
    let gateway = serve(realtime_config()).await;
    let mut socket = Socket::open_by_key(&gateway).await;
    socket.0.text("{").await.unwrap();
    assert_eq!(socket.end().await, (9, 40_000));
    let mut socket = Socket::open_by_key(&gateway).await;
    socket.0.send(opcode::BINARY, true, b"\x81").await.unwrap();
    assert_eq!(socket.end().await, (9, 40_013));
    let mut socket = Socket::open_by_key(&gateway).await;
    socket.0.text(&" ".repeat(256 * 1_024 + 1)).await.unwrap();
    assert_eq!(socket.0.close_code(SOON).await, Some(1_009));
}

#[tokio::test]
async fn the_gateway_lets_its_connections_go_by_its_owners_word() {
    let gateway = serve(realtime_config()).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::open(&gateway, &format!("key={REVOCABLE}")).await;
        let connected = socket.next().await;
        sockets.push((connected["connectionId"].as_str().unwrap().to_owned(), socket));
    }
    let [(dropped, first), (revoked, second), (_, third)] = &mut sockets[..] else { unreachable!() };
    assert_eq!(gateway.sessions().live().len(), 3);
    assert!(gateway.sessions().disconnect(dropped));
    assert_eq!(first.0.close_code(SOON).await, None);
    assert!(gateway.sessions().revoke(revoked));
    assert_eq!(second.end().await, (6, 40_141));
    let (ended, ()) = tokio::join!(third.end(), gateway.stop());
    assert_eq!(ended, (6, 80_003));
}
