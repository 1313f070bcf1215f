//! The endpoints that hand tokens to pages.

use auth_core::ErrorKind;
use auth_http::endpoint::optave::Browsers;
use auth_http::optave::Client;
use gateway::{Config, Gateway, RateLimit, Running};
use realtime_auth_tests::raw_socket::RawSocket;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{SECRET, serve, server, text, verified};

/// Sends a request with these headers, and gives the whole answer.
async fn ask(gateway: &Running, line: &str, headers: &[&str]) -> String {
    let address = gateway.http_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let host = if headers.contains("Host: ") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!("{line} HTTP/1.1\r\n{host}{headers}Content-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn token_of(answer: &str) -> String {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_backend_of_the_example_hands_a_token_to_its_page() {
    let gateway = serve(server()).await;
    let answer = ask(&gateway, "GET /api/optave-token", &["Sec-Fetch-Site: same-origin"]).await;
    let claims = verified(&token_of(&answer));
    assert_eq!(claims.subject(), Some("browser"));
    let lower = answer.to_lowercase();
    assert!(lower.contains("cache-control: no-store\r\n"), "{answer}");
    assert!(lower.contains("content-type: application/json\r\n"), "{answer}");
    let again = ask(&gateway, "GET /api/optave-token", &["Sec-Fetch-Site: same-origin"]).await;
    assert_ne!(verified(&token_of(&again)).token_id(), claims.token_id());
}

#[tokio::test]
async fn a_ticket_endpoint_gives_a_token_for_one_connection() {
    let gateway = serve(server()).await;
    let client = Client::builder().with_ticket_endpoint(gateway.http_url()).build().unwrap();
    let token = text(&client).await;
    let url = format!("{}/?Authorization={token}", gateway.http_url().replace("http", "ws"));
    RawSocket::open(&url).await.unwrap();
    assert!(RawSocket::open(&url).await.unwrap_err().to_string().starts_with("HTTP/1.1 401 "));
    assert_ne!(text(&client).await, token);
}

#[tokio::test]
async fn the_backend_of_the_example_hands_a_token_to_our_client() {
    let gateway = serve(server()).await;
    let url = format!("{}/api/optave-token", gateway.http_url());
    let client = Client::builder().with_ticket_endpoint_by_get(&url).build().unwrap();
    assert_eq!(verified(&text(&client).await).subject(), Some("browser"));
    // The control: it takes no POST.
    let client = Client::builder().with_ticket_endpoint(&url).build().unwrap();
    assert_eq!(client.authenticate().await.unwrap_err().code(), Some(405));
}

#[tokio::test]
async fn a_foreign_page_gets_no_token() {
    let gateway = serve(server()).await;
    let own = format!("Origin: {}", gateway.http_url());
    let allowed = ask(&gateway, "POST /api/optave/ws-ticket", &["Sec-Fetch-Site: same-origin", &own]).await;
    token_of(&allowed);
    for headers in [
        ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"].as_slice(),
        &["Sec-Fetch-Site: same-site", &own],
        &["Origin: https://evil.example"],
        &["Origin: null"],
        &["Host: evil.example"],
        &["Host: evil.example", "Sec-Fetch-Site: same-origin", "Origin: http://evil.example"],
    ] {
        for line in ["POST /api/optave/ws-ticket", "GET /api/optave-token"] {
            let answer = ask(&gateway, line, headers).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{headers:?}: {answer}");
            assert!(answer.ends_with("\r\n\r\n{\"error\":\"foreign_origin\"}"), "{answer}");
            assert!(!answer.to_lowercase().contains("access-control-allow-origin"), "{answer}");
        }
    }
}

#[tokio::test]
async fn each_endpoint_has_its_method_and_is_there_only_when_it_was_asked_for() {
    let gateway = serve(server()).await;
    for (line, allowed) in
        [("GET /api/optave/ws-ticket", "allow: post"), ("POST /api/optave-token", "allow: get")]
    {
        let answer = ask(&gateway, line, &[]).await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.to_lowercase().contains(allowed), "{answer}");
    }
    let without = auth_http::endpoint::optave::TokenServer::hs256([1; 32]);
    let gateway = serve(without).await;
    assert!(ask(&gateway, "POST /api/optave/ws-ticket", &[]).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_publishable_key_is_sent_and_asked_for() {
    let gateway = serve(server().with_browsers(Browsers::new().with_publishable_key("pk_1"))).await;
    let with = |key: Option<&str>| {
        let builder = Client::builder().with_ticket_endpoint(format!("{}/", gateway.http_url()));
        match key {
            Some(key) => builder.with_publishable_key(key),
            None => builder,
        }
        .build()
        .unwrap()
    };
    verified(&text(&with(Some("pk_1"))).await);
    for wrong in [Some("pk_2"), None] {
        let error = with(wrong).authenticate().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(403)));
    }
}

#[tokio::test]
async fn no_answer_to_a_browser_holds_the_client_secret() {
    let gateway = serve(server()).await;
    for line in ["POST /api/optave/ws-ticket", "GET /api/optave-token", "GET /", "PUT /api/optave-token"] {
        let answer = ask(&gateway, line, &[]).await;
        assert!(!answer.contains(SECRET) && !answer.contains("canary"), "{answer}");
    }
    assert!(!format!("{:?}", server()).contains("canary"));
}

#[tokio::test]
async fn browsers_are_limited_together_and_no_client_suffers_from_that() {
    let config = Config::new("127.0.0.1:0".parse().unwrap())
        .with_optave(server())
        .with_rate_limit(RateLimit::new(Duration::from_secs(600), 2));
    let gateway = Gateway::bind(config).await.unwrap().spawn();
    for _ in 0..2 {
        token_of(&ask(&gateway, "POST /api/optave/ws-ticket", &[]).await);
    }
    let answer = ask(&gateway, "POST /api/optave/ws-ticket", &[]).await;
    assert!(
        answer.starts_with("HTTP/1.1 429 ") && answer.to_lowercase().contains("retry-after: "),
        "{answer}"
    );
    verified(&text(&super::builder(&gateway).build().unwrap()).await);
}
