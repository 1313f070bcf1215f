//! A session of ours against our own realtime endpoint: what each says, the other understands.

use std::time::Duration;

use auth_core::ably::{ClientId, RevocationRequest, RevocationTarget, TokenParams};
use auth_core::{AuthEvent, TokenSource};
use realtime_auth_tests::recorder::Recorder;
use serde_json::{Value, json};
use tokio::time::timeout;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Session, Target};

use super::our_service::{owner, service, trusted};
use super::*;

/// A session that is live, and what it tells.
async fn connect(service: &gateway::Running, lifetime: Duration) -> (Session, Recorder) {
    let params = TokenParams::new().with_client_id(ClientId::new("alice").unwrap()).with_ttl(lifetime);
    let (auth, _) = trusted(service, params);
    let recorder = Recorder::default();
    let target = Target::new(&service.http_url().replace("http", "ws")).unwrap();
    let source: Arc<dyn TokenSource> = Arc::new(auth);
    let mut session =
        Session::builder(target, Dialect::ably(), source).with_observer(Arc::new(recorder.clone())).spawn();
    session.authenticated().await.unwrap();
    (session, recorder)
}

fn authenticated(event: &AuthEvent) -> bool {
    matches!(event, AuthEvent::Authenticated { .. })
}

/// What a frame of the session's is answered with.
async fn ask(session: &mut Session, frame: &Value) -> Value {
    session.send(frame.to_string()).await.unwrap();
    let answer = timeout(Duration::from_secs(5), session.next()).await.expect("an answer").unwrap();
    serde_json::from_str(answer.as_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_session_attaches_and_publishes_within_its_capability() {
    let service = service().await;
    let (mut session, _) = connect(&service, Duration::from_secs(60)).await;
    let attached = ask(&mut session, &json!({ "action": 10, "channel": "chat:a" })).await;
    assert_eq!((&attached["action"], &attached["flags"]), (&json!(11), &json!(1 << 17)));
    // The error of a channel is the user's, and the session goes on.
    let refused = ask(&mut session, &json!({ "action": 10, "channel": "news" })).await;
    assert_eq!((&refused["channel"], &refused["error"]["code"]), (&json!("news"), &json!(40_160)));
    let message = json!({ "action": 15, "channel": "chat:a", "msgSerial": 0, "messages": [{ "data": "x" }] });
    assert_eq!(ask(&mut session, &message).await["action"], 1);
    session.close().await.unwrap();
}

/// RTC8a, RTN22: the connection is the same all along.
#[tokio::test]
async fn a_session_outlives_its_tokens_on_the_same_connection() {
    let service = service().await;
    let (mut session, recorder) = connect(&service, Duration::from_secs(2)).await;
    let first = service.sessions().live();
    let renewed = |event: &AuthEvent| matches!(event, AuthEvent::TokenRenewed { .. });
    timeout(Duration::from_secs(20), recorder.wait_for(3, renewed)).await.expect("three renewals");
    let pong = ask(&mut session, &json!({ "action": 0, "id": "5" })).await;
    assert_eq!(pong, json!({ "action": 0, "id": "5" }));
    let now = service.sessions().live();
    assert_eq!((now[0].session_id.as_str(), now.len()), (first[0].session_id.as_str(), 1));
    assert!(now[0].renewals >= 3, "{now:?}");
    assert_eq!(service.sessions().upgrades(), 1);
    session.close().await.unwrap();
}

/// RTN15h2, RTN22a.
#[tokio::test]
async fn a_session_that_is_revoked_comes_back_with_a_fresh_token() {
    let service = service().await;
    let (session, recorder) = connect(&service, Duration::from_secs(60)).await;
    let target = RevocationTarget::client_id(&ClientId::new("alice").unwrap());
    owner(&service).revoke_tokens(&RevocationRequest::new(vec![target])).await.unwrap();
    timeout(Duration::from_secs(5), recorder.wait_for(2, authenticated)).await.expect("it comes back");
    let lost = |event: &AuthEvent| matches!(event, AuthEvent::ConnectionLost { .. });
    assert_eq!((recorder.count(lost), service.sessions().upgrades()), (1, 2));
    session.close().await.unwrap();
}
