//! On the way to a server: over sockets, through a proxy, and with headers of the user's own.

use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::peer::Numbered;
use super::{session, session_of};
use crate::dialect::{Dialect, Failure};
use crate::driver::tokio::{Dial as _, Proxy, Session, Tcp};
use crate::driver::wire::NotOpened;
use crate::driver::{Server, Target};
use crate::{ConfigError, ErrorKind};

fn server(host: &str, port: u16) -> Server {
    Server { host: host.to_owned(), port, tls: None }
}

/// Reads the head of a request, and answers it.
async fn answered(listener: &TcpListener, answer: &[u8]) -> (String, TcpStream) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer).await.unwrap();
    (String::from_utf8(head).unwrap(), stream)
}

#[tokio::test]
async fn a_server_is_reached_through_the_tunnel_of_a_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::new(&format!("http://user:secret@{}", listener.local_addr().unwrap())).unwrap();
    let tcp = Tcp::new().with_proxy(proxy);
    assert!(!format!("{tcp:?}").contains("secret"));
    // No name server is asked for it: only the proxy knows the way.
    let dialing = tcp.dial(&server("ws.invalid", 443));
    let (stream, (head, mut far)) = tokio::join!(
        timeout(Duration::from_secs(5), dialing),
        answered(&listener, b"HTTP/1.1 200 OK\r\n\r\n")
    );
    assert!(head.starts_with("CONNECT ws.invalid:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "{head}");
    let mut stream = stream.unwrap().unwrap();
    stream.write_all(b"ping").await.unwrap();
    stream.flush().await.unwrap();
    let mut bytes = [0; 4];
    far.read_exact(&mut bytes).await.unwrap();
    far.write_all(b"pong").await.unwrap();
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"pong");
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_by_its_status() {
    for (answer, expected, advice) in [
        (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], Failure::Proxy(407), None),
        (b"HTTP/1.1 429 Slowly\r\nVia: x\r\nretry-after:  7\r\n\r\n", Failure::Proxy(429), Some(7)),
        (b"HTTP/1.1 502 Bad Gateway\r\nRetry-After: soon\r\n\r\n", Failure::Proxy(502), None),
        (b"220 mail.example ESMTP\r\n\r\n", Failure::NoProxy, None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::new(&listener.local_addr().unwrap().to_string()).unwrap();
        let dialing = Tcp::new().with_proxy(proxy).dial(&server("ws.invalid", 443));
        let (stream, _) = tokio::join!(dialing, answered(&listener, answer));
        let error = stream.err().unwrap();
        let NotOpened { failure, retry_after } = NotOpened::tls(&error);
        assert_eq!((failure, retry_after), (expected, advice.map(Duration::from_secs)), "{error}");
    }
}

/// A session whose server is reached through a proxy that has this to say, until it fails.
async fn failed_behind(scheme: &str, answer: &'static [u8]) -> crate::Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(answer).await.unwrap();
            // What it still has to say must not be lost in a reset.
            tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
        }
    });
    let target = Target::new("wss://ws.invalid/ws").unwrap();
    let builder = Session::builder(target, Dialect::genesys(), Numbered::for_ever());
    let tcp = Tcp::new().with_proxy(Proxy::new(&url).unwrap());
    let mut session = builder.with_dialer(Arc::new(tcp)).spawn();
    timeout(Duration::from_secs(5), session.authenticated()).await.unwrap().unwrap_err()
}

#[tokio::test]
async fn a_session_that_fails_for_its_proxy_says_so_and_what_to_do() {
    let error = failed_behind("http", b"HTTP/1.1 407 Who are you\r\n\r\n").await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::ConnectionRefused, Some(407)));
    assert!(error.to_string().contains("proxy's URL, its credentials, and what it allows"), "{error}");
    let error = failed_behind("http", b"220 mail.example ESMTP\r\n").await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::ConnectionRefused, None));
    assert!(error.to_string().contains("does not speak HTTP; check the proxy's URL and its port"), "{error}");
}

/// To a proxy, loopback is its own machine: what goes there in clear would leave this one.
#[tokio::test]
async fn a_server_on_this_machine_is_reached_directly() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = Tcp::new().with_proxy(Proxy::new(&proxy.local_addr().unwrap().to_string()).unwrap());
    let port = listener.local_addr().unwrap().port();
    let dialed = timeout(Duration::from_secs(5), tcp.dial(&server("127.0.0.1", port))).await.unwrap();
    let (_, accepted) = (dialed.unwrap(), listener.accept().await.unwrap());
    assert!(accepted.1.ip().is_loopback());
    assert!(timeout(Duration::from_millis(50), proxy.accept()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn headers_of_the_users_own_go_with_the_upgrade() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let builder = builder.with_header("Origin", &Secret::from("https://app.example")).unwrap();
    let builder = builder.with_header("X-Trace", &Secret::from("one")).unwrap();
    let _session = builder.with_header("x-trace", &Secret::from("two")).unwrap().spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let request = peer.request.to_lowercase();
    for header in ["\r\norigin: https://app.example\r\n", "\r\nx-trace: one\r\n", "\r\nx-trace: two\r\n"] {
        assert!(request.contains(header), "{request}");
    }
}

#[test]
fn a_header_that_is_not_the_users_to_give_is_refused() {
    for (name, value) in [
        ("Host", "canary"),
        ("Sec-WebSocket-Key", "canary"),
        ("connection", "canary"),
        ("no name", "canary"),
        ("", "canary"),
        ("X-Split", "canary\r\nX-Other: 1"),
        ("authorization", "canary"),
    ] {
        let (builder, ..) = session_of(Dialect::bearer_header(), 1_024, Numbered::for_ever());
        let refused = builder.with_header(name, &Secret::from(value)).err().unwrap();
        assert!(
            matches!(refused, ConfigError::Header(..)) && !refused.to_string().contains("canary"),
            "{refused}"
        );
    }
}

#[test]
fn more_roots_must_be_some() {
    assert!(matches!(Target::with_more_roots("wss://127.0.0.1/", b"canary"), Err(ConfigError::Tls(_))));
    assert!(matches!(Proxy::with_roots("https://proxy", b"canary"), Err(ConfigError::Tls(_))));
}
