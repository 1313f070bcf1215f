//! The machine as a client sees it: each frame by what it is answered with.

mod authentication;
mod channels;
mod random;
mod time;

use auth_core::ably::{ApiKey, ClientId, Nonce, TokenClientId, TokenDetails, TokenParams, TokenRequest};
use auth_core::time::{Moment, Timestamp};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use auth_core::capability::Operation;

use super::super::{Caller, Records, ServedKey, caller_of_token, respond};
use super::*;

const START: u64 = 1_700_000_000_000;
const KEY: &str = "appid1.keyid1:SecretSecretSecret";

/// A moment, in milliseconds from the start.
fn at(millis: u64) -> auth_core::time::Now {
    let elapsed = Duration::from_millis(millis);
    auth_core::time::Now {
        wall: Timestamp::from_millis(START).saturating_add(elapsed),
        mono: Moment::since_origin(elapsed),
    }
}

fn key() -> ApiKey {
    ApiKey::parse(KEY).unwrap()
}

struct Server {
    records: Records,
    drawn: u8,
}

impl Server {
    fn new() -> Self {
        let mut records = Records::new([1; 32]);
        let capability = r#"{"chat:*":["*"],"news":["subscribe"]}"#.parse().unwrap();
        records.serve(ServedKey::new(key()).with_capability(capability).with_revocable_tokens());
        records.serve(ServedKey::new(ApiKey::parse("other.keyid1:OtherOther").unwrap()));
        Self { records, drawn: 0 }
    }

    /// A token of the key, from this moment for so many milliseconds.
    fn token(&mut self, millis: u64, ttl: u64, params: &TokenParams) -> Secret {
        self.token_of(&key(), millis, ttl, params)
    }

    fn token_of(&mut self, key: &ApiKey, millis: u64, ttl: u64, params: &TokenParams) -> Secret {
        self.drawn += 1;
        let nonce = Nonce::new(format!("{:016}", self.drawn)).unwrap();
        let params = params.clone().with_ttl(Duration::from_millis(ttl));
        let request = TokenRequest::sign(key, &params, at(millis), nonce);
        let request = Request::post(format!("/keys/{}/requestToken", key.name()))
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(request.to_json().expose().to_owned()))
            .unwrap();
        let response = respond(&mut self.records, at(millis), [self.drawn; 32], &request, |_| Ok(()));
        TokenDetails::parse(response.unwrap().body()).unwrap().token().clone()
    }

    fn revoke(&mut self, millis: u64, client_id: &str, with_margin: bool) {
        let body = json!({ "targets": [format!("clientId:{client_id}")], "allowReauthMargin": with_margin });
        let request = Request::post("/keys/appid1.keyid1/revokeTokens")
            .header(CONTENT_TYPE, "application/json")
            .header("authorization", format!("Basic {}", key().basic_credentials().expose()))
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let response = respond(&mut self.records, at(millis), [0; 32], &request, |_| Ok(())).unwrap();
        assert_eq!(response.status(), 201, "{response:?}");
    }

    /// A connection by the parameters of its query.
    fn open(&self, millis: u64, query: &str) -> Connection {
        let opening = Opening::read(&Request::get(format!("/?{query}")).body(()).unwrap());
        let identity = Identity { connection_id: "me".to_owned(), connection_key: Secret::from("me!secret") };
        Connection::open(at(millis), identity, &opening, opening.caller(&self.records, at(millis)))
    }

    /// A connection that is live by a token.
    fn live(&self, millis: u64, token: &Secret) -> Connection {
        let mut connection = self.open(millis, &format!("access_token={}&v=6", token.expose()));
        assert_eq!(actions(&mut connection), ["4"]);
        connection
    }

    /// What a frame is answered with.
    fn say(&self, connection: &mut Connection, millis: u64, frame: &Value) -> Vec<Value> {
        connection.receive(at(millis), &frame.to_string(), |token| {
            caller_of_token(&self.records, at(millis), token)
        });
        frames(connection)
    }

    fn authorize(&self, connection: &mut Connection, millis: u64, token: &Secret) -> Vec<Value> {
        self.say(connection, millis, &json!({ "action": 17, "auth": { "accessToken": token.expose() } }))
    }

    fn recheck(&self, connection: &mut Connection, millis: u64) -> Vec<Value> {
        connection.recheck(at(millis), |token| caller_of_token(&self.records, at(millis), token));
        frames(connection)
    }
}

fn alice() -> TokenParams {
    TokenParams::new().with_client_id(ClientId::new("alice").unwrap())
}

fn with_capability(params: TokenParams, capability: &str) -> TokenParams {
    params.with_capability(capability.parse().unwrap())
}

/// All that is due: the frames as they are, and what else is to be done as a text.
fn frames(connection: &mut Connection) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        frames.push(match connection.poll() {
            Output::Send(text) => serde_json::from_str(&text).unwrap(),
            Output::SendBinary(_) => json!("binary"),
            Output::Ping => json!("ping"),
            Output::Join { channel } => json!(format!("join {channel}")),
            Output::Leave { channel } => json!(format!("leave {channel}")),
            Output::Publish(publication) => json!({ "published": publication.frame }),
            Output::Renewed => json!("renewed"),
            Output::Close => json!("close"),
            Output::Wait(_) => return frames,
        });
    }
}

/// The same in short: a frame by its action, and its error's number.
fn in_short(frames: &[Value]) -> Vec<String> {
    let short = |frame: &Value| match (frame["action"].as_u64(), frame["error"]["code"].as_u64()) {
        (Some(action), Some(code)) => format!("{action} {code}"),
        (Some(action), None) => action.to_string(),
        (None, _) => frame.as_str().map_or_else(|| "published".to_owned(), str::to_owned),
    };
    frames.iter().map(short).collect()
}

fn actions(connection: &mut Connection) -> Vec<String> {
    in_short(&frames(connection))
}

/// What time brings, in short.
fn tick(connection: &mut Connection, millis: u64) -> Vec<String> {
    connection.tick(at(millis));
    actions(connection)
}

/// By when it waits, in milliseconds from the start.
fn waits_until(connection: &mut Connection) -> u64 {
    match connection.poll() {
        Output::Wait(Some(deadline)) => deadline.remaining(at(0)).as_millis() as u64,
        output => panic!("{output:?}"),
    }
}
