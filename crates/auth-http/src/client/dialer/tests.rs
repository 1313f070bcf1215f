//! Each phase of a dial over loopback sockets: what it does, and how long it may take.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{Error, ErrorKind};
use rustls::RootCertStore;
use tokio::time::Instant;

use super::{Arc, ClientConfig, Deadlines, IpAddr, Proxy, Resolve, Settings, race};

/// What `work` came to, and how long it took on tokio's clock.
#[expect(clippy::disallowed_methods, reason = "the clock of these tests stands still until they move it")]
pub(super) async fn elapsed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (work.await, started.elapsed())
}

/// A resolver that knows one name, `known.example`, and never answers for another.
struct Names(Vec<IpAddr>);

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "known.example" => Ok(self.0.clone()),
            "unknown.example" => Err(io::Error::other("no such host")),
            _ => pending().await,
        }
    }
}

fn dialer(addresses: &[IpAddr], proxy: Proxy) -> Settings {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let tls = Some(Arc::new(tls));
    Settings {
        tls: tls.clone(),
        proxy_tls: tls,
        plaintext: true,
        proxy,
        resolver: Arc::new(Names(addresses.to_vec())),
        deadlines: Deadlines {
            resolution: Duration::from_secs(11),
            connecting: Duration::from_secs(12),
            proxy: Duration::from_secs(13),
            tls: Duration::from_secs(14),
        },
    }
}

async fn dial(dialer: &Settings, url: &str) -> (Result<(), Error>, Duration) {
    let url = url.parse().unwrap();
    let (outcome, took) = elapsed(dialer.dial(&url)).await;
    (outcome.map(drop).map_err(|fault| fault.to_error()), took)
}

/// A listener whose connections nobody takes: the kernel accepts them, and that is all.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// An address that swallows what is sent to it: a listener whose queue is full.
fn black_hole(address: &str) -> (Vec<TcpStream>, TcpListener, SocketAddr) {
    let listener = {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        socket.listen(1).unwrap().into_std().unwrap()
    };
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue never fills");
    }
    (queue, listener, address)
}

fn text_of(outcome: Result<(), Error>, kind: ErrorKind) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.is_in_doubt(), "{error:?}");
    error.to_string()
}

#[tokio::test(start_paused = true)]
async fn resolution_has_a_deadline_that_names_it() {
    let (outcome, took) = dial(&dialer(&[], Proxy::none()), "https://slow.example/").await;
    let text = text_of(outcome, ErrorKind::Timeout);
    assert_eq!(
        text,
        "the server's name was not resolved within 11s; check the host in its URL, and the network's DNS"
    );
    assert_eq!(took, Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn connecting_has_a_deadline_that_names_it() {
    let (_queue, _listener, address) = black_hole("127.0.0.1:0");
    let (outcome, took) = dial(&dialer(&[], Proxy::none()), &format!("https://{address}/")).await;
    let text = text_of(outcome, ErrorKind::Timeout);
    assert!(text.starts_with("the server's addresses did not answer within 12s; check"), "{text}");
    assert_eq!(took, Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn tls_has_a_deadline_that_names_it() {
    let (_listener, port) = silent();
    let (outcome, took) = dial(&dialer(&[], Proxy::none()), &format!("https://127.0.0.1:{port}/")).await;
    let text = text_of(outcome, ErrorKind::Timeout);
    assert!(text.starts_with("the server's TLS handshake was not finished within 14s; check"), "{text}");
    assert_eq!(took, Duration::from_secs(14));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_has_a_deadline_that_names_it() {
    let (_listener, port) = silent();
    let through = |scheme: &str| Proxy::new(&format!("{scheme}://127.0.0.1:{port}")).unwrap();
    let (outcome, took) = dial(&dialer(&[], through("http")), "https://any.example/").await;
    let text = text_of(outcome, ErrorKind::Timeout);
    assert!(text.starts_with("the proxy's tunnel was not opened within 13s; check"), "{text}");
    assert_eq!(took, Duration::from_secs(13));
    let (outcome, took) = dial(&dialer(&[], through("https")), "https://any.example/").await;
    let text = text_of(outcome, ErrorKind::Timeout);
    assert!(text.starts_with("the proxy's TLS handshake was not finished within 14s; check"), "{text}");
    assert_eq!(took, Duration::from_secs(14));
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_proxy_is_told_from_the_name_of_the_server() {
    let proxy = Proxy::new("http://unknown.example:3128").unwrap();
    let (outcome, _) = dial(&dialer(&[], proxy), "https://known.example/").await;
    let text = text_of(outcome, ErrorKind::Transport);
    assert!(text.starts_with("the proxy's name can't be resolved; check"), "{text}");
    let (outcome, _) = dial(&dialer(&[], Proxy::none()), "https://unknown.example/").await;
    let text = text_of(outcome, ErrorKind::Transport);
    assert!(text.starts_with("the server's name can't be resolved; check"), "{text}");
    // And without any address.
    let (outcome, _) = dial(&dialer(&[], Proxy::none()), "https://known.example/").await;
    text_of(outcome, ErrorKind::Transport);
}

/// The first address swallows what it is sent, the second answers: a quarter of a second later the client is connected.
#[tokio::test(start_paused = true)]
async fn a_dead_address_does_not_hide_a_live_one() {
    let (_listener, port) = silent();
    let (_queue, _dead, _) = black_hole(&format!("127.0.0.2:{port}"));
    let addresses = ["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let url = format!("http://known.example:{port}/");
    let (outcome, took) = dial(&dialer(&addresses, Proxy::none()), &url).await;
    outcome.unwrap();
    assert_eq!(took, race::HEAD_START);
    // The control: alone, the first never answers.
    let (outcome, _) = dial(&dialer(&addresses[..1], Proxy::none()), &url).await;
    text_of(outcome, ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_refuses_costs_no_time() {
    let (_listener, port) = silent();
    let addresses = ["127.0.0.3".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let url = format!("http://known.example:{port}/");
    let (outcome, took) = dial(&dialer(&addresses, Proxy::none()), &url).await;
    outcome.unwrap();
    assert_eq!(took, Duration::ZERO);
    let (outcome, _) = dial(&dialer(&addresses[..1], Proxy::none()), &url).await;
    let text = text_of(outcome, ErrorKind::Transport);
    assert!(text.starts_with("the server's addresses accept no connection; check"), "{text}");
}

#[tokio::test]
async fn what_the_client_does_not_speak_is_refused_before_anything_is_looked_up() {
    let strict = Settings { plaintext: false, ..dialer(&[], Proxy::none()) };
    let plain = Settings { tls: None, ..dialer(&[], Proxy::none()) };
    for (dialer, url) in [
        (&strict, "http://slow.example/"),
        (&strict, "ftp://slow.example/"),
        (&strict, "slow.example:443"),
        (&plain, "https://slow.example/"),
    ] {
        let (outcome, _) = dial(dialer, url).await;
        text_of(outcome, ErrorKind::Misconfigured);
    }
}
