//! Every provider and its clients against the gateway, with faults: what observers, logs, errors and `Debug` show of their secrets.
//!
//! Not what the WebSocket codec itself logs at TRACE, under targets that begin with `tungstenite`: that is every upgrade and every frame as
//! it stands on the wire, which whoever turns it on asks for.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use auth_core::ably::{
    ApiKey, AuthOptions, ClientId, RevocationRequest, RevocationTarget, TokenParams, TokenReply,
};
use auth_core::{AuthEvent, Demand, Observer as _, Secret, Token, TokenSource as _};
use auth_http::ably::{Auth, Surroundings, callback};
use auth_http::client::HyperClient;
use auth_http::endpoint::optave::TokenServer;
use auth_http::endpoint::spatium::{Account, AuthorizationServer};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gateway::{Client, Config, Gateway, RateLimit, Running, ServedKey};
use providers::{ably, genesys, optave, spatium};
use realtime_auth_tests::counterparts::{Fault, with_fault};
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::relay::Relay;
use realtime_auth_tests::script::{Answer, Script};
use tokio::time::timeout;

use super::shown::Shown;

/// One that form-encoding and base64 change.
const CLIENT_SECRET: &str = "canary s&c r=t/93+0123456789";
const REFRESH_TOKEN: &str = "canaryRefreshToken.5e1f0123456789abcdef";
const PASSWORD: &str = "canary-password-77aa41";
const API_KEY: &str = "appId.keyId:canaryKeySecret-8e2f4a6c0d";

/// A story that is watched from its beginning: all on this thread, or it would not be heard.
struct Watched {
    listening: Listening,
    recorder: Recorder,
    shown: Shown,
    secrets: BTreeSet<String>,
}

impl Watched {
    fn begin(secrets: &[&str]) -> Self {
        let listening = Listening::begin().but_for("tungstenite");
        tracing::trace!("a story begins");
        let (recorder, shown) = (Recorder::default(), Shown::default());
        let secrets = secrets.iter().flat_map(|secret| forms_of(secret)).collect();
        Self { listening, recorder, shown, secrets }
    }

    fn observer(&self) -> Arc<dyn auth_core::Observer> {
        Arc::new(self.recorder.clone())
    }

    fn token(&mut self, token: &Token) {
        self.secrets.extend(forms_of(token.secret().expose()));
        self.shown.debug(token);
    }

    async fn wait_for(&self, count: usize, name: &str) {
        self.recorder.wait_for(count, |event| event.name() == name).await;
    }

    /// Nothing that was shown is a secret; each of these events was among it. What was logged.
    fn end(mut self, expected: &[&str]) -> String {
        let events = self.recorder.events();
        for expected in expected {
            assert!(events.iter().any(|event| event.name() == *expected), "{expected}: {events:?}");
        }
        for event in events {
            self.shown.debug(&event);
            self.shown.0.push_str(&serde_json::to_string(&event).unwrap());
            self.shown.0.push('\n');
        }
        let heard = self.listening.end();
        assert!(heard.contains("a story begins"), "it is heard at this level");
        self.shown.0.push_str(&heard);
        self.shown.holds_none_of(&self.secrets);
        heard
    }
}

/// A secret as it may turn up: as it is, encoded, wherever it stands in something that is encoded, and in halves.
fn forms_of(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    let (first, second) = secret.split_at(secret.len() / 2);
    for part in [secret, first, second].into_iter().filter(|part| *part == secret || part.len() >= 12) {
        forms.insert(part.to_owned());
        forms.insert(form_urlencoded::byte_serialize(part.as_bytes()).collect());
        forms.insert(part.bytes().map(|byte| format!("%{byte:02X}")).collect());
        forms.insert(part.bytes().map(|byte| format!("{byte:02x}")).collect());
        forms.insert(part.bytes().map(|byte| format!("{byte:02X}")).collect());
        // As `Debug` shows bytes.
        forms.insert(part.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "));
        forms.insert(part.bytes().map(|byte| format!("    {byte},\n")).collect());
        for behind in 0..3 {
            // The last characters depend on what follows.
            let whole = &part.as_bytes()[behind..];
            let whole = &whole[..whole.len() / 3 * 3];
            forms.extend([STANDARD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]);
        }
    }
    forms
}

async fn serve(config: Config) -> Running {
    let config = config.with_rate_limit(RateLimit::new(Duration::from_millis(1), 1_000));
    Gateway::bind(config).await.unwrap().spawn()
}

fn loopback() -> Config {
    Config::new("127.0.0.1:0".parse().unwrap())
}

/// What a server says that sends everything back, one answer after the other.
fn hostile(secret: &str) -> Vec<Answer> {
    let body = format!(r#"{{"error":"invalid_grant","error_description":"{secret}"}}"#);
    [401, 429, 503, 200]
        .map(|status| Answer::http(status, &format!("Retry-After: {secret}\r\nX: {secret}\r\n"), &body))
        .into()
}

#[tokio::test]
async fn genesys_shows_no_secret() {
    for fault in [Fault::None, Fault::RefusesRenewal, Fault::ReissuesTheSameToken] {
        let mut watched = Watched::begin(&[CLIENT_SECRET, REFRESH_TOKEN]);
        let known = Client::new("id", Secret::from(CLIENT_SECRET), "a b".parse().unwrap())
            .with_refresh_token(Secret::from(REFRESH_TOKEN));
        let config = with_fault(loopback(), fault).with_client(known);
        let gateway = serve(config.with_token_lifetime(Duration::from_secs(2))).await;
        let builder = |secret: &str| {
            let builder = genesys::Client::builder(gateway.http_url(), "id", secret);
            builder.with_observer(watched.observer()).with_refresh_token(REFRESH_TOKEN)
        };
        let client = builder(CLIENT_SECRET).with_required_scopes("a".parse().unwrap()).build().unwrap();
        let wrong = genesys::Client::builder(gateway.http_url(), "id", "canary-wrong-secret-00")
            .with_observer(watched.observer())
            .build()
            .unwrap();
        let strict = builder(CLIENT_SECRET).with_required_scopes("c".parse().unwrap()).build().unwrap();
        watched.secrets.extend(forms_of("canary-wrong-secret-00"));
        watched.token(&client.valid_token().await.unwrap());
        let mut session = client.connect().await.unwrap();
        let mut events = session.events();
        watched.shown.debug(&client);
        session.send("hello").await.unwrap();
        assert_eq!(session.next().await.unwrap().as_text(), Some("hello"));
        session.renew();
        match fault {
            Fault::None => watched.wait_for(1, "token_renewed").await,
            Fault::RefusesRenewal => watched.wait_for(1, "renewal_failed").await,
            // There is nothing to present.
            _ => watched.wait_for(2, "token_issued").await,
        }
        if let Ok(token) = client.valid_token().await {
            watched.token(&token);
        }
        watched.shown.outcome(&wrong.valid_token().await);
        let refused = strict.connect().await.unwrap_err();
        watched.shown.debug(&refused);
        watched.shown.0.push_str(&refused.to_string());
        session.close().await.unwrap();
        while let Some(event) = events.next().await {
            watched.shown.debug(&event);
        }
        let heard = watched.end(&[
            "token_issued",
            "authenticated",
            "scopes_checked",
            "session_closed",
            "token_request_failed",
        ]);
        for span in ["connection=1", "step=\"connecting\"", "step=\"connected\"", "redeems=true"] {
            assert!(heard.contains(span), "{span}: {heard}");
        }
    }
}

#[tokio::test]
async fn optave_shows_no_secret() {
    let mut watched = Watched::begin(&[CLIENT_SECRET]);
    let server = TokenServer::hs256([9; 32]).with_client("cid", Secret::from(CLIENT_SECRET));
    let gateway = serve(loopback().with_optave(server)).await;
    let client = |secret: &str| {
        optave::Client::builder()
            .with_websocket_url(gateway.http_url().replace("http", "ws") + "/")
            .with_authentication_url(format!("{}/auth/oauth2", gateway.http_url()))
            .with_client_id("cid")
            .with_client_secret(secret)
            .with_observer(watched.observer())
            .build()
            .unwrap()
    };
    let (right, wrong) = (client(CLIENT_SECRET), client("canary-wrong-secret-00"));
    watched.secrets.extend(forms_of("canary-wrong-secret-00"));
    let token = right.authenticate().await.unwrap();
    watched.token(&token);
    let mut session = right.open_connection(token.clone()).await.unwrap();
    session.send("hello").await.unwrap();
    assert!(session.next().await.is_some());
    // It serves once.
    let again = right.open_connection(token).await.unwrap_err();
    watched.shown.debug(&again);
    watched.shown.0.push_str(&again.to_string());
    let other = right.connect().await.unwrap();
    watched.shown.outcome(&wrong.authenticate().await);
    watched.shown.debug(&right);
    session.close().await.unwrap();
    other.close().await.unwrap();
    watched.end(&["token_issued", "authenticated", "session_closed", "token_request_failed"]);
}

#[tokio::test]
async fn ably_shows_no_secret() {
    let mut watched = Watched::begin(&["canaryKeySecret-8e2f4a6c0d"]);
    let served = ServedKey::new(ApiKey::parse(API_KEY).unwrap()).with_revocable_tokens();
    let gateway = serve(loopback().with_ably_key(served)).await;
    let key = |key: &str| AuthOptions::new().with_key(ApiKey::parse(key).unwrap());
    let surroundings = || Surroundings::over(Arc::new(HyperClient::plaintext()));
    let signer = |text: &str| {
        let builder = Auth::builder(key(text), surroundings()).with_endpoint(gateway.http_url());
        builder.with_observer(watched.observer()).dangerous().with_plaintext_keys().build().unwrap()
    };
    let owner = signer(API_KEY);
    let alice = || ClientId::new("alice").unwrap();
    // The key goes over no network without TLS: a client asks whoever has it to sign.
    let realtime = |signer: Auth| {
        let ask = callback(move |params| {
            let signer = signer.clone();
            async move { Ok(TokenReply::Request(signer.create_token_request(Some(params), None).await?)) }
        });
        ably::Realtime::builder(AuthOptions::new().with_auth_callback(ask))
            .with_endpoint(gateway.http_url())
            .with_surroundings(surroundings())
            .with_default_params(TokenParams::new().with_client_id(alice()).with_ttl(Duration::from_secs(3)))
            .with_observer(watched.observer())
            .build()
            .unwrap()
    };
    let client = realtime(owner.clone());
    let wrong = realtime(signer("appId.keyId:canary-wrong-secret-00"));
    watched.secrets.extend(forms_of("canary-wrong-secret-00"));
    let session = client.connect().await.unwrap();
    watched.token(&client.auth().token(Demand::Current).await.unwrap());
    let details = client.authorize(None, None).await.unwrap();
    watched.secrets.extend(forms_of(details.token().expose()));
    watched.shown.debug(&details);
    let signed = owner.create_token_request(None, None).await.unwrap();
    watched.secrets.extend(forms_of(signed.mac().expose()));
    watched.shown.debug(&signed);
    let targets =
        vec![RevocationTarget::client_id(&alice()), RevocationTarget::token(details.token().clone())];
    watched.shown.outcome(&owner.revoke_tokens(&RevocationRequest::new(targets)).await);
    watched.wait_for(1, "token_rejected").await;
    if let Ok(Ok(token)) = timeout(Duration::from_secs(5), client.auth().token(Demand::Current)).await {
        watched.token(&token);
    }
    let attempt = wrong.open().unwrap();
    watched.wait_for(1, "connection_delayed").await;
    watched.shown.debug(&attempt.error());
    watched.shown.debug(&client);
    client.close().await.unwrap();
    drop(session);
    let told =
        ["token_issued", "authenticated", "token_request_signed", "token_revoked", "token_request_failed"];
    watched.end(&told);
}

#[tokio::test]
async fn spatium_shows_no_secret() {
    let mut watched = Watched::begin(&[PASSWORD]);
    let account = Account::new("username", Secret::from(PASSWORD), ["read"]);
    let gateway =
        serve(loopback().with_spatium(AuthorizationServer::hs256([7; 32]).with_account(account))).await;
    let relay = Relay::to(gateway.http_url()).await.unwrap();
    let url = format!("{}/authorization/v1", relay.url());
    let builder = spatium::Session::builder(&url, "device", &["read"]).unwrap();
    let session = builder.with_observer(watched.observer()).build().unwrap();
    let wrong =
        session.security_factor_credentials("username", &Secret::from("canary-wrong-secret-00")).await;
    watched.secrets.extend(forms_of("canary-wrong-secret-00"));
    watched.shown.outcome(&wrong);
    let factor = session.security_factor_credentials("username", &Secret::from(PASSWORD)).await.unwrap();
    watched.secrets.extend(forms_of(factor.expose()));
    let forged = Secret::from("canary-forged-factor-1234");
    watched.secrets.extend(forms_of(forged.expose()));
    watched.shown.outcome(&session.establish(&[forged]).await);
    session.establish(&[factor]).await.unwrap();
    watched.token(&session.permission_token().await.unwrap());
    session.refresh().await.unwrap();
    watched.token(&session.permission_token().await.unwrap());
    watched.shown.debug(&session);
    watched.shown.debug(&session.authorization());
    // What went over the wire was secret, and must have been.
    let refreshes = relay.requests_to("/authorization/v1/api/permission/refresh");
    assert!(!refreshes.is_empty());
    for request in refreshes {
        let body = request.rsplit("\r\n\r\n").next().unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        watched.secrets.extend(forms_of(body["permissionRefreshToken"].as_str().unwrap()));
    }
    watched.end(&["token_request_failed", "token_issued", "refresh_token_saved", "token_requested"]);
}

/// Token endpoints that say back what they were sent, in every place.
#[tokio::test]
async fn no_provider_repeats_what_a_hostile_server_says_back() {
    for answer in hostile(CLIENT_SECRET) {
        let mut watched = Watched::begin(&[CLIENT_SECRET, REFRESH_TOKEN]);
        let server = Script::serve(vec![answer]).await.unwrap();
        let patience = Duration::from_millis(500);
        let genesys = genesys::Client::builder(server.url(), "id", CLIENT_SECRET)
            .with_refresh_token(REFRESH_TOKEN)
            .with_observer(watched.observer())
            .build()
            .unwrap();
        if let Ok(outcome) = timeout(patience, genesys.valid_token()).await {
            watched.shown.outcome(&outcome);
        }
        let optave = optave::Client::builder()
            .with_websocket_url(server.url().replace("http", "ws"))
            .with_authentication_url(server.url())
            .with_client_id("cid")
            .with_client_secret(CLIENT_SECRET)
            .with_observer(watched.observer())
            .build()
            .unwrap();
        if let Ok(outcome) = timeout(patience, optave.authenticate()).await {
            watched.shown.outcome(&outcome);
        }
        let key = ApiKey::parse(&format!("appId.keyId:{}", "canaryKeySecret-8e2f4a6c0d")).unwrap();
        watched.secrets.extend(forms_of("canaryKeySecret-8e2f4a6c0d"));
        let surroundings = Surroundings::over(Arc::new(HyperClient::plaintext()));
        let ably = Auth::builder(AuthOptions::new().with_key(key), surroundings)
            .with_endpoint(server.url())
            .with_observer(watched.observer())
            .dangerous()
            .with_plaintext_keys()
            .build()
            .unwrap();
        watched.shown.outcome(&ably.authorize(None, None).await);
        let spatium =
            spatium::Session::builder(&format!("{}/v1", server.url()), "device", &["read"]).unwrap();
        let spatium = spatium.with_observer(watched.observer()).build().unwrap();
        let factor = Secret::from(REFRESH_TOKEN);
        watched.shown.outcome(&spatium.establish(&[factor]).await);
        watched.end(&["token_requested"]);
    }
}

#[test]
fn the_control_finds_each_form_in_an_event() {
    let planted = |text: &str| {
        let watched = Watched::begin(&[CLIENT_SECRET]);
        let reason = auth_core::observe::Label::new(text);
        watched.recorder.observe(&AuthEvent::SessionFailed { connection: None, reason, code: None });
        std::panic::catch_unwind(AssertUnwindSafe(|| watched.end(&["session_failed"]))).is_err()
    };
    assert!(!planted("nothing"));
    for form in [
        CLIENT_SECRET.to_owned(),
        CLIENT_SECRET[..14].to_owned(),
        format!("behind {}", &CLIENT_SECRET[14..]),
        STANDARD.encode(format!("id:{CLIENT_SECRET}")),
        URL_SAFE_NO_PAD.encode(CLIENT_SECRET),
        form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect(),
        CLIENT_SECRET.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        assert!(planted(&form), "{form}");
    }
}
