//! `/metrics`, on an address of its own and nowhere else, and what is counted there of revocations and stores.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use audit::Trail;
use auth_core::ably::ApiKey;
use auth_core::observe::{self, Unrecorded};
use auth_core::time::Timestamp;
use auth_core::{Demand, Observer, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::endpoint::optave::TokenServer;
use auth_http::grant::RefreshToken;
use auth_http::manager::{StdClock, TokenManager};
use auth_http::store::FileStore;
use auth_http::wire::TokenEndpoint;
use gateway::{LiveSession, ServedKey};
use realtime_auth_tests::raw_socket::{RawSocket, opcode};
use serde_json::json;

use super::*;

#[tokio::test]
async fn metrics_are_served_at_their_own_address_and_not_at_the_gateways() {
    let scrapes = AtomicU64::new(0);
    let told = Told::with(|config| {
        config.with_metrics("127.0.0.1:0".parse().unwrap(), move || {
            format!("scrapes_total {}\n", scrapes.fetch_add(1, Ordering::Relaxed) + 1)
        })
    })
    .await;
    let url = told.gateway.metrics_url().unwrap().to_owned();
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    assert_eq!(path, "metrics");
    let ask = async |line: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        timeout(SOON, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
        reply
    };
    for number in 1..=2 {
        let reply = ask("GET /metrics").await;
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("text/plain; version=0.0.4"), "{reply}");
        assert!(reply.ends_with(&format!("\r\n\r\nscrapes_total {number}\n")), "{reply}");
    }
    assert!(ask("POST /metrics").await.starts_with("HTTP/1.1 405 "));
    assert!(ask("GET /oauth/token").await.starts_with("HTTP/1.1 404 "));
    assert_eq!(told.ask("GET /metrics", &[], "").await.0, 404);
    assert_eq!(Told::plain().await.gateway.metrics_url(), None);
}

/// Counts in a trail, and then tells who waits for it.
struct Counted {
    trail: Trail,
    recorder: Recorder,
}

impl Observer for Counted {
    fn observe(&self, event: &AuthEvent) {
        self.trail.observe(event);
        self.recorder.observe(event);
    }
}

#[async_trait]
impl observe::Recorder for Counted {
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        observe::Recorder::record(&self.trail, event).await?;
        observe::Recorder::record(&self.recorder, event).await
    }

    async fn record_at(&self, event: &AuthEvent, at: Timestamp) -> Result<(), Unrecorded> {
        observe::Recorder::record_at(&self.trail, event, at).await?;
        observe::Recorder::record_at(&self.recorder, event, at).await
    }
}

const KEY: &str = "appid1.keyid1:canary-of-the-key";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// A gateway that counts, and whose figures are served.
async fn counted() -> Told {
    let trail = Trail::builder().open().unwrap();
    let (recorder, metrics) = (Recorder::default(), Arc::clone(trail.metrics()));
    let counted = Arc::new(Counted { trail, recorder: recorder.clone() });
    let key = ServedKey::new(ApiKey::parse(KEY).unwrap()).with_revocable_tokens();
    let optave = TokenServer::hs256([9; 32]).with_client("cid", Secret::from("canary-of-optave"));
    let told = Told::with(|config| {
        let config = config.with_recorder(counted).with_ably_key(key).with_optave(optave);
        config.with_metrics("127.0.0.1:0".parse().unwrap(), move || metrics.prometheus())
    });
    Told { recorder, ..told.await }
}

/// The number of a series, as it is scraped.
async fn scraped(told: &Told, series: &str) -> f64 {
    let url = told.gateway.metrics_url().unwrap().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(url.split_once('/').unwrap().0).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    timeout(SOON, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
    number(&reply, series)
}

/// The number of a series in a text for Prometheus.
fn number(text: &str, series: &str) -> f64 {
    let mut numbers = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    numbers.next().expect(series).parse().unwrap()
}

async fn revocations(told: &Told) -> f64 {
    scraped(told, "rtauth_revocation_propagation_seconds_count{path=\"local\"}").await
}

/// How long ago the revocations were that connections ended by, and how they came, as the events tell.
fn revoked(told: &Told) -> Vec<Duration> {
    let events = told.recorder.events();
    let told = events.iter().filter_map(|event| match event {
        AuthEvent::ClientDisconnected { revoked_for: Some(revoked_for), revoked_via, .. } => {
            assert_eq!(parsed(event)["revoked_via"], "local", "{revoked_via:?}");
            Some(*revoked_for)
        }
        _ => None,
    });
    told.collect()
}

async fn genesys(told: &Told) -> (RawSocket, String) {
    let before: Vec<_> = told.gateway.sessions().live();
    let mut socket = RawSocket::open(&told.ws("/ws")).await.unwrap();
    socket.text(&format!(r#"{{"type":"auth","token":"{}"}}"#, told.token().await)).await.unwrap();
    assert!(String::from_utf8(socket.frame().await.unwrap().1).unwrap().contains(r#""status":"ok""#));
    let live = told.gateway.sessions().live();
    let LiveSession { session_id, .. } = live.into_iter().find(|live| !before.contains(live)).unwrap();
    (socket, session_id)
}

const ENDED: fn(&AuthEvent) -> bool = |event| matches!(event, AuthEvent::ClientDisconnected { .. });

#[tokio::test]
async fn a_revocation_that_closes_a_live_session_is_scraped_as_one_observation() {
    let (told, clock) = (counted().await, StdClock::start());
    let (mut socket, session_id) = genesys(&told).await;
    let (_other, _) = genesys(&told).await;
    assert_eq!(revocations(&told).await, 0.0, "the control: both live");
    let before = clock.now().mono.elapsed();
    assert!(told.gateway.sessions().revoke(&session_id));
    assert_eq!(socket.close_code(SOON).await, Some(4401));
    told.recorder.wait_for(1, ENDED).await;
    let passed = clock.now().mono.elapsed() - before;
    assert_eq!(revocations(&told).await, 1.0, "the one, and not the other");
    let [after] = revoked(&told)[..] else { panic!("{:?}", told.recorder) };
    assert!(after <= passed, "{after:?} of {passed:?}");
    // Figures are kept in whole microseconds.
    let sum = scraped(&told, "rtauth_revocation_propagation_seconds_sum{path=\"local\"}").await;
    assert_eq!((sum * 1e6).round() as u128, after.as_micros());
    for path in ["stream", "pubsub", "poll", "other"] {
        let series = format!("rtauth_revocation_propagation_seconds_count{{path=\"{path}\"}}");
        assert_eq!(scraped(&told, &series).await, 0.0, "{path}");
    }
}

/// The control: sessions end in every other way, and nobody is revoked.
#[tokio::test]
async fn where_nobody_is_revoked_no_revocation_is_scraped() {
    let told = counted().await;
    let (mut left, _) = genesys(&told).await;
    left.send(opcode::CLOSE, true, &1_000_u16.to_be_bytes()).await.unwrap();
    left.close_code(SOON).await;
    let (dropped, session_id) = genesys(&told).await;
    assert!(told.gateway.sessions().disconnect(&session_id));
    drop(genesys(&told).await);
    told.recorder.wait_for(3, ENDED).await;
    assert_eq!((revocations(&told).await, revoked(&told)), (0.0, vec![]));
    assert_eq!(scraped(&told, "rtauth_ws_closed_total{end=\"server\",code=\"1000\"}").await, 1.0);
    drop(dropped);
}

#[tokio::test]
async fn a_revocation_over_http_is_scraped_once_for_each_connection_that_it_is_about() {
    let told = counted().await;
    let key = ApiKey::parse(KEY).unwrap();
    let basic = format!("Authorization: Basic {}", key.basic_credentials().expose());
    let headers = [&basic, "Content-Type: application/json", "X-Ably-Version: 6"];
    let mut sockets = Vec::new();
    for client in ["alice", "alice", "bob"] {
        let body = json!({ "clientId": client }).to_string();
        let (_, reply) = told.ask("POST /keys/appid1.keyid1/requestToken", &headers, &body).await;
        let query = format!("/?v=6&format=json&access_token={}", member(&reply, "token"));
        let mut socket = RawSocket::open(&told.ws(&query)).await.unwrap();
        assert!(String::from_utf8(socket.frame().await.unwrap().1).unwrap().contains(r#""action":4"#));
        sockets.push(socket);
    }
    for (target, expected) in [("clientId:nobody", 0.0), ("clientId:alice", 2.0)] {
        let body = json!({ "targets": [target] }).to_string();
        assert_eq!(told.ask("POST /keys/appid1.keyid1/revokeTokens", &headers, &body).await.0, 201);
        if expected > 0.0 {
            for socket in &mut sockets[..2] {
                socket.close_code(SOON).await;
            }
            told.recorder.wait_for(2, ENDED).await;
        }
        assert_eq!(revocations(&told).await, expected, "{target}");
    }
    assert_eq!((revoked(&told).len(), told.gateway.sessions().live().len()), (2, 1), "bob goes on");
}

#[tokio::test]
async fn a_token_that_is_used_up_is_scraped_with_how_long_that_took() {
    let told = counted().await;
    let consumed = "rtauth_store_duration_seconds_count{op=\"consume\"}";
    let form = "grant_type=client_credentials&client_id=cid&client_secret=canary-of-optave";
    let token = member(&told.ask("POST /auth/oauth2/token", &[FORM], form).await.1, "access_token");
    assert_eq!(scraped(&told, consumed).await, 0.0, "the control");
    let offered = format!("Sec-WebSocket-Protocol: optave-v1, {token}\r\n");
    let opened = RawSocket::open_with(&told.ws("/"), &offered).await;
    assert!(opened.is_ok());
    assert!(RawSocket::open_with(&told.ws("/"), &offered).await.is_err(), "it serves once");
    assert_eq!(scraped(&told, consumed).await, 1.0);
    assert_eq!(scraped(&told, "rtauth_replay_rejected_total{kind=\"token\"}").await, 1.0);
}

#[tokio::test]
async fn who_is_let_in_or_refused_is_scraped_with_how_long_that_took() {
    let told = counted().await;
    let _let_in = genesys(&told).await;
    for _ in 0..2 {
        let mut refused = RawSocket::open(&told.ws("/ws")).await.unwrap();
        refused.text(r#"{"type":"auth","token":"no.such.token"}"#).await.unwrap();
        assert_eq!(refused.close_code(SOON).await, Some(4401));
    }
    for (outcome, expected) in [("success", 1.0), ("failure", 2.0)] {
        let labels = format!("{{end=\"server\",outcome=\"{outcome}\"}}");
        for metric in ["rtauth_ws_handshakes_total", "rtauth_ws_handshake_duration_seconds_count"] {
            assert_eq!(scraped(&told, &format!("{metric}{labels}")).await, expected, "{metric} {outcome}");
        }
    }
}

#[tokio::test]
async fn what_a_client_asks_of_its_token_file_is_counted() {
    let told = counted().await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}/oauth/token", told.gateway.http_url());
    let manager = |trail: &Trail| {
        let endpoint = TokenEndpoint::new(&url, "id", Secret::from(CLIENT_SECRET)).unwrap();
        let first = Secret::from("canary-r1");
        let grant = RefreshToken::new(endpoint, Arc::new(HyperClient::plaintext()), first);
        let store = FileStore::open(folder.path().join("tokens.json")).unwrap();
        let builder = TokenManager::builder(grant).with_store(Arc::new(store));
        builder.with_observer(Arc::new(trail.clone())).spawn()
    };
    let counts = |trail: &Trail| {
        let text = trail.metrics().prometheus();
        ["load", "lock", "save_intent", "save_token", "clear_intent", "consume", "other"]
            .map(|op| number(&text, &format!("rtauth_store_duration_seconds_count{{op=\"{op}\"}}")))
    };
    // The first redeems its refresh token; the second finds what came of that.
    for expected in [[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]] {
        let trail = Trail::builder().open().unwrap();
        let manager = manager(&trail);
        manager.token(Demand::Current).await.unwrap();
        manager.shut_down().await;
        assert_eq!(counts(&trail), expected);
    }
    assert_eq!(told.gateway.refreshes().redeemed(), 1);
}
