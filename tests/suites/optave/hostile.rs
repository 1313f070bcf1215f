//! Servers that answer wrongly, requests that are none, and the secrets that no error may show.

use std::sync::Arc;
use std::time::Duration;

use auth_core::ErrorKind;
use auth_http::optave::{Builder, Client, CredentialPlacement};
use gateway::Running;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{serve, server};

fn by_credentials(url: &str) -> Builder {
    Client::builder().with_authentication_url(url).with_client_id("cid").with_client_secret("canary-secret")
}

#[tokio::test]
async fn answers_that_are_none_each_end_in_a_clear_kind() {
    let mut tasks = JoinSet::new();
    for (answer, kind) in [
        (Answer::http(200, "", "<html>canary"), ErrorKind::MalformedResponse),
        (Answer::http(200, "", "[]"), ErrorKind::MalformedResponse),
        (Answer::http(200, "", r#"{"access_token":["canary"],"token":""}"#), ErrorKind::MalformedResponse),
        (Answer::http(200, "", r#"{"id_token":"canary"}"#), ErrorKind::MalformedResponse),
        (Answer::http(200, "", &"canary".repeat(20_000)), ErrorKind::MalformedResponse),
        (Answer::http(302, "Location: http://127.0.0.1:1/canary\r\n", ""), ErrorKind::Refused),
        (
            Answer::http(401, "", r#"{"error":"invalid_client","error_description":"canary"}"#),
            ErrorKind::InvalidClient,
        ),
        (Answer::http(403, "", "canary"), ErrorKind::Refused),
        (Answer::http(503, "", "canary"), ErrorKind::ServerFailed),
        (Answer::HangUp, ErrorKind::Transport),
    ] {
        for ticket in [false, true] {
            let answer = answer.clone();
            tasks.spawn(async move {
                let shown = format!("{answer:.60?}");
                let server = Script::serve(vec![answer]).await.unwrap();
                let client = match ticket {
                    true => Client::builder().with_ticket_endpoint(server.url()),
                    false => by_credentials(server.url()),
                };
                let asked = client.build().unwrap();
                let error = timeout(Duration::from_secs(20), asked.authenticate()).await.expect(&shown);
                let error = error.unwrap_err();
                assert_eq!(error.kind(), kind, "{shown}: {error}");
                assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn the_authentication_url_gets_its_token_once() {
    for (path, asked) in [
        ("", "/token"),
        ("/", "/token"),
        ("/auth/oauth2", "/auth/oauth2/token"),
        ("/auth/oauth2/", "/auth/oauth2/token"),
        ("/auth/oauth2/token", "/auth/oauth2/token"),
        // The vendor's client asks at /token/token here.
        ("/auth/oauth2/token/", "/auth/oauth2/token/"),
        ("/auth?tenant=a", "/auth/token?tenant=a"),
        ("/auth/token?tenant=a", "/auth/token?tenant=a"),
    ] {
        let server = Script::serve(vec![Answer::token("t", 300)]).await.unwrap();
        let client = by_credentials(&format!("{}{path}", server.url())).build().unwrap();
        client.authenticate().await.unwrap();
        assert!(server.requests()[0].starts_with(&format!("POST {asked} HTTP/1.1\r\n")), "{path}");
    }
    // Both spellings are served.
    let gateway = serve(server()).await;
    for path in ["/auth/oauth2", "/auth/oauth2/token", "/auth/oauth2/token/"] {
        let url = format!("{}{path}", gateway.http_url());
        let client = super::builder(&gateway).with_authentication_url(url).build().unwrap();
        client.authenticate().await.unwrap();
    }
}

async fn post(gateway: &Running, target: &str, headers: &str, body: &str) -> String {
    let address = gateway.http_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn requests_that_are_none_are_refused_as_oauth_has_it() {
    let gateway = serve(server()).await;
    let path = "/auth/oauth2/token";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let right = "grant_type=client_credentials&client_id=cid&client_secret=canary+s%26c+r%3Dt";
    assert!(
        post(&gateway, &format!("{path}?{right}"), "", "").await.starts_with("HTTP/1.1 200 "),
        "the control"
    );
    for (target, headers, body, error) in [
        (path.to_owned(), "", "", "invalid_request"),
        (path.to_owned(), form, "grant_type=client_credentials", "invalid_client"),
        (format!("{path}?{right}"), form, right, "invalid_request"),
        (format!("{path}?{right}"), "Authorization: Basic Y2lkOng=\r\n", "", "invalid_request"),
        (format!("{path}?{right}&client_id=cid"), "", "", "invalid_request"),
        (
            format!("{path}?{}", right.replace("client_credentials", "password")),
            "",
            "",
            "unsupported_grant_type",
        ),
        (
            format!("{path}?{}&refresh_token=x", right.replace("client_credentials", "refresh_token")),
            "",
            "",
            "unsupported_grant_type",
        ),
        (format!("{path}?{right}&scope=admin"), "", "", "invalid_scope"),
    ] {
        let answer = post(&gateway, &target, headers, body).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{{\"error\":\"{error}\"}}")), "{target} {body}: {answer}");
        assert!(answer.to_lowercase().contains("cache-control: no-store\r\n"), "{answer}");
    }
    let huge = post(&gateway, path, form, &"x".repeat(20_000)).await;
    assert!(huge.starts_with("HTTP/1.1 413 "), "{huge}");
}

#[tokio::test]
async fn no_secret_shows_in_any_text() {
    let recorder = Recorder::default();
    let server =
        Script::serve(vec![Answer::token("canary-token", 300), Answer::http(401, "", "canary-body")]);
    let server = server.await.unwrap();
    for placement in [CredentialPlacement::Basic, CredentialPlacement::Post, CredentialPlacement::Query] {
        let builder = by_credentials(server.url()).with_credential_placement(placement);
        let builder = builder.with_observer(Arc::new(recorder.clone()));
        let mut texts = vec![format!("{builder:?}")];
        let client = builder.build().unwrap();
        texts.push(format!("{client:?}"));
        texts.push(format!("{:?}", client.authenticate().await));
        texts.push(format!("{:?}", client.authenticate().await));
        let events = recorder.events();
        texts.extend(
            events.iter().map(|event| format!("{event:?} {}", serde_json::to_string(event).unwrap())),
        );
        for text in texts {
            assert!(!text.contains("canary"), "{text}");
        }
    }
    assert!(server.requests().concat().contains("canary-secret"), "the control");
}
