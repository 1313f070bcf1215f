//! Ably's stories: tokens asked for, revoked and replayed, and connections that go with them.

use auth_core::ably::{ApiKey, ClientId, Nonce, TokenParams, TokenRequest, mint_jwt};
use auth_core::time::{Now, Timestamp};
use auth_http::manager::StdClock;
use gateway::ServedKey;
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use serde_json::json;

use super::*;

const KEY: &str = "appid1.keyid1:canary-of-the-key";
const JSON: &str = "Content-Type: application/json";

async fn served() -> Told {
    let key = ServedKey::new(ApiKey::parse(KEY).unwrap()).with_revocable_tokens();
    Told::with(|config| config.with_ably_key(key)).await
}

fn now() -> Now {
    StdClock::start().now()
}

/// A JWT of a client's, which lives for so many seconds, issued a second ago.
fn jwt(client_id: &str, lifetime: u64) -> String {
    let earlier = Timestamp::from_millis(now().wall.as_millis() - 1_000);
    let params = TokenParams::new().with_client_id(ClientId::new(client_id).unwrap());
    let params = params.with_ttl(Duration::from_secs(lifetime)).with_timestamp(earlier);
    mint_jwt(&ApiKey::parse(KEY).unwrap(), &params, now()).expose().to_owned()
}

/// A connection, and the action of the first frame over it.
async fn open(told: &Told, query: &str) -> (RawSocket, u64) {
    let mut socket = RawSocket::open(&told.ws(&format!("/?v=6&format=json&{query}"))).await.unwrap();
    let action = next(&mut socket).await["action"].as_u64().unwrap();
    (socket, action)
}

async fn next(socket: &mut RawSocket) -> Value {
    loop {
        let (kind, payload) = timeout(SOON, socket.frame()).await.expect("a frame in time").unwrap();
        if kind == opcode::TEXT {
            return serde_json::from_slice(&payload).unwrap();
        }
    }
}

async fn revoke(told: &Told, version: &str, targets: &[&str]) -> u16 {
    let basic = format!("Authorization: Basic {}", ApiKey::parse(KEY).unwrap().basic_credentials().expose());
    let body = json!({ "targets": targets }).to_string();
    let version = format!("X-Ably-Version: {version}");
    told.ask("POST /keys/appid1.keyid1/revokeTokens", &[&basic, JSON, &version], &body).await.0
}

#[tokio::test]
async fn a_key_whose_halves_are_swapped_is_in_no_record() {
    let told = served().await;
    for name in ["canary-of-the-key", "canary-of-the-key:appid1.keyid1", "appid1.canary-of-the-key"] {
        for call in ["requestToken", "revokeTokens"] {
            let (status, reply) = told.ask(&format!("POST /keys/{name}/{call}"), &[JSON], "{}").await;
            assert!([401, 404].contains(&status), "{reply}");
        }
    }
    let whole = format!("POST /keys/{KEY}/requestToken");
    assert!(told.ask(&whole, &[JSON], "{}").await.0 >= 400);
    let story = told.story(7).await;
    assert!(story[..6].iter().all(|event| event.split(' ').count() == 3), "{story:?}");
    assert!(story[6].ends_with(" appid1.keyid1"), "who is known is named: {story:?}");
}

#[tokio::test]
async fn a_request_for_a_token_is_told_as_minted_replayed_or_denied() {
    let told = served().await;
    let key = ApiKey::parse(KEY).unwrap();
    let params = TokenParams::new().with_client_id(ClientId::new("alice").unwrap());
    let request = TokenRequest::sign(&key, &params, now(), Nonce::from_random([1; 16]));
    let line = "POST /keys/appid1.keyid1/requestToken";
    let (status, reply) = told.ask(line, &[JSON], request.to_json().expose()).await;
    assert_eq!(status, 201, "{reply}");
    assert_eq!(told.ask(line, &[JSON], request.to_json().expose()).await.0, 401);
    assert_eq!(told.ask(line, &[JSON], "{}").await.0, 401);
    // A whole key in the path is a mistake that is made.
    assert_eq!(told.ask(&format!("POST /keys/{KEY}/requestToken"), &[JSON], "{}").await.0, 401);
    let basic = format!("Authorization: Basic {}", key.basic_credentials().expose());
    assert_eq!(told.ask(line, &[JSON, &basic], "{}").await.0, 201);
    assert_eq!(
        told.story(5).await,
        [
            "token_minted ably_token_request alice",
            "replay_rejected nonce appid1.keyid1",
            "token_denied ably_token_request 40101 appid1.keyid1",
            "token_denied ably_token_request 40400 appid1.keyid1",
            "token_minted ably_token_request appid1.keyid1",
        ]
    );
    let minted = parsed(&told.recorder.events()[0]);
    assert_eq!(
        (&minted["token"], &minted["expires_in_ms"]),
        (&print(&member(&reply, "token")).into(), &3_600_000.into())
    );
}

#[tokio::test]
async fn a_revocation_is_told_for_each_target_and_closes_the_connections_that_it_is_about() {
    let told = served().await;
    let (alices, bobs) = (jwt("alice", 60), jwt("bob", 60));
    let (mut alice, _) = open(&told, &format!("access_token={alices}")).await;
    let (mut bob, _) = open(&told, &format!("access_token={bobs}")).await;
    assert_eq!(revoke(&told, "6", &["clientId:alice", &format!("token:{bobs}")]).await, 201);
    for socket in [&mut alice, &mut bob] {
        assert_eq!(next(socket).await["error"]["code"], 40_141);
        socket.close_code(SOON).await;
    }
    // What is revoked ends at once, whether or not that is on record yet.
    let mut story = told.story(6).await;
    story.sort();
    assert_eq!(
        story,
        [
            "client_authenticated 1 ably alice",
            "client_authenticated 2 ably bob",
            "client_disconnected 1 revoked 1000",
            "client_disconnected 2 revoked 1000",
            "token_revoked",
            "token_revoked clientId:alice",
        ]
    );
    let events = told.recorder.events();
    assert_eq!(parsed(&events[0])["token"], print(&alices));
    let named = |event: &AuthEvent| parsed(event)["token"] == print(&bobs) && event.name() == "token_revoked";
    assert!(events.iter().any(named), "{events:?}");
    assert_eq!(told.end().await.len(), 6);
}

#[tokio::test]
async fn whoever_may_not_revoke_is_told_as_denied_by_the_name_of_the_key_alone() {
    let told = served().await;
    let line = "POST /keys/appid1.keyid1/revokeTokens";
    let body = json!({ "targets": ["clientId:alice"] }).to_string();
    let wrong = ApiKey::parse("appid1.keyid1:canary-of-a-guess").unwrap();
    let basic = format!("Authorization: Basic {}", wrong.basic_credentials().expose());
    assert_eq!(told.ask(line, &[&basic, JSON], &body).await.0, 401);
    assert_eq!(told.ask(&format!("POST /keys/{KEY}/revokeTokens"), &[JSON], &body).await.0, 401);
    let basic = format!("Authorization: Basic {}", ApiKey::parse(KEY).unwrap().basic_credentials().expose());
    assert_eq!(told.ask(line, &[&basic, JSON], "{}").await.0, 400);
    assert_eq!(
        told.story(3).await,
        [
            "token_denied ably_revoke_tokens 40101 appid1.keyid1",
            "token_denied ably_revoke_tokens 40400 appid1.keyid1",
            "token_denied ably_revoke_tokens 40000 appid1.keyid1",
        ]
    );
    assert_eq!(revoke(&told, "6", &["clientId:alice"]).await, 201);
    assert_eq!(told.end().await[3..], ["token_revoked clientId:alice"], "the control");
}

#[tokio::test]
async fn of_several_targets_those_that_were_revoked_count_whatever_the_status_says() {
    let told = served().await;
    let (mut alice, _) = open(&told, &format!("access_token={}", jwt("alice", 60))).await;
    assert_eq!(revoke(&told, "1.2", &["clientId:alice", "bogus:x"]).await, 400);
    assert_eq!(next(&mut alice).await["error"]["code"], 40_141);
    let mut story = told.story(3).await;
    story.sort();
    assert_eq!(story[1..], ["client_disconnected 1 revoked 1000", "token_revoked clientId:alice"]);
}

#[tokio::test]
async fn a_connection_is_told_when_it_is_renewed_refused_expired_and_left() {
    let told = served().await;
    let (mut refused, action) = open(&told, "access_token=appid1.unknown").await;
    assert_eq!(action, 9);
    refused.close_code(SOON).await;
    let (mut by_key, action) = open(&told, &format!("key={KEY}")).await;
    assert_eq!(action, 4);
    let fresh = jwt("alice", 60);
    let auth = |token: &str| json!({ "action": 17, "auth": { "accessToken": token } }).to_string();
    by_key.text(&auth(&fresh)).await.unwrap();
    assert_eq!(next(&mut by_key).await["action"], 4);
    by_key.text(&auth(&jwt("bob", 60))).await.unwrap();
    assert_eq!(next(&mut by_key).await["error"]["code"], 40_102);
    by_key.close_code(SOON).await;
    let (mut expiring, _) = open(&told, &format!("access_token={}", jwt("alice", 2))).await;
    assert_eq!(next(&mut expiring).await["error"]["code"], 40_142);
    expiring.close_code(SOON).await;
    let (mut left, _) = open(&told, &format!("key={KEY}")).await;
    left.text(r#"{"action":7}"#).await.unwrap();
    left.close_code(SOON).await;
    let (drained, _) = open(&told, &format!("key={KEY}")).await;
    let reader = tokio::spawn(async move {
        let mut drained = drained;
        drained.close_code(SOON).await
    });
    let unknown =
        "client_rejected 1 ably 40143 the token is not known, or was issued before a restart; get a new one";
    assert_eq!(
        told.story(10).await,
        [
            &format!("{unknown} 1000"),
            "client_authenticated 2 ably *",
            "client_reauthenticated 2 alice",
            "client_rejected 2 ably 40102",
            "client_disconnected 2 its fresh token was refused 1000",
            "client_authenticated 3 ably alice",
            "client_disconnected 3 expired 1000",
            "client_authenticated 4 ably *",
            "client_disconnected 4 closed by the client 1000",
            "client_authenticated 5 ably *",
        ]
    );
    let events = told.recorder.events();
    assert_eq!(parsed(&events[2])["token"], print(&fresh));
    assert_eq!(parsed(&events[0])["token"], print("appid1.unknown"));
    let story = told.end().await;
    assert_eq!(story[10..], ["client_disconnected 5 draining 1000"]);
    assert_eq!(reader.await.unwrap(), Some(1_000));
}
