//! What the gateway tells of its decisions: the exact events of each story, what waits for a record, and what no event holds.

mod ably;
mod connections;
mod metrics;
mod once;
mod spatium;
mod strangers;
mod strict;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use auth_core::fingerprint::FingerprintKey;
use auth_core::{AuthEvent, Secret};
use gateway::{Client, Config, Gateway, RateLimit, Running};
use realtime_auth_tests::recorder::Recorder;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

const CLIENT_SECRET: &str = "canary-of-the-client";

/// A gateway whose decisions are kept.
struct Told {
    gateway: Running,
    recorder: Recorder,
}

impl Told {
    async fn with(config: impl FnOnce(Config) -> Config) -> Self {
        let recorder = Recorder::default();
        let client = Client::new("id", Secret::from(CLIENT_SECRET), "a b".parse().unwrap());
        let base = Config::new("127.0.0.1:0".parse().unwrap())
            .with_client(client.with_refresh_token(Secret::from("canary-r1")))
            .with_rate_limit(RateLimit::new(Duration::from_millis(1), 10_000))
            .with_recorder(Arc::new(recorder.clone()))
            .with_fingerprint_key(FingerprintKey::new([5; 32]));
        Self { gateway: Gateway::bind(config(base)).await.unwrap().spawn(), recorder }
    }

    async fn plain() -> Self {
        Self::with(|config| config).await
    }

    /// Waits until there are so many events, and says in short what they are. None may follow.
    async fn story(&self, count: usize) -> Vec<String> {
        self.recorder.wait_for(count, |_| true).await;
        let events = self.recorder.events();
        no_canary(&events);
        events.iter().map(in_short).collect()
    }

    /// Ends the gateway, and with that everything that may still be told.
    async fn end(self) -> Vec<String> {
        self.gateway.stop().await;
        let events = self.recorder.events();
        no_canary(&events);
        events.iter().map(in_short).collect()
    }

    /// Sends a request, and reads until the gateway closes: the status and the whole reply.
    async fn ask(&self, line: &str, headers: &[&str], body: &str) -> (u16, String) {
        let mut request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let address = self.gateway.http_url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        timeout(SOON, stream.read_to_end(&mut reply)).await.expect("a reply in time").unwrap();
        let reply = String::from_utf8(reply).unwrap();
        (reply.split(' ').nth(1).unwrap().parse().unwrap(), reply)
    }

    /// Asks the token endpoint.
    async fn grant(&self, form: &str) -> (u16, String) {
        let body = format!("client_id=id&client_secret={CLIENT_SECRET}&{form}");
        self.ask("POST /oauth/token", &["Content-Type: application/x-www-form-urlencoded"], &body).await
    }

    async fn token(&self) -> String {
        let (status, reply) = self.grant("grant_type=client_credentials").await;
        assert_eq!(status, 200, "{reply}");
        member(&reply, "access_token")
    }

    fn ws(&self, path: &str) -> String {
        self.gateway.http_url().replace("http", "ws") + path
    }
}

/// A member of the JSON body of a reply.
fn member(reply: &str, name: &str) -> String {
    let body: Value = serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap();
    body[name].as_str().expect(reply).to_owned()
}

fn print(token: &str) -> String {
    FingerprintKey::new([5; 32]).fingerprint(&Secret::from(token)).to_string()
}

fn parsed(event: &AuthEvent) -> Value {
    serde_json::to_value(event).unwrap()
}

/// An event by its name, and what there is to know of it apart from times and ports.
fn in_short(event: &AuthEvent) -> String {
    let event = parsed(event);
    let mut text = event["event"].as_str().unwrap().to_owned();
    for name in ["grant", "replayed", "connection", "dialect", "reason", "code", "client_id", "target"] {
        match &event[name] {
            Value::Null => {}
            Value::String(value) => text += &format!(" {value}"),
            value => text += &format!(" {value}"),
        }
    }
    if let Some(peer) = event["peer"].as_str() {
        assert!(peer.starts_with("127.0.0.1:"), "{event}");
    }
    text
}

/// No event may hold anything that is secret here: all secrets contain the word, or are JWTs.
fn no_canary(events: &[AuthEvent]) {
    for event in events {
        let shown = [format!("{event:?}"), parsed(event).to_string()];
        for shown in shown {
            assert!(!shown.contains("canary") && !shown.contains("eyJ"), "{shown}");
        }
    }
}
