//! The gateway in other dialects than its own: each by its description alone, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::time::Now;
use auth_http::manager::StdClock;
use gateway::{
    Admission, Approved, Authenticator, Config, Gateway, Issuer as _, JwtAuthority, Presented, Refusal,
    Running,
};
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use ws_session::dialect::Dialect;

const SOON: Duration = Duration::from_secs(5);
const LIFE: Duration = Duration::from_secs(60);

/// A gateway with dialects at paths, and who issues its tokens.
struct Served {
    gateway: Running,
    authority: JwtAuthority,
}

impl Served {
    async fn with(doors: impl FnOnce(Config) -> Config) -> Self {
        let authority = JwtAuthority::with_random_key();
        let config = Config::new("127.0.0.1:0".parse().unwrap())
            .with_authenticator(Arc::new(authority.clone()))
            .with_patience(Duration::from_millis(500));
        let gateway = Gateway::bind(doors(config)).await.unwrap().spawn();
        Self { gateway, authority }
    }

    async fn speaking(path: &str, dialect: &str) -> Self {
        let dialect = Dialect::named(dialect).unwrap();
        Self::with(|config| config.with_websocket(path, dialect)).await
    }

    fn token(&self, lifetime: Duration) -> String {
        let approved = Approved::new("id", "a".parse().unwrap(), lifetime);
        self.authority.issue(StdClock::start().now(), &approved).expose().to_owned()
    }

    async fn open(&self, path: &str, headers: &str) -> std::io::Result<(RawSocket, String)> {
        let url = self.gateway.http_url().replace("http", "ws") + path;
        RawSocket::open_with(&url, headers).await
    }

    fn live(&self) -> usize {
        self.gateway.sessions().live().len()
    }
}

async fn hear(socket: &mut RawSocket) -> String {
    let (opcode, payload) = socket.frame().await.unwrap();
    assert!([opcode::TEXT, opcode::BINARY].contains(&opcode), "{opcode} {payload:?}");
    String::from_utf8(payload).unwrap()
}

async fn echoes(socket: &mut RawSocket) {
    socket.text("hello").await.unwrap();
    assert_eq!(hear(socket).await, "hello");
}

#[tokio::test]
async fn where_the_server_speaks_first_it_does() {
    let served = Served::speaking("/api/websocket", "home-assistant").await;
    let (mut socket, _) = served.open("/api/websocket", "").await.unwrap();
    assert_eq!(hear(&mut socket).await, r#"{"type":"auth_required"}"#);
    let login = |token: &str| format!(r#"{{"type":"auth","access_token":"{token}"}}"#);
    socket.text(&login(&served.token(LIFE))).await.unwrap();
    assert_eq!(hear(&mut socket).await, r#"{"type":"auth_ok"}"#);
    echoes(&mut socket).await;

    let (mut refused, _) = served.open("/api/websocket", "").await.unwrap();
    hear(&mut refused).await;
    refused.text(&login("no.such.token")).await.unwrap();
    assert!(hear(&mut refused).await.contains(r#""type":"auth_invalid""#));
    assert!(refused.close_code(SOON).await.is_some());
    assert_eq!(served.live(), 1, "the one that was let in");
}

#[tokio::test]
async fn the_verdict_on_a_header_answers_the_upgrade() {
    let served = Served::speaking("/bearer", "bearer-header").await;
    let token = served.token(Duration::from_secs(1));
    let (mut socket, _) =
        served.open("/bearer", &format!("Authorization: Bearer {token}\r\n")).await.unwrap();
    assert_eq!(served.gateway.sessions().upgrades(), 1);
    echoes(&mut socket).await;
    assert_eq!(socket.close_code(SOON).await, Some(4401), "with its token");
    for headers in ["", "Authorization: Bearer no.such.token\r\n", "Authorization: Basic eA==\r\n"] {
        let refusal = served.open("/bearer", headers).await.map(drop).unwrap_err().to_string();
        assert!(refusal.starts_with("HTTP/1.1 401 "), "{refusal}");
        assert!(refusal.contains("\r\nwww-authenticate: Bearer\r\n"), "RFC 9110 §15.5.2: {refusal}");
    }
    assert_eq!(served.gateway.sessions().upgrades(), 1);
}

#[tokio::test]
async fn a_login_in_lines_of_binary_frames_is_spoken_too() {
    let served = Served::speaking("/nats", "nats").await;
    let (mut socket, _) = served.open("/nats", "").await.unwrap();
    assert!(hear(&mut socket).await.starts_with("INFO {"));
    let beside = r#""verbose":false,"pedantic":false,"protocol":1,"lang":"rust","version":"1""#;
    let connect = format!("CONNECT {{\"auth_token\":\"{}\",{beside}}}\r\nPING\r\n", served.token(LIFE));
    socket.send(opcode::BINARY, true, connect.as_bytes()).await.unwrap();
    assert_eq!(hear(&mut socket).await, "PONG\r\n");
    assert_eq!(served.live(), 1);
    socket.send(opcode::BINARY, true, b"SUB a 1\r\n").await.unwrap();
    assert_eq!(hear(&mut socket).await, "SUB a 1\r\n");
}

#[tokio::test]
async fn the_name_of_a_subprotocol_is_selected_and_the_login_is_a_message() {
    let served = Served::speaking("/graphql", "graphql-transport-ws").await;
    let offered = "Sec-WebSocket-Protocol: other, graphql-transport-ws\r\n";
    let (mut socket, head) = served.open("/graphql", offered).await.unwrap();
    assert!(head.to_lowercase().contains("sec-websocket-protocol: graphql-transport-ws\r\n"), "{head}");
    let payload = format!(r#"{{"Authorization":"Bearer {}"}}"#, served.token(LIFE));
    let init = format!(r#"{{"type":"connection_init","payload":{payload}}}"#);
    socket.text(&init).await.unwrap();
    assert_eq!(hear(&mut socket).await, r#"{"type":"connection_ack"}"#);
    socket.text(r#"{"type":"ping"}"#).await.unwrap();
    assert_eq!(hear(&mut socket).await, r#"{"type":"pong"}"#);
    socket.text(&init).await.unwrap();
    assert_eq!(socket.close_code(SOON).await, Some(4400), "a second login is no renewal here");
}

#[tokio::test]
async fn what_came_in_one_frame_with_a_credential_reaches_the_application_without_it() {
    let served = Served::speaking("/connection/websocket", "centrifugo").await;
    let (mut socket, _) = served.open("/connection/websocket", "").await.unwrap();
    let token = served.token(LIFE);
    socket.text(&format!(r#"{{"id":1,"connect":{{"token":"{token}","name":"rust"}}}}"#)).await.unwrap();
    assert!(hear(&mut socket).await.contains(r#""ttl":"#));
    let refresh = format!(r#"{{"id":2147483647,"refresh":{{"token":"{}"}}}}"#, served.token(LIFE));
    let frame = ["{\"id\":2,\"rpc\":{}}", &refresh, "{\"id\":3,\"rpc\":{}}"].join("\n");
    socket.text(&frame).await.unwrap();
    // The application and the verdict wait for nobody.
    let mut heard = [hear(&mut socket).await, hear(&mut socket).await];
    heard.sort_by_key(|heard| heard.contains("refresh"));
    assert_eq!(heard[0], "{\"id\":2,\"rpc\":{}}\n\n{\"id\":3,\"rpc\":{}}", "echoed");
    assert!(heard[1].contains(r#""id":2147483647"#), "{}", heard[1]);
    assert_eq!(served.gateway.sessions().live()[0].renewals, 1);
}

#[tokio::test]
async fn a_path_may_have_another_dialect_than_the_default_and_others_keep_theirs() {
    let served = Served::speaking("/other", "directus").await;
    for (path, login) in [
        ("/ws", r#"{"type":"auth","token":"<token>"}"#),
        ("/other", r#"{"type":"auth","access_token":"<token>"}"#),
    ] {
        let (mut socket, _) = served.open(path, "").await.unwrap();
        socket.text(&login.replace("<token>", &served.token(LIFE))).await.unwrap();
        assert!(hear(&mut socket).await.contains(r#""status":"ok""#), "{path}");
    }
    let replaced = Served::speaking("/ws", "directus").await;
    let (mut socket, _) = replaced.open("/ws", "").await.unwrap();
    socket.text(r#"{"type":"auth","token":"t"}"#).await.unwrap();
    assert_eq!(socket.close_code(SOON).await, Some(4401), "no longer spoken here");
    assert!(replaced.open("/elsewhere", "").await.map(drop).unwrap_err().to_string().contains(" 404 "));
}

#[tokio::test]
async fn a_revoked_credential_ends_its_connection_where_the_server_can_not_ask() {
    let served = Served::speaking("/other", "directus").await;
    let (mut socket, _) = served.open("/ws", "").await.unwrap();
    socket.text(&format!(r#"{{"type":"auth","token":"{}"}}"#, served.token(LIFE))).await.unwrap();
    hear(&mut socket).await;
    let sessions = served.gateway.sessions();
    assert!(!sessions.revoke("nobody"));
    assert!(sessions.revoke(&sessions.live()[0].session_id));
    assert_eq!(socket.close_code(SOON).await, Some(4401));
}

#[tokio::test]
async fn a_revoked_credential_is_replaced_where_the_server_can_ask() {
    let served = Served::speaking("/other", "directus").await;
    let login = || format!(r#"{{"type":"auth","access_token":"{}"}}"#, served.token(LIFE));
    let (mut socket, _) = served.open("/other", "").await.unwrap();
    socket.text(&login()).await.unwrap();
    hear(&mut socket).await;
    let sessions = served.gateway.sessions();
    assert!(sessions.revoke(&sessions.live()[0].session_id));
    assert!(hear(&mut socket).await.contains("TOKEN_EXPIRED"));
    socket.text(&login()).await.unwrap();
    assert!(hear(&mut socket).await.contains(r#""status":"ok""#));
    assert_eq!(sessions.live()[0].renewals, 1);
    echoes(&mut socket).await;
    // And whoever does not replace it has as long as for a first one.
    assert!(sessions.revoke(&sessions.live()[0].session_id));
    hear(&mut socket).await;
    assert_eq!(socket.close_code(SOON).await, Some(4401));
}

/// Says the same to everybody, or nothing.
struct Always(Option<Refusal>);

#[async_trait]
impl Authenticator for Always {
    async fn authenticate(&self, _now: Now, _presented: &Presented) -> Result<Admission, Refusal> {
        match self.0 {
            Some(refusal) => Err(refusal),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn each_path_may_have_an_authenticator_of_its_own_and_its_verdict_is_the_status() {
    let door = |config: Config, path: &str, says| {
        config.with_websocket_and_authenticator(path, Dialect::bearer_header(), Arc::new(Always(says)))
    };
    let served = Served::with(|config| {
        let config = door(config, "/forbidden", Some(Refusal::forbidden("not here")));
        let config = door(config, "/down", Some(Refusal::unreachable("no verdict")));
        door(config, "/mute", None).with_websocket("/sound", Dialect::bearer_header())
    })
    .await;
    let header = format!("Authorization: Bearer {}\r\n", served.token(LIFE));
    for (path, status) in [("/forbidden", 403), ("/down", 503), ("/mute", 503)] {
        let refusal = served.open(path, &header).await.map(drop).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {refusal}");
    }
    let (mut socket, _) = served.open("/sound", &header).await.unwrap();
    echoes(&mut socket).await;
}
