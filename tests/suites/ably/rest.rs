//! The service's REST endpoints over real sockets: one renewal, no redirects, a key over TLS.

use std::sync::Mutex;

use auth_core::ErrorKind;
use auth_core::ably::{RevocationRequest, RevocationTarget};
use realtime_auth_tests::authority;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script;
use tokio::io::AsyncWriteExt as _;

use super::*;

/// A service that refuses its first token, and then issues no more than it is asked for.
async fn refusing_once() -> Script {
    let mut issued = 0;
    let answering = Script::answering(move |request| {
        if request.contains("/requestToken") {
            issued += 1;
            return Answer::http(201, JSON, &format!(r#"{{"token":"t.{issued}"}}"#));
        }
        if request.contains(&bearer("t.1")) {
            return Answer::http(401, "X-Ably-Errorcode: 40142\r\n", "");
        }
        Answer::http(200, JSON, "{}")
    });
    answering.await.unwrap()
}

fn tokens(options: AuthOptions) -> AuthOptions {
    options.with_use_token_auth(true)
}

#[tokio::test]
async fn rsc10_a_refused_token_is_renewed_once_and_the_header_is_the_new_ones() {
    let service = refusing_once().await;
    let auth = client(tokens(key()), service.url()).build().unwrap();
    status(&auth).await.unwrap();
    let requests = service.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    let exchange = "POST /keys/appId.keyId/requestToken HTTP/1.1";
    assert_eq!(lines, [exchange, "GET /channels/x HTTP/1.1", exchange, "GET /channels/x HTTP/1.1"]);
    assert_eq!(header(&requests[1], "authorization"), Some(bearer("t.1")));
    assert_eq!(header(&requests[3], "authorization"), Some(bearer("t.2")));
    assert_eq!(header(&requests[0], "authorization"), None);
    assert!(!requests.concat().contains("keySecret"), "the key goes nowhere");
}

#[tokio::test]
async fn eight_callers_at_once_cost_one_token() {
    let service = refusing_once().await;
    let auth = client(tokens(key()), service.url()).build().unwrap();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let auth = auth.clone();
            tokio::spawn(async move { status(&auth).await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    let exchanges = service.requests().iter().filter(|request| request.contains("/requestToken")).count();
    assert_eq!(exchanges, 2, "one, and one instead of the refused one");
}

#[tokio::test]
async fn a_redirect_of_the_service_is_not_followed_with_the_token() {
    let elsewhere = serve(vec![Answer::http(200, JSON, "{}")]).await;
    let to = format!("Location: {}/channels/x\r\n", elsewhere.url());
    let service = serve(vec![Answer::http(307, &to, "")]).await;
    let options = AuthOptions::from(auth_core::ably::KeyOrToken::parse("bare.token").unwrap());
    let error = status(&client(options, service.url()).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!((service.requests().len(), elsewhere.requests().len()), (1, 0));
}

#[tokio::test]
async fn rsa1_a_key_is_not_sent_in_clear_unless_somebody_insists_and_then_on_this_machine_only() {
    let done = r#"{"results":[{"target":"clientId:ivy","issuedBefore":1,"appliesAt":1}]}"#;
    let service = serve(vec![Answer::http(201, JSON, done)]).await;
    assert_eq!(client(key(), service.url()).build().unwrap_err().code(), Some(40_103));
    let elsewhere = client(key(), "http://192.0.2.1").dangerous().with_plaintext_keys();
    assert_eq!(elsewhere.build().unwrap_err().kind(), ErrorKind::Misconfigured);
    let auth = client(key(), service.url()).dangerous().with_plaintext_keys().build().unwrap();
    let target = RevocationTarget::parse("clientId:ivy").unwrap();
    auth.revoke_tokens(&RevocationRequest::new(vec![target])).await.unwrap();
    let request = &service.requests()[0];
    assert!(request.starts_with("POST /keys/appId.keyId/revokeTokens HTTP/1.1\r\n"));
    assert_eq!(header(request, "authorization"), Some(format!("Basic {}", STANDARD.encode(KEY))));
    assert!(request.ends_with(r#"{"targets":["clientId:ivy"]}"#));
}

#[tokio::test]
async fn rsa2_a_key_over_tls_is_the_default() {
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor("localhost", &["http/1.1"], None).unwrap();
    let received = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&received);
    let server = RawServer::serve(move |stream, _| {
        let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
        async move {
            let mut stream = authority::accept(&acceptor, stream).await?;
            let request = script::read(&mut stream).await?;
            kept.lock().unwrap().push_str(&request);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await?;
            stream.shutdown().await
        }
    });
    let server = server.await.unwrap();
    let roots = Roots::none().with_pem(authority.pem().as_bytes()).unwrap();
    let auth = Auth::builder(key(), surroundings(roots));
    let auth = auth.with_endpoint(format!("https://localhost:{}", server.address().port())).build().unwrap();
    status(&auth).await.unwrap();
    let request = received.lock().unwrap().clone();
    assert_eq!(header(&request, "authorization"), Some(format!("Basic {}", STANDARD.encode(KEY))));
    assert_eq!(header(&request, "x-ably-version").as_deref(), Some("6"));
    assert!(header(&request, "ably-agent").unwrap().starts_with("realtime-auth-rust/"));
}

#[tokio::test]
async fn a_service_that_hangs_up_is_a_transport_failure_and_nothing_is_sent_twice() {
    let service = serve(vec![Answer::HangUp]).await;
    let error =
        client(tokens(key()), service.url()).build().unwrap().authorize(None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn the_time_is_asked_for_over_the_wire_and_kept() {
    let service = serve(vec![Answer::http(200, JSON, "[1700000000000]")]).await;
    let auth = client(tokens(key()), service.url()).build().unwrap();
    assert_eq!(auth.query_time().await.unwrap().as_millis(), 1_700_000_000_000);
    let request = auth.create_token_request(None, None).await.unwrap();
    let signed = request.timestamp().unwrap().as_millis();
    assert!((1_700_000_000_000..1_700_000_060_000).contains(&signed), "{signed}");
    assert_eq!(service.requests().len(), 1);
}
