//! The token endpoint of the document: what is asked, what is retried, and what is final.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthEvent, Demand, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::client::{HyperClient, Proxy};
use auth_http::exchange::HttpExchange as _;
use auth_http::grant::RefreshToken;
use auth_http::manager::TokenManager;
use auth_http::wire::{TokenEndpoint, TokenForm};
use providers::genesys;
use realtime_auth_tests::closed_port::ClosedPort;
use realtime_auth_tests::proxy::Proxy as Server;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use tokio::time::timeout;

use super::{HOUR, REFRESH_TOKEN, SECRET, client, gateway};

#[tokio::test]
async fn the_token_request_is_a_form_post_with_basic_credentials() {
    let server = Script::serve(vec![Answer::token("t", 3_600)]).await.unwrap();
    let client = client(server.url(), &Recorder::default()).build().unwrap();
    assert_eq!(client.valid_token().await.unwrap().secret().expose(), "t");
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /oauth/token HTTP/1.1\r\n"), "{request}");
    let lower = request.to_lowercase();
    assert!(lower.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(lower.contains("accept: application/json\r\n"), "{request}");
    // base64("abc123:canary-client-secret")
    assert!(request.contains("Basic YWJjMTIzOmNhbmFyeS1jbGllbnQtc2VjcmV0\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\ngrant_type=client_credentials"), "{request}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_way_to_the_token_endpoint() {
    // It lets nobody through, so that no name is resolved and no server asked.
    let nobody = "127.0.0.1:1".parse().unwrap();
    let proxy = Server::serve(nobody, Some("Basic none".to_owned()), None).await.unwrap();
    let through = Proxy::new(&proxy.address().to_string()).unwrap();
    let client = genesys::Client::builder("genesys.invalid", "abc123", SECRET).with_proxy(through);
    let error = client.build().unwrap().valid_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    let head = "CONNECT api.genesys.invalid:443 HTTP/1.1\r\nHost: api.genesys.invalid:443\r\n\r\n";
    assert_eq!(proxy.heads(), [head]);
}

#[tokio::test]
async fn a_cached_token_is_not_asked_for_again() {
    let server = Script::serve(vec![Answer::token("t", 3_600)]).await.unwrap();
    let client = client(server.url(), &Recorder::default()).build().unwrap();
    for _ in 0..100 {
        client.valid_token().await.unwrap();
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn rate_limits_and_server_errors_are_retried() {
    let recorder = Recorder::default();
    let answers = vec![
        Answer::http(429, "Retry-After: 1\r\n", ""),
        Answer::http(503, "", ""),
        Answer::token("t", 3_600),
    ];
    let server = Script::serve(answers).await.unwrap();
    let client = client(server.url(), &recorder).build().unwrap();
    assert_eq!(client.valid_token().await.unwrap().secret().expose(), "t");
    assert_eq!(server.requests().len(), 3);
    let waited = recorder.events().into_iter().find_map(|event| match event {
        AuthEvent::RateLimited { retry_after, retry_in, .. } => {
            Some((retry_after.unwrap(), retry_in.unwrap()))
        }
        _ => None,
    });
    let (asked, chosen) = waited.unwrap();
    assert_eq!(asked, Duration::from_secs(1));
    assert!(chosen >= asked && chosen <= asked * 11 / 10, "{chosen:?}");
}

#[tokio::test]
async fn three_attempts_are_the_limit() {
    let server = Script::serve(vec![Answer::http(500, "", "")]).await.unwrap();
    let client = client(server.url(), &Recorder::default()).build().unwrap();
    let error = client.valid_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), server.requests().len()),
        (ErrorKind::ServerFailed, Some(500), 3)
    );
}

#[tokio::test]
async fn invalid_client_credentials_are_a_verdict_that_is_not_retried() {
    let gateway = gateway(HOUR).await;
    let client = genesys::Client::builder(gateway.http_url(), "abc123", "wrong").build().unwrap();
    let error = client.connect().await.unwrap_err();
    let cause = error.token_error().unwrap();
    assert_eq!((cause.kind(), cause.code()), (ErrorKind::InvalidClient, Some(401)));
    assert_eq!(gateway.sessions().upgrades(), 0);
}

#[tokio::test]
async fn bad_answers_of_the_token_endpoint_each_end_in_a_clear_kind() {
    for (answer, kind) in [
        (Answer::http(200, "", "<html>"), ErrorKind::MalformedResponse),
        (Answer::http(200, "", r#"{"access_token":"t""#), ErrorKind::MalformedResponse),
        (Answer::http(200, "", &"x".repeat(100_000)), ErrorKind::MalformedResponse),
        (Answer::http(302, "Location: http://127.0.0.1:1/\r\n", ""), ErrorKind::Refused),
        (Answer::http(403, "", ""), ErrorKind::Refused),
        (Answer::HangUp, ErrorKind::Transport),
        (Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_vec()), ErrorKind::Transport),
    ] {
        let server = Script::serve(vec![answer]).await.unwrap();
        let client = client(server.url(), &Recorder::default()).build().unwrap();
        let error = timeout(Duration::from_secs(20), client.valid_token()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}

#[tokio::test]
async fn only_a_request_that_reached_nobody_is_without_effect() {
    let closed = ClosedPort::take().unwrap();
    let nobody = format!("http://{}", closed.address().unwrap());
    let silent = Script::serve(vec![Answer::Silence]).await.unwrap();
    let hung_up = Script::serve(vec![Answer::HangUp]).await.unwrap();
    for (url, kind, in_doubt) in [
        (nobody.as_str(), ErrorKind::Transport, false),
        (hung_up.url(), ErrorKind::Transport, true),
        (silent.url(), ErrorKind::Timeout, true),
    ] {
        let endpoint = TokenEndpoint::new(url, "id", Secret::from("secret")).unwrap();
        let request = endpoint.request(&TokenForm::client_credentials(), None).unwrap();
        let client = HyperClient::plaintext().with_timeout(Duration::from_millis(500));
        let error = client.exchange(request).await.unwrap_err();
        assert_eq!((error.kind(), error.is_in_doubt()), (kind, in_doubt), "{error:?}");
    }
}

#[tokio::test]
async fn a_refresh_token_rotates_and_the_old_one_is_never_sent_again() {
    let rotating = |number: u32| {
        Answer::http(
            200,
            "",
            &format!(r#"{{"access_token":"t{number}","expires_in":3600,"refresh_token":"r{number}"}}"#),
        )
    };
    let server = Script::serve(vec![rotating(1), rotating(2), rotating(3)]).await.unwrap();
    let url = format!("{}/oauth/token", server.url());
    let endpoint = TokenEndpoint::new(&url, "abc123", Secret::from(SECRET)).unwrap();
    let grant = RefreshToken::new(endpoint, Arc::new(HyperClient::plaintext()), Secret::from("r0"));
    let manager = TokenManager::builder(grant).spawn();
    let mut token = manager.token(Demand::Current).await.unwrap();
    for _ in 0..2 {
        token = manager.token(Demand::NewerThan(token.generation())).await.unwrap();
    }
    assert_eq!(token.secret().expose(), "t3");
    let sent: Vec<_> =
        server.requests().iter().map(|request| request[request.len() - 2..].to_owned()).collect();
    assert_eq!(sent, ["r0", "r1", "r2"]);
}

#[tokio::test]
async fn a_refresh_token_outlives_the_program_in_its_token_file() {
    let gateway = gateway(HOUR).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        client(gateway.http_url(), &Recorder::default())
            .with_refresh_token(REFRESH_TOKEN)
            .with_token_file(folder.path().join("genesys.json"))
            .build()
            .unwrap()
    };
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let client = open();
        tokens.push(client.valid_token().await.unwrap().secret().expose().to_owned());
        client.shut_down().await;
    }
    assert!(tokens.iter().all(|token| *token == tokens[0]), "one request served three runs");
    assert_eq!((gateway.refreshes().redeemed(), gateway.refreshes().revoked()), (1, 0));
}

#[tokio::test]
async fn a_refresh_token_is_redeemed_as_the_document_writes_it() {
    let server = Script::serve(vec![Answer::token("t", 3_600)]).await.unwrap();
    let client = client(server.url(), &Recorder::default()).with_refresh_token("r+0").build().unwrap();
    client.valid_token().await.unwrap();
    let request = server.requests().remove(0);
    assert!(request.contains("Basic YWJjMTIzOmNhbmFyeS1jbGllbnQtc2VjcmV0\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\ngrant_type=refresh_token&refresh_token=r%2B0"), "{request}");
}

#[tokio::test]
async fn the_documented_answer_is_read() {
    let body = r#"{
        "access_token": "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...",
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": "dGhpcyBpcyBhIHJlZnJlc2ggdG9rZW4...",
        "scope": "conversation:read user:read analytics:read"
    }"#;
    let server =
        Script::serve(vec![Answer::http(200, "Content-Type: application/json\r\n", body)]).await.unwrap();
    let required = "conversation:read user:read analytics:read".parse().unwrap();
    let client = client(server.url(), &Recorder::default()).with_required_scopes(required).build().unwrap();
    let token = client.valid_token().await.unwrap();
    assert_eq!(token.secret().expose(), "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...");
}

/// The moment is told when the token arrives: nobody waits for an hour here. It is drawn from the last minutes before the
/// lead, so that a fleet does not renew at once.
#[tokio::test]
async fn a_token_is_renewed_120_s_before_it_expires() {
    for expires_in in [3_600, 600] {
        let server = Script::serve(vec![Answer::token("t", expires_in)]).await.unwrap();
        let recorder = Recorder::default();
        client(server.url(), &recorder).build().unwrap().valid_token().await.unwrap();
        let told = recorder.events().into_iter().find_map(|event| match event {
            AuthEvent::TokenIssued { expires_in, renews_in, .. } => Some((expires_in, renews_in)),
            _ => None,
        });
        let (lives, renews_in) = told.unwrap();
        let lead = lives - renews_in;
        assert!(lives <= Duration::from_secs(expires_in), "{lives:?}");
        assert!((120..=150).contains(&lead.as_secs()), "{expires_in} s: {lead:?} before its end");
    }
}

#[tokio::test]
async fn a_rate_limit_without_a_wait_is_backed_off_from() {
    let mut waits = Vec::new();
    for _ in 0..4 {
        let recorder = Recorder::default();
        let limited = Answer::http(429, "", "");
        let server = Script::serve(vec![limited.clone(), limited, Answer::token("t", 3_600)]).await.unwrap();
        client(server.url(), &recorder).build().unwrap().valid_token().await.unwrap();
        assert_eq!(server.requests().len(), 3);
        waits.extend(recorder.events().into_iter().filter_map(|event| match event {
            AuthEvent::RateLimited { attempt, retry_after: None, retry_in, .. } => {
                Some((attempt, retry_in.unwrap()))
            }
            _ => None,
        }));
    }
    assert_eq!(waits.len(), 8);
    for (attempt, wait) in &waits {
        assert!(*wait <= Duration::from_millis(500 << (attempt - 1)), "attempt {attempt}: {wait:?}");
    }
    assert!(
        waits.iter().any(|(_, wait)| *wait != waits[0].1),
        "no two clients come back together: {waits:?}"
    );
}

#[tokio::test]
async fn every_transient_server_error_is_retried() {
    for status in [500, 502, 503, 504] {
        let server =
            Script::serve(vec![Answer::http(status, "", ""), Answer::token("t", 3_600)]).await.unwrap();
        let client = client(server.url(), &Recorder::default()).build().unwrap();
        client.valid_token().await.unwrap();
        assert_eq!(server.requests().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn an_expired_refresh_token_is_a_verdict_that_is_not_retried() {
    let refused = r#"{"error":"invalid_grant","error_description":"canary"}"#;
    let unknown = r#"{"error":"invalid_client"}"#;
    for (answer, kind, retry) in [
        (Answer::http(400, "", refused), ErrorKind::InvalidGrant, Retry::Reauthorize),
        (Answer::http(401, "", unknown), ErrorKind::InvalidClient, Retry::Never),
    ] {
        let server = Script::serve(vec![answer]).await.unwrap();
        let client = client(server.url(), &Recorder::default()).with_refresh_token(REFRESH_TOKEN);
        let error = client.build().unwrap().valid_token().await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry));
        assert_eq!(server.requests().len(), 1, "{kind:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
