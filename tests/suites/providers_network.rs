//! The way to servers that providers share: each server of theirs by way of the proxy, by HTTP and by WebSocket, and whom they trust.

use std::sync::Arc;

use auth_core::ably::{AuthOptions, AuthUrl, TokenDetails};
use auth_core::{AuthEvent, Secret};
use auth_http::client::Proxy;
use providers::{ably, genesys, optave, spatium};
use realtime_auth_tests::authority::Authority;
use realtime_auth_tests::proxy::Proxy as ProxyServer;
use realtime_auth_tests::recorder::Recorder;
use ws_session::driver::tokio::Session;

/// A proxy that lets nobody through, so that no name is resolved and no server asked.
async fn closed(authority: Option<&Authority>) -> ProxyServer {
    let tls = authority.map(|authority| authority.acceptor("localhost", &["http/1.1"], None).unwrap());
    ProxyServer::serve("127.0.0.1:1".parse().unwrap(), Some("Basic none".to_owned()), tls).await.unwrap()
}

fn is_lost(event: &AuthEvent) -> bool {
    matches!(event, AuthEvent::ConnectionLost { .. } | AuthEvent::SessionFailed { .. })
}

fn asked_for(proxy: &ProxyServer, host: &str) -> bool {
    proxy.heads().iter().any(|head| head.starts_with(&format!("CONNECT {host}:443 HTTP/1.1\r\n")))
}

fn optave(recorder: &Recorder) -> optave::Builder {
    optave::Client::builder()
        .with_websocket_url("wss://socket.optave.invalid/")
        .with_observer(Arc::new(recorder.clone()))
}

fn given() -> AuthOptions {
    AuthOptions::new().with_token(TokenDetails::new(Secret::from("given")))
}

fn ably(options: AuthOptions, recorder: &Recorder) -> ably::Builder {
    ably::Realtime::builder(options)
        .with_endpoint("https://ably.invalid")
        .with_observer(Arc::new(recorder.clone()))
}

#[tokio::test]
async fn optave_asks_a_proxy_for_the_way_to_tokens_and_to_connections() {
    let proxy = closed(None).await;
    let through = Proxy::new(&proxy.address().to_string()).unwrap();
    let recorder = Recorder::default();
    let client = optave(&recorder)
        .with_authentication_url("https://login.optave.invalid/auth")
        .with_client_id("cid")
        .with_client_secret("secret");
    let client = client.with_proxy(through.clone()).build().unwrap();
    client.authenticate().await.unwrap_err();
    assert!(asked_for(&proxy, "login.optave.invalid"), "{:?}", proxy.heads());
    let client = optave(&recorder).with_token_provider(|| async { Ok(Secret::from("a.b.c")) });
    let _session = client.with_proxy(through).build().unwrap().open();
    recorder.wait_for(1, is_lost).await;
    assert!(asked_for(&proxy, "socket.optave.invalid"), "{:?}", proxy.heads());
}

#[tokio::test]
async fn ably_asks_a_proxy_for_the_way_to_tokens_and_to_connections() {
    let proxy = closed(None).await;
    let through = Proxy::new(&proxy.address().to_string()).unwrap();
    let recorder = Recorder::default();
    let url = AuthUrl::new("https://backend.invalid/token");
    let tokens = ably(AuthOptions::new().with_auth_url(url), &recorder).with_proxy(through.clone());
    tokens.build().unwrap().auth().authorize(None, None).await.unwrap_err();
    assert!(asked_for(&proxy, "backend.invalid"), "{:?}", proxy.heads());
    let _session = ably(given(), &recorder).with_proxy(through).build().unwrap().open().unwrap();
    recorder.wait_for(1, is_lost).await;
    assert!(asked_for(&proxy, "ably.invalid"), "{:?}", proxy.heads());
}

/// Here that of the proxy, to which the way to both servers leads.
#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_http_and_by_websocket() {
    let authority = Authority::new().unwrap();
    for trusted in [true, false] {
        let proxy = closed(Some(&authority)).await;
        let through = || Proxy::new(&format!("https://localhost:{}", proxy.address().port())).unwrap();
        // Another authority is the control: nothing is asked of a proxy that is not trusted.
        let pem = if trusted { authority.pem() } else { Authority::named("another").unwrap().pem() };
        let recorder = Recorder::default();
        let genesys = genesys::Client::builder("genesys.invalid", "id", "secret");
        let genesys = genesys.with_proxy(through()).with_authorities(pem.clone()).build().unwrap();
        genesys.valid_token().await.unwrap_err();
        assert_eq!(asked_for(&proxy, "api.genesys.invalid"), trusted, "{:?}", proxy.heads());
        let ably = ably(given(), &recorder).with_proxy(through()).with_authorities(pem.clone());
        let optave = optave(&recorder).with_token_provider(|| async { Ok(Secret::from("a.b.c")) });
        let optave = optave.with_proxy(through()).with_authorities(pem).build().unwrap();
        let _sessions: [Session; 2] = [ably.build().unwrap().open().unwrap(), optave.open()];
        recorder.wait_for(2, is_lost).await;
        for host in ["ably.invalid", "socket.optave.invalid"] {
            assert_eq!(asked_for(&proxy, host), trusted, "{host} {:?}", proxy.heads());
        }
    }
}

#[tokio::test]
async fn authorities_that_are_none_are_refused_by_every_provider() {
    let recorder = Recorder::default();
    let ably = ably(given(), &recorder).with_authorities("canary").build().map(drop).unwrap_err();
    let optave = optave(&recorder).with_token_provider(|| async { Ok(Secret::from("t")) });
    let optave = optave.with_authorities("canary").build().map(drop).unwrap_err();
    let genesys = genesys::Client::builder("genesys.invalid", "id", "secret");
    let genesys = genesys.with_authorities("canary").build().map(drop).unwrap_err();
    let spatium = spatium::Session::builder("https://spatium.invalid", "device", &["read"]).unwrap();
    let spatium = spatium.with_authorities("canary").build().map(drop).unwrap_err();
    for error in [ably.to_string(), optave.to_string(), genesys.to_string(), spatium.to_string()] {
        assert!(error.contains("PEM") && !error.contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn every_step_goes_into_an_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optave");
    let proxy = closed(None).await;
    let through = || Proxy::new(&proxy.address().to_string()).unwrap();
    let recorder = Recorder::default();
    let optave = optave(&recorder).with_token_provider(|| async { Ok(Secret::from("canary.of.jwt")) });
    let optave = optave.with_proxy(through()).with_audit(&path).build().unwrap();
    let session = optave.open();
    recorder.wait_for(1, is_lost).await;
    session.close().await.unwrap_or_default();
    assert!(optave.close_audit().unwrap().written > 0);
    let recorder = Recorder::default();
    let ably = ably(given(), &recorder).with_proxy(through()).with_audit(folder.path().join("ably"));
    let ably = ably.build().unwrap();
    let session = ably.open().unwrap();
    recorder.wait_for(1, is_lost).await;
    session.close().await.unwrap_or_default();
    assert!(ably.close_audit().unwrap().written > 0);
    let logs = ["optave", "ably"].map(|name| {
        let log =
            std::fs::read_to_string(folder.path().join(name).join("00000000000000000001.jsonl")).unwrap();
        assert!(log.contains(&format!(r#","session":"{name}","#)), "{log}");
        log
    });
    assert!(
        logs.iter().all(|log| log.contains("connection_lost") || log.contains("session_failed")),
        "{logs:?}"
    );
    assert!(logs[0].contains("token_issued") && !logs.concat().contains("canary"), "{logs:?}");
}
