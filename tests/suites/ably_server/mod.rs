//! Ably's interfaces of the gateway over real sockets: what tokens are good for there, and what strangers may not do.

mod realtime;
mod strangers;
mod tokens;

use std::time::{Duration, SystemTime};

use auth_core::ably::{ApiKey, ErrorInfo, Nonce, TokenDetails, TokenParams, TokenRequest};
use auth_core::time::{Moment, Now, Timestamp};
use gateway::{Config, Gateway, Running, ServedKey};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

const KEY: &str = "appid1.keyid1:SecretSecretSecret";

fn key() -> ApiKey {
    ApiKey::parse(KEY).unwrap()
}

fn config() -> Config {
    let served =
        ServedKey::new(key()).with_capability(r#"{"chat:*":["publish","history"]}"#.parse().unwrap());
    let other = ApiKey::parse("appid1.keyid2:RevocableRevocable").unwrap();
    Config::new("127.0.0.1:0".parse().unwrap())
        .with_ably_key(served)
        .with_ably_key(ServedKey::new(other).with_revocable_tokens())
        .with_patience(Duration::from_millis(500))
}

async fn serve(config: Config) -> Running {
    Gateway::bind(config).await.unwrap().spawn()
}

fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Now { wall: Timestamp::since_epoch(wall), mono: Moment::ORIGIN }
}

/// A reply, as far as these tests look at it.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn error(&self) -> (u16, u32) {
        let info = ErrorInfo::parse(self.body.as_bytes()).expect(&self.body);
        assert_eq!(info.status, self.status);
        let header = format!("x-ably-errorcode: {}\r\n", info.code.number());
        assert!(self.head.contains(&header) && self.head.contains("x-ably-errormessage: "), "{self:?}");
        assert!(self.head.contains("content-type: application/json\r\n"), "exactly this: {self:?}");
        (info.status, info.code.number())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends these bytes, and reads until the gateway closes.
async fn raw(gateway: &Running, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(gateway.http_url().trim_start_matches("http://")).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    timeout(SOON, stream.read_to_end(&mut reply)).await.expect("a reply in time").unwrap();
    let reply = String::from_utf8(reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: format!("{head}\r\n"), body: body.to_owned() }
}

/// Sends a request with these header lines, and a body if there is one.
async fn send(gateway: &Running, line: &str, headers: &[&str], body: &str) -> Reply {
    let mut head = format!("{line} HTTP/1.1\r\nHost: gateway\r\n");
    for header in headers {
        head += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    raw(gateway, format!("{head}\r\n{body}").as_bytes()).await
}

const JSON: &str = "Content-Type: application/json";

fn signed(params: &TokenParams) -> String {
    let nonce = Nonce::from_random(std::array::from_fn(|_| random_byte()));
    TokenRequest::sign(&key(), params, now(), nonce).to_json().expose().to_owned()
}

/// A byte that differs from run to run.
fn random_byte() -> u8 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(()) as u8
}

async fn request_token(gateway: &Running, body: &str) -> Reply {
    send(gateway, "POST /keys/appid1.keyid1/requestToken", &[JSON], body).await
}

/// The header that presents the token of a new signed request.
async fn bearer(gateway: &Running, params: &TokenParams) -> String {
    let reply = request_token(gateway, &signed(params)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let details = TokenDetails::parse(reply.body.as_bytes()).unwrap();
    format!("Authorization: Bearer {}", details.token().expose())
}
