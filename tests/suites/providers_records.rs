//! No record, no token: what a client's sessions do when the audit log is to have each token before it is used, and can't.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit::format::Origin;
use audit::{LogOptions, Mode, Modes};
use auth_core::ably::{ApiKey, AuthOptions, TokenReply};
use auth_core::fingerprint::Fingerprint;
use auth_core::observe::AuthEvent;
use auth_core::{Error, ErrorKind, Retry, Secret, Token, TokenSource as _};
use auth_http::ably::{Auth, Surroundings, callback};
use auth_http::client::HyperClient;
use auth_http::endpoint::optave::TokenServer;
use gateway::{Client, Config, Gateway, RateLimit, Running, ServedKey};
use providers::{ably, genesys, optave, spatium};
use realtime_auth_tests::recorder::Recorder;
use serde_json::Value;
use tempfile::TempDir;

use super::spatium::streaming;

const API_KEY: &str = "appId.keyId:canary-of-the-key";

/// A client's audit log, and somebody else who is told.
struct Trial {
    gateway: Running,
    folder: TempDir,
    recorder: Recorder,
    mode: Mode,
}

impl Trial {
    async fn of(mode: Mode) -> Self {
        let config = Config::new("127.0.0.1:0".parse().unwrap())
            .with_client(Client::new("id", Secret::from("secret"), "a".parse().unwrap()))
            .with_optave(TokenServer::hs256([9; 32]).with_client("cid", Secret::from("secret")))
            .with_ably_key(ServedKey::new(ApiKey::parse(API_KEY).unwrap()))
            .with_rate_limit(RateLimit::new(Duration::from_millis(1), 1_000));
        Self::at(Gateway::bind(config).await.unwrap().spawn(), mode)
    }

    fn at(gateway: Running, mode: Mode) -> Self {
        Self { gateway, folder: tempfile::tempdir().unwrap(), recorder: Recorder::default(), mode }
    }

    fn log(&self) -> LogOptions {
        LogOptions::new(self.folder.path()).modes(Modes { issuing: self.mode, ..Modes::client() })
    }

    fn observer(&self) -> Arc<Recorder> {
        Arc::new(self.recorder.clone())
    }

    fn ws(&self, path: &str) -> String {
        self.gateway.http_url().replace("http", "ws") + path
    }

    /// Has the server drop the connection, and waits for the next.
    async fn reconnected(&self) {
        let is_authenticated = |event: &AuthEvent| matches!(event, AuthEvent::Authenticated { .. });
        let so_far = self.recorder.count(is_authenticated);
        let live = self.gateway.sessions().live().remove(0);
        assert!(self.gateway.sessions().disconnect(&live.session_id));
        self.recorder.wait_for(so_far + 1, is_authenticated).await;
    }

    /// The session waits for a token that is not let out: nothing of it has reached the server.
    async fn waits(&self) {
        let is_delayed = |event: &AuthEvent| matches!(event, AuthEvent::ConnectionDelayed { retry_in, .. } if *retry_in > Duration::ZERO);
        self.recorder.wait_for(2, is_delayed).await;
        assert_eq!(self.gateway.sessions().upgrades(), 0);
        assert_eq!(self.recorder.count(|event| matches!(event, AuthEvent::TokenReleased { .. })), 0);
    }

    /// So many tokens were presented, and each was let out once, before that; the log and everybody else was told alike. Where
    /// nothing waits for the log, none was.
    fn presented(&self, expected: usize) {
        let (mut released, mut presented) = (Vec::new(), BTreeSet::<Fingerprint>::new());
        for event in self.recorder.events() {
            match event {
                AuthEvent::TokenReleased { token, .. } => released.push(token),
                AuthEvent::Authenticated { token, .. } => {
                    let token = token.unwrap();
                    presented.insert(token);
                    let times = released.iter().filter(|released| **released == token).count();
                    assert_eq!(times, usize::from(self.mode != Mode::BestEffort));
                }
                _ => {}
            }
        }
        assert_eq!(presented.len(), expected);
        let log = std::fs::read_to_string(self.folder.path().join("00000000000000000001.jsonl")).unwrap();
        let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let recorded: Vec<_> = records
            .filter(|record| record["event"] == "token_released")
            .map(|record| record["token"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(recorded, released.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(released.iter().collect::<BTreeSet<_>>().len(), released.len(), "none twice");
    }
}

fn is_refused_for_want_of_a_record(outcome: Result<Token, Error>) {
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreFailed, Retry::Backoff), "{error}");
}

const MODES: [Mode; 3] = [Mode::BestEffort, Mode::Durable, Mode::Strict];

async fn genesys(trial: &Trial) -> genesys::Client {
    let builder = genesys::Client::builder(trial.gateway.http_url(), "id", "secret");
    builder.with_observer(trial.observer()).with_audit_log(trial.log()).build().unwrap()
}

#[tokio::test]
async fn genesys_presents_a_token_that_is_on_record_and_none_that_can_not_be() {
    for mode in MODES {
        let trial = Trial::of(mode).await;
        let client = genesys(&trial).await;
        let session = client.connect().await.unwrap();
        trial.reconnected().await;
        session.close().await.unwrap();
        client.close_audit().unwrap();
        trial.presented(2);

        let trial = Trial::of(mode).await;
        let client = genesys(&trial).await;
        client.close_audit().unwrap();
        if mode == Mode::Strict {
            let _session = client.open();
            trial.waits().await;
            is_refused_for_want_of_a_record(client.valid_token().await);
        } else {
            client.connect().await.unwrap();
        }
    }
}

async fn optave(trial: &Trial) -> optave::Client {
    optave::Client::builder()
        .with_websocket_url(trial.ws("/"))
        .with_authentication_url(format!("{}/auth/oauth2", trial.gateway.http_url()))
        .with_client_id("cid")
        .with_client_secret("secret")
        .with_observer(trial.observer())
        .with_audit_log(trial.log())
        .build()
        .unwrap()
}

#[tokio::test]
async fn optave_presents_a_token_that_is_on_record_and_none_that_can_not_be() {
    for mode in MODES {
        let trial = Trial::of(mode).await;
        let client = optave(&trial).await;
        let session = client.connect().await.unwrap();
        trial.reconnected().await;
        session.close().await.unwrap();
        let token = client.authenticate().await.unwrap();
        client.open_connection(token).await.unwrap().close().await.unwrap();
        client.close_audit().unwrap();
        trial.presented(3);

        let trial = Trial::of(mode).await;
        let client = optave(&trial).await;
        client.close_audit().unwrap();
        let elsewhere = Token::new(Secret::from("had.from.elsewhere"));
        let error = client.open_connection(elsewhere).await.unwrap_err();
        if mode == Mode::Strict {
            assert_eq!(error.token_error().map(Error::kind), Some(ErrorKind::StoreFailed), "{error}");
            let _session = client.open();
            trial.waits().await;
            is_refused_for_want_of_a_record(client.authenticate().await);
        } else {
            assert_eq!(error.kind(), ws_session::ErrorKind::AuthenticationRefused, "the server was asked");
            client.connect().await.unwrap();
        }
    }
}

async fn ably(trial: &Trial) -> ably::Realtime {
    let surroundings = || Surroundings::over(Arc::new(HyperClient::plaintext()));
    let key = AuthOptions::new().with_key(ApiKey::parse(API_KEY).unwrap());
    // A key goes over no network without TLS.
    let signer = Auth::builder(key, surroundings()).with_endpoint(trial.gateway.http_url());
    let signer = signer.dangerous().with_plaintext_keys().build().unwrap();
    let ask = callback(move |params| {
        let signer = signer.clone();
        async move { Ok(TokenReply::Request(signer.create_token_request(Some(params), None).await?)) }
    });
    ably::Realtime::builder(AuthOptions::new().with_auth_callback(ask))
        .with_endpoint(trial.gateway.http_url())
        .with_surroundings(surroundings())
        .with_observer(trial.observer())
        .with_audit_log(trial.log())
        .build()
        .unwrap()
}

#[tokio::test]
async fn ablys_connection_presents_a_token_that_is_on_record_and_none_that_can_not_be() {
    for mode in MODES {
        let trial = Trial::of(mode).await;
        let client = ably(&trial).await;
        let _session = client.connect().await.unwrap();
        trial.reconnected().await;
        client.authorize(None, None).await.unwrap();
        client.close().await.unwrap();
        client.close_audit().unwrap();
        trial.presented(1);

        let trial = Trial::of(mode).await;
        let client = ably(&trial).await;
        client.close_audit().unwrap();
        if mode == Mode::Strict {
            let _session = client.open().unwrap();
            trial.waits().await;
            // The library's own calls answer to the program, whose affair that token is then.
            client.auth().token(auth_core::Demand::Current).await.unwrap();
        } else {
            client.connect().await.unwrap();
        }
    }
}

async fn spatium(trial: &Trial) -> spatium::Session {
    let url = format!("{}/authorization/v1", trial.gateway.http_url());
    let builder = spatium::Session::builder(&url, "device", &["read", "secret"]).unwrap();
    let session = builder.with_observer(trial.observer()).with_audit_log(trial.log()).build().unwrap();
    let factor = session.security_factor_credentials("username", &Secret::from("password")).await.unwrap();
    session.establish(&[factor]).await.unwrap();
    session
}

#[tokio::test]
async fn spatium_presents_a_token_that_is_on_record_and_none_that_can_not_be() {
    for mode in MODES {
        let trial = Trial::at(streaming(Duration::from_secs(900)).await, mode);
        let session = spatium(&trial).await;
        session.permission_token().await.unwrap();
        let mut socket = session.open(&trial.ws("/stream")).unwrap();
        socket.authenticated().await.unwrap();
        trial.reconnected().await;
        socket.close().await.unwrap();
        session.close_audit().unwrap();
        trial.presented(2);

        let trial = Trial::at(streaming(Duration::from_secs(900)).await, mode);
        let session = spatium(&trial).await;
        session.close_audit().unwrap();
        let mut socket = session.open(&trial.ws("/stream")).unwrap();
        let url = format!("{}/authorization/v1/api/ping", trial.gateway.http_url());
        let request = http::Request::get(url).body(bytes::Bytes::new()).unwrap();
        if mode == Mode::Strict {
            trial.waits().await;
            is_refused_for_want_of_a_record(session.permission_token().await);
            let error = session.request(request).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreFailed);
        } else {
            socket.authenticated().await.unwrap();
            session.request(request).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_provider_says_to_a_siem_who_speaks() {
    for host in ["host-1", "host-2"] {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::<Value>::new()));
        let hook = || {
            let told = Arc::clone(&told);
            move |event: &str| told.lock().unwrap().push(serde_json::from_str(event).unwrap())
        };
        let origin = || Origin::new(host, "orders");
        let path = |system: &str| folder.path().join(system);
        // A log tells of itself as soon as it is opened.
        let client =
            genesys::Client::builder("http://127.0.0.1:1", "id", "secret").with_audit_origin(origin());
        client.with_audit(path("genesys")).on_siem(hook()).build().unwrap().close_audit().unwrap();
        let client =
            optave::Client::builder().with_websocket_url("ws://127.0.0.1:1/").with_audit_origin(origin());
        let client = client.with_authentication_url("http://127.0.0.1:1").with_client_id("id");
        let client = client.with_client_secret("secret").with_audit(path("optave")).on_siem(hook());
        client.build().unwrap().close_audit().unwrap();
        let key = AuthOptions::new().with_key(ApiKey::parse(API_KEY).unwrap()).with_use_token_auth(true);
        let surroundings = Surroundings::over(Arc::new(HyperClient::plaintext()));
        let client = ably::Realtime::builder(key).with_surroundings(surroundings).with_audit_origin(origin());
        let client = client.with_endpoint("http://127.0.0.1:1").with_audit(path("ably")).on_siem(hook());
        client.build().unwrap().close_audit().unwrap();
        let session = spatium::Session::builder("http://127.0.0.1:1", "device", &["read"]).unwrap();
        let session = session.with_audit_origin(origin()).with_audit(path("spatium")).on_siem(hook());
        session.build().unwrap().close_audit().unwrap();

        let told = told.lock().unwrap();
        for name in ["segment_opened", "trail_opened", "trail_closed"] {
            let of_this = told.iter().filter(|event| event["event_type"] == name);
            assert_eq!(of_this.count(), 4, "one of each provider: {name}: {told:?}");
        }
        assert_eq!(told.len(), 12, "{told:?}");
        for event in told.iter() {
            assert_eq!((&event["metadata"]["host"], &event["source"]), (&host.into(), &"orders".into()));
        }
    }
}
