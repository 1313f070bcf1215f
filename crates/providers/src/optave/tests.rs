//! The settings, and each mistake in them by the SDK's name.

use std::time::Duration;

use super::*;

fn complete() -> Builder {
    Client::builder()
        .with_websocket_url("wss://ws-sandbox.oco.optave.tech/?canary=canary")
        .with_authentication_url("https://sandbox.oco.optave.tech/auth/oauth2?canary=canary")
        .with_client_id("cid")
        .with_client_secret("canary")
}

#[tokio::test]
async fn each_mistake_has_the_sdks_name_and_says_what_to_do() {
    let provider = || async { Ok(Secret::from("canary")) };
    let with_socket = || Client::builder().with_websocket_url("wss://a.example/");
    for (builder, code, advice) in [
        (complete().with_websocket_url(""), Some("INVALID_WEBSOCKET_URL"), "copy it"),
        (complete().with_websocket_url("https://canary.example"), Some("INVALID_WEBSOCKET_URL"), "wss://"),
        (complete().with_websocket_url("ws://canary.example"), Some("INVALID_WEBSOCKET_URL"), "use wss"),
        (complete().with_authentication_url(""), Some("INVALID_AUTHENTICATION_URL"), "copy it"),
        (complete().with_authentication_url("canary"), Some("INVALID_AUTHENTICATION_URL"), "https"),
        (complete().with_client_id(""), Some("INVALID_CLIENT_ID"), "copy it"),
        (complete().with_client_secret(""), None, "copy it"),
        (with_socket(), Some("MISSING_TOKEN"), "give"),
        (
            with_socket().with_client_secret("canary").with_token_provider(provider),
            Some("CLIENT_SECRET_IN_CLIENT_ENV"),
            "leave it there",
        ),
        (complete().with_connection_timeout(Duration::ZERO), None, "leave it out"),
        (complete().with_request_timeout(Duration::ZERO), None, "leave it out"),
    ] {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(advice), "{error}");
        assert!(!format!("{shown}{error}{error:?}").contains("canary"), "{shown} {error:?}");
    }
    assert!(complete().build().is_ok(), "the control");
    assert!(with_socket().with_token_provider(provider).build().is_ok(), "the control");
}

#[tokio::test]
async fn no_secret_shows_in_debug() {
    for transport in [AuthTransport::Subprotocol, AuthTransport::Query] {
        let builder = complete().with_auth_transport(transport);
        let text = format!("{builder:?}");
        let text = format!("{text}{:?}", builder.build().unwrap());
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_token_is_the_same_with_and_without_its_scheme() {
    let client = Client::builder().with_websocket_url("wss://a.example/");
    let client = client.with_token_provider(|| async { Ok(Secret::from("Bearer a.b.c")) }).build().unwrap();
    assert_eq!(client.authenticate().await.unwrap().secret().expose(), "a.b.c");
    assert_eq!(bare(&Secret::from("Bearer.b.c")).expose(), "Bearer.b.c");
}

#[test]
fn the_timeouts_are_those_of_the_document() {
    let text = format!("{:?}", Client::builder());
    assert!(text.contains("connection_timeout: 30s, request_timeout: 30s"), "{text}");
    assert!(text.contains("auth_transport: Subprotocol"), "{text}");
}
