//! What permission tokens are for: requests that carry them, and WebSockets that they open; and who never gets to see one.

use std::time::Duration;

use async_trait::async_trait;
use auth_core::jwt::{HmacKey, KeySet, Verifier};
use auth_core::time::Now;
use auth_core::{AuthEvent, ErrorKind, Secret};
use auth_http::client::Proxy;
use auth_http::endpoint::spatium::{Account, AuthorizationServer};
use bytes::Bytes;
use gateway::{Admission, Authenticator, Config, Gateway, Presented, Refusal, Running};
use http::{Request, StatusCode};
use providers::spatium::{Builder, ConfigError, Session};
use realtime_auth_tests::proxy::Proxy as ProxyServer;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use std::sync::Arc;
use ws_session::dialect::Dialect;

use super::{KEY, Served, served, verified};

const READ_SECRET: [&str; 2] = ["read", "secret"];

fn builder(served: &Served, token_id: &str) -> Builder {
    Session::builder(&served.url(), token_id, &READ_SECRET).unwrap()
}

async fn establish(session: &Session) {
    let factor = session.security_factor_credentials("username", &Secret::from("password")).await.unwrap();
    session.establish(&[factor]).await.unwrap();
}

async fn established(builder: Builder) -> Session {
    let session = builder.build().unwrap();
    establish(&session).await;
    session
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(format!("{url}/signer/v1/ping")).body(Bytes::new()).unwrap()
}

/// The token that a request carries; "" if it has none.
fn bearer(request: &str) -> String {
    let line = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
    line.unwrap_or_default().to_owned()
}

/// A service that looks at the tokens as its own: refuses the first so many requests, and answers the rest.
async fn service(refusals: usize) -> Script {
    let mut left = refusals;
    Script::answering(move |request| {
        verified(&bearer(request));
        if left == 0 {
            return Answer::http(200, "", "pong");
        }
        left -= 1;
        Answer::http(401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", "")
    })
    .await
    .unwrap()
}

fn tokens(service: &Script) -> Vec<String> {
    service.requests().iter().map(|request| bearer(request)).collect()
}

#[tokio::test]
async fn a_request_carries_the_permission_token_that_is_cached() {
    let (served, service) = (served().await, service(0).await);
    let session = established(builder(&served, "device").with_origin(service.url())).await;
    for _ in 0..3 {
        let response = session.request(get(service.url())).await.unwrap();
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"pong"[..]));
    }
    let current = session.permission_token().await.unwrap().secret().expose().to_owned();
    assert_eq!(tokens(&service), vec![current; 3]);
    assert_eq!(served.refreshes(), 0);
}

#[tokio::test]
async fn at_401_a_request_is_made_once_more_with_one_fresh_token() {
    let (served, service) = (served().await, service(1).await);
    let session = established(builder(&served, "device").with_origin(service.url())).await;
    let url = format!("{}/signer/v1/sign", service.url());
    let request = Request::post(url).header("x-mine", "kept").body(Bytes::from_static(b"document")).unwrap();
    assert_eq!(session.request(request).await.unwrap().status(), StatusCode::OK);
    let sent = tokens(&service);
    assert_eq!((sent.len(), served.refreshes()), (2, 1));
    assert_ne!(sent[0], sent[1], "the refused token is not sent again");
    let whole =
        |request: &String| request.contains("x-mine: kept\r\n") && request.ends_with("\r\n\r\ndocument");
    assert!(service.requests().iter().all(whole), "{:?}", service.requests());
}

#[tokio::test]
async fn a_second_401_is_the_callers() {
    let (served, service) = (served().await, service(9).await);
    let session = established(builder(&served, "device").with_origin(service.url())).await;
    let response = session.request(get(service.url())).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!((service.requests().len(), served.refreshes()), (2, 1));
}

#[tokio::test]
async fn requests_that_are_refused_together_cause_one_refresh() {
    let served = served().await;
    let mut revoked = None;
    let service = Script::answering(move |request| {
        let token = bearer(request);
        match *revoked.get_or_insert_with(|| token.clone()) == token {
            true => Answer::http(401, "", ""),
            false => Answer::http(200, "", ""),
        }
    });
    let service = service.await.unwrap();
    let session = established(builder(&served, "device").with_origin(service.url())).await;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (session, request) = (session.clone(), get(service.url()));
        requests.spawn(async move { session.request(request).await.unwrap().status() });
    }
    let statuses = requests.join_all().await;
    assert_eq!(statuses, [StatusCode::OK; 5]);
    assert_eq!(served.refreshes(), 1);
}

#[tokio::test]
async fn no_token_goes_to_another_origin() {
    let (served, own, other) = (served().await, service(0).await, service(0).await);
    let session = established(builder(&served, "device").with_origin(own.url())).await;
    let error = session.request(get(other.url())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    let ws = other.url().replace("http", "ws");
    assert!(matches!(session.open(&ws), Err(ConfigError::Origin(_))));
    // The port alone makes it another origin, as another name for this machine does.
    let by_name = own.url().replace("127.0.0.1", "localhost");
    assert!(session.request(get(&by_name)).await.is_err());
    assert!(other.requests().is_empty());
    assert_eq!(session.request(get(own.url())).await.unwrap().status(), StatusCode::OK, "the control");
}

#[tokio::test]
async fn no_token_follows_a_redirect() {
    let (served, other) = (served().await, service(0).await);
    let location = format!("Location: {}/signer\r\n", other.url());
    let own = Script::serve(vec![Answer::http(307, &location, "")]).await.unwrap();
    let both = builder(&served, "device").with_origin(own.url()).with_origin(other.url());
    let session = established(both).await;
    assert_eq!(session.request(get(own.url())).await.unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn an_origin_in_plain_text_is_of_this_machine() {
    let served = served().await;
    let built = builder(&served, "device").with_origin("http://cloud.spatium.net").build();
    assert!(matches!(built, Err(ConfigError::Token(auth_http::wire::ConfigError::Plaintext))));
    let built = builder(&served, "device").with_origin("https://cloud.spatium.net").build().unwrap();
    assert!(!format!("{built:?}").contains("canary"));
}

/// The service is asked for nothing while there is no token: neither before the session nor after it.
#[tokio::test]
async fn a_session_that_is_over_sends_nothing_until_it_is_established_anew() {
    let (served, service) = (served().await, service(1).await);
    let session = builder(&served, "device").with_origin(service.url()).build().unwrap();
    let error = session.request(get(service.url())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidGrant);
    establish(&session).await;
    // Another program takes the session's place, and with that its refresh token.
    let displacing = established(builder(&served, "device")).await;
    let error = session.request(get(service.url())).await.unwrap_err();
    assert_eq!((error.kind(), service.requests().len()), (ErrorKind::InvalidGrant, 1), "{error}");
    let error = session.request(get(service.url())).await.unwrap_err();
    assert_eq!((error.kind(), service.requests().len()), (ErrorKind::InvalidGrant, 1), "{error}");

    establish(&session).await;
    assert_eq!(session.request(get(service.url())).await.unwrap().status(), StatusCode::OK);
    drop(displacing);
}

#[tokio::test]
async fn parallel_sessions_send_tokens_of_their_own() {
    let (served, service) = (served().await, service(0).await);
    let mut sent = std::collections::BTreeSet::new();
    for token_id in ["phone", "laptop", "watch"] {
        let session = established(builder(&served, token_id).with_origin(service.url())).await;
        session.request(get(service.url())).await.unwrap();
        session.refresh().await.unwrap();
        session.request(get(service.url())).await.unwrap();
        sent.extend(tokens(&service));
    }
    assert_eq!(sent.len(), 6, "none ended another");
}

#[tokio::test]
async fn a_session_goes_on_in_the_next_run_by_its_file() {
    let (served, service) = (served().await, service(0).await);
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let path = folder.path().join("spatium.json");
        builder(&served, "device").with_origin(service.url()).with_token_file(path)
    };
    let first = established(open()).await;
    first.authorization().shut_down().await;
    drop(first);
    let second = open().build().unwrap();
    assert!(second.authorization().resume().await.unwrap());
    assert_eq!(second.request(get(service.url())).await.unwrap().status(), StatusCode::OK);
    assert_eq!(served.refreshes(), 0, "the permission token was kept too");
}

/// Lets in by permission tokens.
struct ByPermission(Verifier);

#[async_trait]
impl Authenticator for ByPermission {
    async fn authenticate(&self, now: Now, presented: &Presented) -> Result<Admission, Refusal> {
        let verified = self.0.verify(presented.credential.expose(), now);
        let claims = verified.map_err(|_| Refusal::rejected("no permission token"))?.into_inner();
        let expires = claims.expires().ok_or(Refusal::rejected("a token without an end"))?;
        Ok(Admission {
            subject: "username".to_owned(),
            expires_in: expires.saturating_since(now.wall),
            is_consumed: false,
        })
    }
}

/// Spatium's service and a stream at `/stream` on one gateway; permission tokens live for so long.
pub(crate) async fn streaming(permission: Duration) -> Running {
    let server = AuthorizationServer::hs256(KEY)
        .with_account(Account::new("username", Secret::from("password"), READ_SECRET))
        .with_permission_lifetime(permission);
    let verifier =
        Verifier::new(KeySet::of(HmacKey::hs256(&KEY).unwrap())).with_issuer("authorization-service");
    let config =
        Config::new("127.0.0.1:0".parse().unwrap()).with_spatium(server).with_websocket_and_authenticator(
            "/stream",
            Dialect::bearer_header(),
            Arc::new(ByPermission(verifier)),
        );
    Gateway::bind(config).await.unwrap().spawn()
}

async fn on(gateway: &Running, recorder: &Recorder) -> Session {
    let url = format!("{}/authorization/v1", gateway.http_url());
    let builder = Session::builder(&url, "device", &READ_SECRET).unwrap();
    // Tokens live briefly here: a connection that ends with its token has proven itself all the same.
    let brief = ws_session::machine::Config::new().with_stable_after(Duration::from_millis(200));
    established(builder.with_observer(Arc::new(recorder.clone())).with_session_config(brief)).await
}

fn stream(gateway: &Running) -> String {
    format!("{}/stream", gateway.http_url().replace("http", "ws"))
}

#[tokio::test]
async fn a_permission_token_opens_a_websocket_and_a_lost_one_comes_back_with_a_fresh_token() {
    let gateway = streaming(Duration::from_secs(900)).await;
    let recorder = Recorder::default();
    let session = on(&gateway, &recorder).await;
    let mut socket = session.open(&stream(&gateway)).unwrap();
    socket.authenticated().await.unwrap();
    let live = gateway.sessions().live().remove(0);
    assert!(gateway.sessions().disconnect(&live.session_id));
    recorder.wait_for(2, |event| matches!(event, AuthEvent::Authenticated { .. })).await;
    socket.send("still here").await.unwrap();
    assert_eq!(socket.next().await.unwrap().as_text(), Some("still here"));
    let presented: std::collections::BTreeSet<_> = recorder
        .events()
        .iter()
        .filter_map(|event| match event {
            AuthEvent::Authenticated { token, .. } => *token,
            _ => None,
        })
        .collect();
    assert_eq!(presented.len(), 2);
}

#[tokio::test]
async fn a_websocket_lives_longer_than_its_permission_token() {
    let gateway = streaming(Duration::from_secs(2)).await;
    let recorder = Recorder::default();
    let session = on(&gateway, &recorder).await;
    let mut socket = session.open(&stream(&gateway)).unwrap();
    recorder.wait_for(3, |event| matches!(event, AuthEvent::Authenticated { .. })).await;
    socket.send("still here").await.unwrap();
    assert_eq!(socket.next().await.unwrap().as_text(), Some("still here"));
}

#[tokio::test]
async fn a_websocket_of_a_session_that_is_not_established_says_so() {
    let gateway = streaming(Duration::from_secs(900)).await;
    let url = format!("{}/authorization/v1", gateway.http_url());
    let session = Session::new(&url, "device", &READ_SECRET).unwrap();
    let mut socket = session.open(&stream(&gateway)).unwrap();
    let error = socket.authenticated().await.unwrap_err();
    assert_eq!(error.token_error().unwrap().kind(), ErrorKind::InvalidGrant, "{error}");
    assert_eq!(gateway.sessions().upgrades(), 0);
}

/// Requests and WebSockets alike; a server on this machine is reached without it.
#[tokio::test]
async fn a_proxy_is_asked_for_the_way_to_every_server() {
    let served = served().await;
    // It lets nobody through, so that no name is resolved and no server asked.
    let nobody = "127.0.0.1:1".parse().unwrap();
    let proxy = ProxyServer::serve(nobody, Some("Basic none".to_owned()), None).await.unwrap();
    let recorder = Recorder::default();
    let builder = builder(&served, "device")
        .with_origin("https://api.spatium.invalid")
        .with_proxy(Proxy::new(&proxy.address().to_string()).unwrap())
        .with_observer(Arc::new(recorder.clone()));
    let session = established(builder).await;
    assert!(proxy.heads().is_empty(), "the control: the authorization service is on this machine");
    let error = session.request(get("https://api.spatium.invalid")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    let socket = session.open("wss://api.spatium.invalid/stream").unwrap();
    let lost = |event: &AuthEvent| {
        matches!(event, AuthEvent::ConnectionLost { .. } | AuthEvent::SessionFailed { .. })
    };
    recorder.wait_for(1, lost).await;
    drop(socket);
    let head = "CONNECT api.spatium.invalid:443 HTTP/1.1\r\nHost: api.spatium.invalid:443\r\n\r\n";
    assert_eq!(proxy.heads()[..2], [head, head]);
}

#[tokio::test]
async fn no_permission_token_reaches_an_event_an_error_or_the_audit_log() {
    let (served, service) = (served().await, service(1).await);
    let recorder = Recorder::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    let builder = builder(&served, "device").with_origin(service.url()).with_audit(&path);
    let session = established(builder.with_observer(Arc::new(recorder.clone()))).await;
    session.request(get(service.url())).await.unwrap();
    let summary = session.close_audit().unwrap();
    assert_eq!(summary.written, recorder.events().len() as u64);
    let log = std::fs::read_to_string(path.join("00000000000000000001.jsonl")).unwrap();
    let outputs = format!("{log}{recorder:?}{session:?}");
    for token in tokens(&service) {
        assert!(!outputs.contains(&token) && !token.is_empty());
    }
    assert!(log.contains("token_rejected"), "the control: {log}");
}
