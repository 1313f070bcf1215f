//! What is decided before anything goes over the network.

use auth_core::Secret;
use auth_core::ably::{ApiKey, AuthUrl};
use ws_session::machine::State;

use super::*;

fn key() -> AuthOptions {
    AuthOptions::new().with_key(ApiKey::parse("appId.keyId:canary").unwrap())
}

fn by_url() -> AuthOptions {
    let url = AuthUrl::new("https://my.example/token").with_header("cookie", Secret::from("canary"));
    AuthOptions::new().with_auth_url(url)
}

#[test]
fn a_client_that_could_never_authenticate_is_refused_when_it_is_made() {
    let code = |options, endpoint: &str| {
        Realtime::builder(options).with_endpoint(endpoint).build().unwrap_err().code()
    };
    assert_eq!(code(AuthOptions::new(), "https://a.example"), Some(40_106));
    assert_eq!(code(key(), "http://127.0.0.1:1"), Some(40_103), "a key without TLS");
}

#[test]
fn an_endpoint_that_can_not_be_one_is_refused_when_the_client_is_made() {
    for endpoint in ["", "a.example", "ftp://a.example", "ws://127.0.0.1:1", "http://a.example", "httpx"] {
        let error = Realtime::builder(by_url()).with_endpoint(endpoint).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{endpoint}: {error}");
    }
    assert!(Realtime::builder(by_url()).with_endpoint("https://a.example").build().is_ok());
}

#[test]
fn no_secret_shows_in_debug() {
    for options in [key(), by_url()] {
        let builder = Realtime::builder(options);
        let shown = format!("{builder:?}");
        let shown = format!("{shown}{:?}", builder.build().unwrap());
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn a_client_has_one_connection_at_a_time() {
    let realtime = Realtime::builder(by_url()).with_endpoint("https://127.0.0.1:1").build().unwrap();
    let session = realtime.open().unwrap();
    assert_eq!(realtime.open().unwrap_err().kind(), ErrorKind::Misconfigured);
    drop(session);
    let second = realtime.open().unwrap();
    realtime.close().await.unwrap();
    assert_eq!(second.state(), State::Closed);
    realtime.close().await.unwrap();
    assert!(realtime.open().is_ok());
}
