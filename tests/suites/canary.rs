//! Secrets in every input, and a server that sends them back in every member: none shows in what the crates print, log, report
//! or panic with.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::jwt::{Asymmetric, SigningKey};
use auth_core::oauth::{CodeVerifier, ErrorResponse, TokenResponse};
use auth_core::renewal::Attempt;
use auth_core::source::FixedToken;
use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{Demand, Error, ErrorKind, Secret, Token, TokenSource as _};
use auth_http::client::{HyperClient, Proxy};
use auth_http::exchange::HttpExchange;
use auth_http::fetched::{JwksCache, MetadataCache};
use auth_http::freshness::{Freshness, SystemFreshness};
use auth_http::grant::{
    AuthorizationCode, Callback, ClientCredentials, DeviceCode, Grant, JwtBearer, RefreshToken, Revocation,
    TokenExchange,
};
use auth_http::manager::{TokenManager, TokioTimer};
use auth_http::store::FileStore;
use auth_http::wire::{
    self, AuthorizationEndpoint, ClientAuthentication, DeviceEndpoint, Dpop, Introspection,
    IntrospectionEndpoint, Issuer, RevocationEndpoint, TokenEndpoint, TokenForm, TokenHint, Wanted,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};

/// Part of every secret that is text; long enough for a key of HS256.
const CANARY: &str = "canary4f1e-0123456789-0123456789-0123456789";

/// The private part of the keys.
const PRIVATE: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

fn secret() -> Secret {
    Secret::from(CANARY)
}

fn key() -> Arc<SigningKey> {
    let jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"{PRIVATE}"}}"#
    );
    Arc::new(SigningKey::from_jwk(&Secret::from(jwk)).unwrap())
}

fn freshness() -> Arc<dyn Freshness> {
    Arc::new(SystemFreshness)
}

/// Everything that was printed, reported and logged.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, what: &dyn Debug) {
        writeln!(self.0, "{what:?}\n{what:#?}").unwrap();
    }

    /// An error with its whole chain, in both forms.
    fn error(&mut self, error: &Error) {
        writeln!(self.0, "{error}").unwrap();
        self.debug(error);
        let mut source = error.source();
        while let Some(error) = source {
            writeln!(self.0, "{error}").unwrap();
            self.debug(&error);
            source = error.source();
        }
    }

    fn outcome<T: Debug>(&mut self, outcome: &Result<T, Error>) {
        match outcome {
            Ok(value) => self.debug(value),
            Err(error) => self.error(error),
        }
    }

    /// Fails if one of the secrets is in it, in a form that it is sent in.
    fn holds_none_of(&self, secrets: &BTreeSet<String>) {
        assert!(!secrets.is_empty() && secrets.iter().all(|secret| secret.len() >= 8));
        for line in self.0.lines() {
            for secret in secrets {
                assert!(!line.contains(secret), "{secret}: {line}");
            }
        }
    }
}

/// The secrets, and what was made of them for the requests that arrived: proofs, assertions, encodings.
fn forms(requests: &[String]) -> BTreeSet<String> {
    let pair = STANDARD.encode(format!("c:{CANARY}"));
    let mut forms = BTreeSet::from(["canary4f1e".to_owned(), PRIVATE.to_owned(), pair]);
    for request in requests {
        for line in request.lines() {
            let lower = line.to_ascii_lowercase();
            if lower.starts_with("dpop: ") || lower.starts_with("authorization: ") {
                forms.extend(line.rsplit(' ').next().map(str::to_owned));
            }
        }
        let body = request.rsplit("\r\n\r\n").next().unwrap_or_default();
        let secret = ["assertion=", "client_assertion=", "code_verifier=", "state="];
        let values = body.split('&').filter(|pair| secret.iter().any(|name| pair.starts_with(name)));
        forms.extend(values.filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned()));
    }
    forms
}

/// What a hostile server answers: the secret wherever one fits, and where none fits.
fn echoes() -> Vec<Answer> {
    let token = |member: &str| format!(r#"{{"access_token":"{CANARY}","token_type":"bearer"{member}}}"#);
    let ok = |body: &str| Answer::http(200, "", body);
    let headers = format!(
        "Retry-After: {CANARY}\r\nDate: {CANARY}\r\nDPoP-Nonce: {CANARY}\r\nWWW-Authenticate: DPoP error=\"{CANARY}\"\r\nLocation: https://{CANARY}.example/\r\nX: {CANARY}\r\n"
    );
    let error = format!(r#"{{"error":"{CANARY}","error_description":"{CANARY}","error_uri":"{CANARY}"}}"#);
    let mut answers = vec![
        ok(&token(&format!(r#","refresh_token":"{CANARY}","id_token":"{CANARY}","expires_in":60"#))),
        ok(&token(&format!(r#","expires_in":"{CANARY}","x":"{CANARY}","{CANARY}":1"#))),
        ok(&token(&format!(r#","issued_token_type":"{CANARY}""#))),
        ok(&format!(r#"{{"access_token":"{CANARY}","token_type":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"access_token":"{CANARY}","token_type":"DPoP"}}"#)),
        ok(&format!(r#"{{"access_token":["{CANARY}"]}}"#)),
        ok(&error),
        ok(&format!("{{\"access_token\":\"{CANARY}")),
        ok(CANARY),
        ok(&format!(r#"["{CANARY}"]"#)),
        ok(&format!(r#"{{"device_code":"{CANARY}","user_code":"B","verification_uri":"https://{CANARY}"}}"#)),
        ok(&format!(r#"{{"device_code":"{CANARY}","user_code":"{CANARY}","verification_uri":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"active":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"active":false,"scope":"{CANARY}","sub":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"issuer":"{CANARY}","token_endpoint":"{CANARY}","jwks_uri":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"keys":[{{"kty":"{CANARY}","kid":"{CANARY}"}}]}}"#)),
        ok(&format!(r#"{{"keys":[{{"kty":"oct","k":"{CANARY}","kid":"{CANARY}"}}]}}"#)),
        Answer::Bytes(format!("HTTP/1.1 400 {CANARY}\r\nContent-Length: 0\r\n\r\n").into_bytes()),
        Answer::Bytes(format!("{CANARY}\r\n\r\n").into_bytes()),
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n").into_bytes()),
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n").into_bytes()),
        Answer::Bytes(
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n").into_bytes(),
        ),
    ];
    for status in [307, 400, 401, 403, 429, 500, 503] {
        answers.push(Answer::http(status, &headers, &error));
        answers.push(Answer::http(status, &headers, CANARY));
    }
    for code in ["use_dpop_nonce", "invalid_grant", "authorization_pending"] {
        let body = format!(r#"{{"error":"{code}","error_description":"{CANARY}"}}"#);
        answers.push(Answer::http(400, &headers, &body));
    }
    answers
}

/// Every way in which a client can say who it is.
fn clients() -> Vec<ClientAuthentication> {
    vec![
        ClientAuthentication::none("c").unwrap(),
        ClientAuthentication::basic("c", &secret()).unwrap(),
        ClientAuthentication::basic_raw("c", &secret()).unwrap(),
        ClientAuthentication::post("c", &secret()).unwrap(),
        ClientAuthentication::query("c", &secret()).unwrap(),
        ClientAuthentication::private_key_jwt("c", key(), freshness()).unwrap(),
        ClientAuthentication::client_secret_jwt("c", &secret(), freshness()).unwrap(),
    ]
}

fn http() -> Arc<dyn HttpExchange> {
    Arc::new(HyperClient::plaintext())
}

/// Every grant with a secret of its own in it.
fn grants(endpoint: &TokenEndpoint) -> Vec<Box<dyn Shows>> {
    let endpoint = || endpoint.clone();
    let wanted = Wanted::new().with_parameter("key", CANARY).unwrap();
    let code =
        wire::AuthorizationCode::new(secret(), "https://app.example/", CodeVerifier::from_random([7; 32]));
    let token = || Arc::new(FixedToken::new(Token::new(secret())));
    vec![
        Box::new(ClientCredentials::new(endpoint(), http()).with_wanted(wanted.clone())),
        Box::new(RefreshToken::new(endpoint(), http(), secret()).with_wanted(wanted)),
        Box::new(AuthorizationCode::new(endpoint(), http(), code)),
        Box::new(JwtBearer::with_assertions(endpoint(), http(), |_| Ok(secret()))),
        Box::new(
            TokenExchange::new(endpoint(), http(), token(), TokenExchange::JWT)
                .with_actor(token(), TokenExchange::JWT),
        ),
    ]
}

trait Shows: Grant + Debug {}

impl<T: Grant + Debug> Shows for T {}

/// All on one thread: the tests, the servers, and the tasks of the client, or they would not be heard.
#[tokio::test]
async fn no_grant_shows_a_secret_whatever_the_server_sends_back() {
    let listening = Listening::begin();
    let mut shown = Shown::default();
    let answers = echoes();
    let turn = Arc::new(AtomicUsize::new(0));
    let turning = Arc::clone(&turn);
    let script = Script::answering(move |_| answers[turning.load(Ordering::Relaxed)].clone());
    let server = script.await.unwrap();
    let url = format!("{}/token?key={CANARY}", server.url());
    for index in 0..echoes().len() {
        turn.store(index, Ordering::Relaxed);
        for client in clients() {
            shown.debug(&client);
            let plain = TokenEndpoint::for_client(&url, client).unwrap();
            let bound = plain.clone().with_dpop(Dpop::new(key(), freshness()).unwrap());
            // Each client with one grant, and each grant with one client, in turns.
            for (place, endpoint) in [plain, bound].into_iter().enumerate() {
                shown.debug(&endpoint);
                shown.debug(&endpoint.dpop());
                let mut grants = grants(&endpoint);
                let grant = grants.swap_remove((index + place) % grants.len());
                shown.debug(&grant);
                shown.outcome(&grant.obtain(&Attempt::new(grant.configured())).await);
                shown.debug(&grant);
            }
        }
    }
    shown.0.push_str(&listening.end());
    let forms = forms(&server.requests());
    assert!(forms.len() > 20, "proofs and assertions are among them");
    shown.holds_none_of(&forms);
}

#[tokio::test]
async fn no_other_endpoint_shows_a_secret_whatever_the_server_sends_back() {
    let listening = Listening::begin();
    let mut shown = Shown::default();
    for answer in echoes() {
        let server = Script::serve(vec![answer]).await.unwrap();
        let url = server.url();
        let client = || ClientAuthentication::post("c", &secret()).unwrap();
        let http = HyperClient::plaintext();

        let device = DeviceEndpoint::new(url, client()).unwrap();
        shown.debug(&device);
        if let Ok(response) = http.exchange(device.request(&Wanted::new(), None).unwrap()).await
            && let Ok(login) = device.read(&response).inspect_err(|error| shown.error(error))
        {
            // What a person must read is no secret, whoever chose it; the device code is one.
            let login =
                format!("{login:?}").replace(&login.user_code, "").replace(&login.verification_uri, "");
            shown.debug(&login);
        }
        let revocation = RevocationEndpoint::new(url, client()).unwrap();
        shown.debug(&revocation);
        let revocation = Revocation::new(revocation, Arc::new(http.clone()));
        shown.debug(&revocation);
        shown.outcome(&revocation.revoke(&secret(), TokenHint::RefreshToken).await);

        let introspection = IntrospectionEndpoint::new(url, client()).unwrap();
        shown.debug(&introspection);
        let request = introspection.request(&secret(), Some(TokenHint::AccessToken), None).unwrap();
        if let Ok(response) = http.exchange(request).await {
            let outcome = introspection.read(&response);
            assert!(!matches!(outcome, Ok(Introspection::Active(_))));
            shown.outcome(&outcome);
        }
        let clock = || Arc::new(|| Now { wall: Timestamp::from_millis(0), mono: Moment::ORIGIN });
        let issuer = Issuer::new(url).unwrap();
        let metadata = MetadataCache::new(issuer, Arc::new(http.clone()), clock());
        shown.outcome(&metadata.metadata().await);
        let keys = JwksCache::new(url, Arc::new(http.clone()), Arc::new(Asymmetric), clock()).unwrap();
        shown.outcome(&keys.keys().await);
        shown.debug(&keys);
        shown.debug(&metadata);
    }
    shown.0.push_str(&listening.end());
    shown.holds_none_of(&forms(&[]));
}

#[tokio::test]
async fn a_token_manager_tells_its_observer_and_its_store_s_errors_no_secret() {
    let listening = Listening::begin();
    let mut shown = Shown::default();
    let folder = tempfile::tempdir().unwrap();
    for (number, answer) in echoes().into_iter().enumerate() {
        let server = Script::serve(vec![answer]).await.unwrap();
        let endpoint = TokenEndpoint::new(server.url(), "c", secret()).unwrap();
        let recorder = Recorder::default();
        let store = FileStore::open(folder.path().join(number.to_string())).unwrap();
        let grant = RefreshToken::new(endpoint, http(), secret());
        let builder = TokenManager::builder(grant).with_observer(Arc::new(recorder.clone()));
        let manager = builder.with_store(Arc::new(store)).spawn();
        shown.debug(&manager);
        let outcome = tokio::time::timeout(Duration::from_millis(300), manager.token(Demand::Current));
        if let Ok(outcome) = outcome.await {
            shown.outcome(&outcome);
        }
        shown.debug(&manager);
        assert!(!recorder.events().is_empty());
        for event in recorder.events() {
            shown.debug(&event);
            shown.0.push_str(&serde_json::to_string(&event).unwrap());
        }
        drop(manager);
    }
    // A file that holds what no store wrote.
    let path = folder.path().join("garbled");
    std::fs::File::create(&path).unwrap().write_all(format!("{{\"{CANARY}\":\"{CANARY}").as_bytes()).unwrap();
    let store = FileStore::open(&path);
    shown.outcome(&store);
    if let Ok(store) = store {
        let endpoint = TokenEndpoint::new("http://127.0.0.1:9/", "c", secret()).unwrap();
        let grant = ClientCredentials::new(endpoint, http());
        let manager = TokenManager::builder(grant).with_store(Arc::new(store)).spawn();
        let asked = tokio::time::timeout(Duration::from_secs(10), manager.token(Demand::Current));
        shown.outcome(&asked.await.expect("it does not hang"));
    }
    shown.0.push_str(&listening.end());
    shown.holds_none_of(&forms(&[]));
}

/// What a person's browser brings, and what a proxy and configuration hold.
#[tokio::test]
async fn a_login_and_a_configuration_show_no_secret_right_or_wrong() {
    let mut shown = Shown::default();
    let endpoint = AuthorizationEndpoint::new("https://as.example/a", "c", "https://app.example/").unwrap();
    let wanted = Wanted::new().with_parameter("login_hint", CANARY).unwrap();
    let login = endpoint.begin(wanted, &SystemFreshness);
    let url = login.url();
    let state = url.split('&').find_map(|pair| pair.strip_prefix("state=")).unwrap().to_owned();
    for answer in [
        format!("?code={CANARY}&state={state}"),
        format!("?code={CANARY}&state={CANARY}"),
        format!("?code={CANARY}&code={CANARY}&state={state}"),
        format!("?error={CANARY}&error_description={CANARY}&state={state}"),
        format!("?iss={CANARY}&code={CANARY}&state={state}"),
    ] {
        shown.outcome(&login.read(&answer));
    }
    shown.debug(&login);
    let code = login.read(&format!("?code={CANARY}&state={state}")).unwrap();
    shown.debug(&code.form());
    let form = String::from_utf8_lossy(
        TokenEndpoint::new("https://as.example/t", "c", secret())
            .unwrap()
            .request(&code.form(), None)
            .unwrap()
            .body(),
    )
    .into_owned();
    let verifier = form.split('&').find_map(|pair| pair.strip_prefix("code_verifier=")).unwrap().to_owned();

    shown.debug(&Proxy::new(&format!("http://u:{CANARY}@proxy.example")));
    shown.debug(&Proxy::new(&format!("socks5://u:{CANARY}@proxy.example")));
    shown.debug(&HyperClient::builder().with_proxy(Proxy::new(&format!("http://u:{CANARY}@p")).unwrap()));
    shown.debug(&key());
    shown.debug(&SigningKey::from_jwk(&Secret::from(format!(r#"{{"kty":"EC","d":"{CANARY}"}}"#))));
    shown.debug(&SigningKey::from_pem(&secret()));
    shown.debug(&TokenForm::device_code(&secret()));
    shown.debug(&TokenResponse::new(secret()).with_refresh_token(secret()));
    shown.debug(&Token::new(secret()));
    shown.debug(&Attempt::new(Some(secret())));
    shown.debug(&ErrorResponse::of(CANARY));
    let server = Script::serve(vec![Answer::HangUp]).await.unwrap();
    let token = TokenEndpoint::new(server.url(), "c", secret()).unwrap();
    let device = DeviceEndpoint::new(server.url(), ClientAuthentication::none("c").unwrap()).unwrap();
    let body = format!(r#"{{"device_code":"{CANARY}","user_code":"B","verification_uri":"https://a"}}"#);
    let login = device.read(&http::Response::new(body.into())).unwrap();
    let grant = DeviceCode::new(token, http(), &login, Arc::new(TokioTimer::start()));
    shown.outcome(&grant.obtain(&Attempt::new(None)).await);
    shown.debug(&grant);
    shown.debug(&login);
    let mut forms = forms(&[]);
    forms.extend([state, verifier]);
    shown.holds_none_of(&forms);
}

/// Even where the panic's own text holds the secret: the hook prints it, which is the program's affair, but no error repeats it.
#[tokio::test]
async fn a_grant_that_panics_with_a_secret_in_hand_gives_none_away() {
    let mut shown = Shown::default();
    let recorder = Recorder::default();
    let grant = Callback::new(|_| async { panic!("{CANARY}") });
    let manager = TokenManager::builder(grant).with_observer(Arc::new(recorder.clone())).spawn();
    let asked = tokio::time::timeout(Duration::from_secs(30), manager.token(Demand::Current)).await;
    let error = asked.expect("it does not hang").unwrap_err();
    assert!(error.to_string().starts_with("the grant panicked"), "{error}");
    shown.error(&error);
    shown.debug(&manager);
    shown.debug(&recorder.events());
    shown.holds_none_of(&forms(&[]));
}

#[test]
fn the_control_finds_a_secret_in_each_place() {
    let found = |shown: Shown| {
        let searched = AssertUnwindSafe(|| shown.holds_none_of(&forms(&[])));
        std::panic::catch_unwind(searched).is_err()
    };
    let mut printed = Shown::default();
    printed.debug(&CANARY);
    assert!(found(printed), "printed");
    let mut nested = Shown::default();
    let cause = std::io::Error::other(format!("it was {CANARY}"));
    nested.error(&Error::new(ErrorKind::Transport, "broken").with_source(cause));
    assert!(found(nested), "a cause");
    for say in [|| tracing::trace!("{CANARY}"), || log::trace!("{CANARY}")] {
        let listening = Listening::begin();
        say();
        assert!(found(Shown(listening.end())), "logged");
    }
    assert!(!found(Shown("nothing".to_owned())));
}
