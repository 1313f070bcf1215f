//! The realtime client against our own gateway.

use auth_core::ably::{ApiKey, ClientId, RevocationRequest, RevocationTarget};
use auth_core::capability::Capability;
use auth_http::ably::Auth;
use gateway::{Config as GatewayConfig, Gateway, Running, ServedKey};
use realtime_auth_tests::raw_socket::RawSocket;

use super::*;

const KEY: &str = "appId.keyId:keySecret";

async fn serve() -> Running {
    let served = ServedKey::new(ApiKey::parse(KEY).unwrap()).with_revocable_tokens();
    let config = GatewayConfig::new("127.0.0.1:0".parse().unwrap()).with_ably_key(served);
    Gateway::bind(config).await.unwrap().spawn()
}

fn key(key: &str) -> AuthOptions {
    AuthOptions::new().with_key(ApiKey::parse(key).unwrap()).with_use_token_auth(true)
}

fn capability(text: &str) -> Capability {
    text.parse().unwrap()
}

fn alice() -> ClientId {
    ClientId::new("alice").unwrap()
}

async fn ask(session: &mut Session, message: Value) -> Value {
    session.send(message.to_string()).await.unwrap();
    heard(session).await
}

async fn heard(session: &mut Session) -> Value {
    serde_json::from_str(soon(session.next()).await.unwrap().as_text().unwrap()).unwrap()
}

#[tokio::test]
async fn rtc8a_authorize_changes_what_the_connection_may_do_and_leaves_it_the_same() {
    let gateway = serve().await;
    let params = TokenParams::new().with_capability(capability(r#"{"a":["subscribe"]}"#));
    let realtime = builder(key(KEY), gateway.http_url()).with_default_params(params).build().unwrap();
    let mut session = realtime.connect().await.unwrap();
    let before = gateway.sessions().live();
    let refused = ask(&mut session, json!({ "action": 10, "channel": "b" })).await;
    assert_eq!((&refused["channel"], &refused["error"]["code"]), (&json!("b"), &json!(40_160)));

    let more = TokenParams::new().with_capability(capability(r#"{"a":["subscribe"],"b":["*"]}"#));
    let details = soon(realtime.authorize(Some(more), None)).await.unwrap();
    assert_eq!(realtime.auth().token_details().unwrap().token(), details.token());
    assert_eq!(ask(&mut session, json!({ "action": 10, "channel": "b" })).await["action"], 11);
    let after = gateway.sessions().live();
    assert_eq!((after.len(), &after[0].session_id, after[0].renewals), (1, &before[0].session_id, 1));
    assert_eq!(gateway.sessions().upgrades(), 1);
    soon(realtime.close()).await.unwrap();
}

#[tokio::test]
async fn rtc8a1_a_channel_that_the_new_token_does_not_allow_fails_and_the_connection_lives() {
    let gateway = serve().await;
    let realtime = builder(key(KEY), gateway.http_url()).build().unwrap();
    let mut session = realtime.connect().await.unwrap();
    for channel in ["a", "b"] {
        assert_eq!(ask(&mut session, json!({ "action": 10, "channel": channel })).await["action"], 11);
    }
    let less = TokenParams::new().with_capability(capability(r#"{"a":["*"]}"#));
    soon(realtime.authorize(Some(less), None)).await.unwrap();
    let lost = heard(&mut session).await;
    assert_eq!(
        (&lost["action"], &lost["channel"], &lost["error"]["code"]),
        (&json!(9), &json!("b"), &json!(40_160))
    );
    assert_eq!(session.state(), State::Connected);
    let message = json!({ "action": 15, "channel": "a", "msgSerial": 0, "messages": [{ "data": "x" }] });
    let answers = [ask(&mut session, message).await, heard(&mut session).await];
    assert!(answers.iter().any(|answer| answer["action"] == 1), "{answers:?}");
}

#[tokio::test]
async fn rtc8a2_a_token_of_somebody_else_fails_the_connection_with_40102() {
    let gateway = serve().await;
    let params = TokenParams::new().with_client_id(alice());
    let realtime = builder(key(KEY), gateway.http_url()).with_default_params(params).build().unwrap();
    let mut session = realtime.connect().await.unwrap();
    assert_eq!(realtime.auth().client_id().unwrap().as_str(), "alice");
    let bob = TokenParams::new().with_client_id(ClientId::new("bob").unwrap());
    let error = soon(realtime.authorize(Some(bob), None)).await.unwrap_err();
    assert_eq!((error.code(), failed(&mut session).await), (Some(40_102), Some(40_102)));
    // The way to another identity: a connection of its own (RTC8c).
    soon(realtime.authorize(None, None)).await.unwrap();
    assert_eq!(realtime.auth().client_id().unwrap().as_str(), "bob");
}

#[tokio::test]
async fn rtn14a_a_key_that_the_service_does_not_know_fails_the_connection() {
    let gateway = serve().await;
    for (wrong, code) in [("appId.keyId:wrong", 40_101), ("appId.other:keySecret", 40_400)] {
        let realtime = builder(key(wrong), gateway.http_url()).build().unwrap();
        let error = soon(realtime.connect()).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{error}");
    }
    assert_eq!(gateway.sessions().upgrades(), 0);
}

#[tokio::test]
async fn rsa4a2_a_token_that_expires_and_can_not_be_renewed_ends_the_session_with_it() {
    let gateway = serve().await;
    let issuing = builder(key(KEY), gateway.http_url()).build().unwrap();
    let brief = TokenParams::new().with_ttl(Duration::from_secs(2));
    let details = issuing.auth().request_token(Some(brief), None).await.unwrap();
    let realtime = builder(AuthOptions::new().with_token(details), gateway.http_url()).build().unwrap();
    let mut session = soon(realtime.connect()).await.unwrap();
    assert_eq!(failed(&mut session).await, Some(40_171));
}

#[tokio::test]
async fn rsa15c_a_bare_token_of_somebody_else_is_refused_by_the_service_with_40102() {
    let gateway = serve().await;
    let issuing = builder(key(KEY), gateway.http_url()).build().unwrap();
    let params = TokenParams::new().with_client_id(ClientId::new("bob").unwrap());
    let details = issuing.auth().request_token(Some(params), None).await.unwrap();
    let bare = bare(details.token().expose());
    let realtime = builder(bare, gateway.http_url()).with_client_id(alice()).build().unwrap();
    assert_eq!(soon(realtime.connect()).await.unwrap_err().code(), Some(40_102));
    // With its details it is known before.
    let told = AuthOptions::new().with_token(details);
    let refused = builder(told, gateway.http_url()).with_client_id(alice()).build();
    assert_eq!(refused.unwrap_err().code(), Some(40_102));
}

#[tokio::test]
async fn rtn15h2_rtn15c7_a_revoked_connection_comes_back_with_a_new_token_as_another() {
    let gateway = serve().await;
    let params = TokenParams::new().with_client_id(alice());
    let realtime = builder(key(KEY), gateway.http_url()).with_default_params(params).build().unwrap();
    let session = realtime.connect().await.unwrap();
    let mut events = session.events();
    let surroundings = Surroundings::over(Arc::new(HyperClient::plaintext()));
    let owner = AuthOptions::new().with_key(ApiKey::parse(KEY).unwrap());
    let owner = Auth::builder(owner, surroundings).with_endpoint(gateway.http_url());
    let owner = owner.dangerous().with_plaintext_keys().build().unwrap();
    let target = RevocationTarget::client_id(&alice());
    owner.revoke_tokens(&RevocationRequest::new(vec![target])).await.unwrap();
    let mut code = None;
    let resumed = loop {
        match soon(events.next()).await.unwrap() {
            SessionEvent::Closed { code: told, .. } => code = told,
            SessionEvent::Authenticated { resumed, .. } => break resumed,
            _ => {}
        }
    };
    assert_eq!((code, resumed, gateway.sessions().upgrades()), (Some(40_141), Some(false), 2));
}

async fn on_the_wire(socket: &mut RawSocket) -> Value {
    let (_, payload) = soon(socket.frame()).await.unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn rtn12a_close_is_answered_with_closed() {
    let gateway = serve().await;
    // Longer than the test may take: it is the answer that ends it.
    let config = quick().with_close_timeout(Duration::from_secs(3_600));
    let realtime = builder(key(KEY), gateway.http_url()).with_session_config(config).build().unwrap();
    let session = realtime.connect().await.unwrap();
    let mut events = session.events();
    assert_eq!(gateway.sessions().live().len(), 1);
    soon(realtime.close()).await.unwrap();
    assert_eq!(states_until(&mut events, State::Closed).await[1..], [State::Closing, State::Closed]);
    assert!(gateway.sessions().live().is_empty());
    // The same as it is on the wire.
    let issuing = builder(key(KEY), gateway.http_url()).build().unwrap();
    let details = issuing.auth().request_token(None, None).await.unwrap();
    let url = gateway.http_url().replace("http", "ws");
    let url = format!("{url}/?v=6&access_token={}", details.token().expose());
    let mut socket = soon(RawSocket::open(&url)).await.unwrap();
    assert_eq!(on_the_wire(&mut socket).await["action"], 4);
    socket.text(r#"{"action":7}"#).await.unwrap();
    assert_eq!(on_the_wire(&mut socket).await, json!({ "action": 8 }));
    assert_eq!(socket.close_code(SOON).await, Some(1000));
}

#[tokio::test]
async fn rtn13a_a_ping_is_answered() {
    let gateway = serve().await;
    let realtime = builder(key(KEY), gateway.http_url()).build().unwrap();
    let mut session = realtime.connect().await.unwrap();
    for _ in 0..3 {
        soon(realtime.ping()).await.unwrap();
    }
    assert_eq!(
        ask(&mut session, json!({ "action": 10, "channel": "a" })).await["action"],
        11,
        "and nothing before it"
    );
}
