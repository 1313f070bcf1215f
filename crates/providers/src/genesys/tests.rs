//! What can be wrong about a client, and what its texts show.

use super::*;

#[test]
fn a_region_names_both_endpoints() {
    assert_eq!(
        endpoints("mypurecloud.com").unwrap(),
        ("https://api.mypurecloud.com/oauth/token".into(), "wss://api.mypurecloud.com/ws".into())
    );
    assert_eq!(
        endpoints("http://127.0.0.1:8080/").unwrap(),
        ("http://127.0.0.1:8080/oauth/token".into(), "ws://127.0.0.1:8080/ws".into())
    );
    for region in ["", "localhost", "a.b/c", "a.b?x", "ftp://a.b", "a b.c"] {
        assert!(matches!(endpoints(region), Err(ConfigError::Region)), "{region}");
    }
}

#[tokio::test]
async fn credentials_never_go_to_another_machine_in_plain_text() {
    let built = Client::builder("http://api.example.com", "id", "secret").build();
    assert!(matches!(built, Err(ConfigError::Token(auth_http::wire::ConfigError::Plaintext))));
}

#[tokio::test]
async fn no_secret_shows_in_debug() {
    let builder = Client::builder("http://127.0.0.1:1", "id", "canary").with_refresh_token("canary");
    let text =
        format!("{builder:?}{:?}", Client::builder("http://127.0.0.1:1", "id", "canary").build().unwrap());
    assert!(!text.contains("canary"), "{text}");
}
