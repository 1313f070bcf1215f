//! Token managers: their observer, their store, and a grant that panics.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Demand, TokenSource as _};
use auth_http::grant::{Callback, ClientCredentials, RefreshToken};
use auth_http::manager::TokenManager;
use auth_http::store::FileStore;
use auth_http::wire::TokenEndpoint;
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::Script;

use super::echoes::echoes;
use super::shown::{Shown, forms};
use super::{CANARY, http, secret};

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
