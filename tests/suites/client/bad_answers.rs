//! What comes of each kind of bad answer: the error that a caller gets, and what a token manager makes of it.
//!
//! The variants of each, framing by framing, are in `http1`, `http2` and `connections`.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::client::{HyperClient, Resolve};
use auth_http::exchange::HttpExchange;
use auth_http::grant::ClientCredentials;
use auth_http::manager::TokenManager;
use auth_http::wire::TokenEndpoint;
use bytes::Bytes;
use http::{Request, Response};
use realtime_auth_tests::authority::{self, Authority};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script::{self, Answer, Script};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::{At, PATIENCE, TOKEN, ask, token, trusting};

/// A manager that has its tokens from the server at `url`, through `client`.
fn manager(client: impl HttpExchange + 'static, url: &str) -> TokenManager {
    let endpoint = TokenEndpoint::new(&format!("{url}/token"), "id", Secret::from("secret")).unwrap();
    TokenManager::builder(ClientCredentials::new(endpoint, Arc::new(client))).spawn()
}

#[tokio::test]
async fn each_bad_answer_has_a_kind_a_retry_class_and_says_whether_it_is_in_doubt() {
    use ErrorKind::{InvalidClient, MalformedResponse, RateLimited, Refused, ServerFailed, Transport};
    let seconds = |seconds| Retry::After(Duration::from_secs(seconds));
    let dated = "Date: Fri, 20 Nov 2026 10:00:00 GMT\r\nRetry-After: Fri, 20 Nov 2026 10:00:09 GMT\r\n";
    let typed = |name: &str| format!(r#"{{"access_token":"t","token_type":"{name}"}}"#);
    let http = Answer::http;
    let torn = format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{TOKEN}");
    let large_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n{TOKEN}", "x".repeat(1_000_000));
    for (name, answer, kind, retry, in_doubt) in [
        ("401", http(401, "", ""), InvalidClient, Retry::Never, false),
        ("403", http(403, "", ""), Refused, Retry::Never, false),
        ("429 with seconds", http(429, "Retry-After: 7\r\n", ""), RateLimited, seconds(7), false),
        ("429 with a date", http(429, dated, ""), RateLimited, seconds(9), false),
        ("429 negative", http(429, "Retry-After: -7\r\n", ""), RateLimited, Retry::Backoff, false),
        ("429 far", http(429, "Retry-After: 1000000000\r\n", ""), RateLimited, seconds(1_000_000_000), false),
        ("429 1e9", http(429, "Retry-After: 1e9\r\n", ""), RateLimited, Retry::Backoff, false),
        ("429 garbage", http(429, "Retry-After: soon\r\n", ""), RateLimited, Retry::Backoff, false),
        ("500", http(500, "", ""), ServerFailed, Retry::Backoff, true),
        ("502", http(502, "", "<html>"), ServerFailed, Retry::Backoff, true),
        ("503", http(503, "", ""), ServerFailed, Retry::Backoff, false),
        ("HTML", http(200, "", "<html>hello</html>"), MalformedResponse, Retry::Backoff, true),
        ("half of the JSON", http(200, "", &TOKEN[..30]), MalformedResponse, Retry::Backoff, true),
        ("mac", http(200, "", &typed("mac")), MalformedResponse, Retry::Backoff, true),
        ("too large", http(200, "", &"x".repeat(1 << 20)), MalformedResponse, Retry::Backoff, true),
        ("a redirect", http(302, "Location: /token\r\n", ""), Refused, Retry::Never, false),
        ("a head of 1 MB", Answer::Bytes(large_head.into_bytes()), MalformedResponse, Retry::Backoff, true),
        ("torn", Answer::Bytes(torn.into_bytes()), Transport, Retry::Backoff, true),
    ] {
        let server = Script::serve(vec![answer]).await.unwrap();
        let client = HyperClient::plaintext().with_timeout(PATIENCE);
        let error = ask(&client, server.url()).await.expect_err(name);
        assert_eq!(
            (error.kind(), error.retry(), error.is_in_doubt()),
            (kind, retry, in_doubt),
            "{name}: {error:?}"
        );
        assert_eq!(server.requests().len(), 1, "{name}: sent again");
    }
}

/// A thousand million seconds are as good as a mistake. Whoever waits is told at once, and the next request comes after
/// five minutes.
#[tokio::test(start_paused = true)]
async fn advice_to_wait_for_years_is_followed_for_minutes() {
    let far = Answer::http(429, "Retry-After: 1000000000\r\n", "");
    let server = Script::serve(vec![far, Answer::token("t1", 3_600)]).await.unwrap();
    let manager = manager(HyperClient::plaintext(), server.url());
    let error = manager.token(Demand::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error:?}");
    tokio::time::sleep(Duration::from_secs(299)).await;
    manager.token(Demand::Current).await.unwrap_err();
    assert_eq!(server.requests().len(), 1, "asked again before the wait was over");
    tokio::time::sleep(Duration::from_secs(32)).await;
    assert_eq!(manager.token(Demand::Current).await.unwrap().secret().expose(), "t1");
    assert_eq!(server.requests().len(), 2);
    manager.shut_down().await;
}

#[tokio::test]
async fn a_server_that_recovers_costs_a_caller_nothing_but_time() {
    for status in [500, 502, 503] {
        let failure = Answer::http(status, "", "<html>");
        let server = Script::serve(vec![failure, Answer::token("t1", 3_600)]).await.unwrap();
        let manager = manager(HyperClient::plaintext(), server.url());
        let token = manager.token(Demand::Current).await.unwrap();
        assert_eq!((token.secret().expose(), server.requests().len()), ("t1", 2), "{status}");
        manager.shut_down().await;
    }
}

/// A server that gives every request the same answer, at once.
struct Repeating {
    body: String,
    requests: Arc<AtomicUsize>,
}

#[async_trait]
impl HttpExchange for Repeating {
    async fn exchange(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(self.body.clone().into()))
    }
}

/// A lifetime that makes no sense costs neither the token nor the server's peace.
#[tokio::test(start_paused = true)]
async fn no_lifetime_makes_a_token_immortal_or_a_storm_of_requests() {
    const HOUR: u64 = 3_600;
    for (member, lives) in [
        (r#","expires_in":"60""#, Some(60)),
        ("", Some(HOUR)),
        (r#","expires_in":1000000000000000000"#, Some(24 * HOUR)),
        (r#","expires_in":1e18"#, Some(24 * HOUR)),
        (r#","expires_in":"soon""#, Some(HOUR)),
        (r#","expires_in":0"#, None),
        (r#","expires_in":-60"#, None),
    ] {
        let body = format!(r#"{{"access_token":"t1","token_type":"bearer"{member}}}"#);
        let server = Repeating { body, requests: Arc::default() };
        let requests = Arc::clone(&server.requests);
        let manager = manager(server, "https://login.example");
        let token = manager.token(Demand::Current).await;
        match (&token, lives) {
            (Ok(token), Some(seconds)) => {
                let left = token.expires_in().expect("its end is known").as_secs();
                assert!((seconds - 2..=seconds).contains(&left), "{member}: {left} s");
            }
            (Err(_), None) => {}
            outcome => panic!("{member}: {outcome:?}"),
        }
        // Callers who ask again as soon as they have an answer, for two seconds.
        let _ = tokio::time::timeout(Duration::from_secs(2), async {
            loop {
                drop(manager.token(Demand::Current).await);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        // Three attempts a flight, and half a second at least from one flight to the next.
        let requests = requests.load(Ordering::Relaxed);
        assert!((1..=12).contains(&requests), "{member}: {requests} requests");
        manager.shut_down().await;
    }
}

/// From TLS to plain text, and round and round. The client goes nowhere, whatever the place.
#[tokio::test]
async fn no_redirect_leads_anywhere() {
    let target = Script::serve(vec![Answer::token("stolen", 60)]).await.unwrap();
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor("login.example", &[], None).unwrap();
    let location = format!("{}/token", target.url());
    let serving = RawServer::serve(move |stream, _| {
        let (acceptor, location) = (acceptor.clone(), location.clone());
        async move {
            let mut stream = authority::accept(&acceptor, stream).await?;
            script::read(&mut stream).await?;
            let reply =
                format!("HTTP/1.1 307 Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(reply.as_bytes()).await
        }
    });
    let server = serving.await.unwrap();
    let client = trusting(&authority).with_plaintext().build().unwrap();
    let url = format!("https://login.example:{}", server.address().port());
    let error = ask(&client, &url).await.unwrap_err();
    assert_eq!((error.kind(), error.code(), error.is_in_doubt()), (ErrorKind::Refused, Some(307), false));
    assert_eq!((server.connections(), target.requests().len()), (1, 0));
}

/// Fails twice, as while a network comes up, and then knows the way.
#[derive(Default)]
struct ComesUp(AtomicUsize);

#[async_trait]
impl Resolve for ComesUp {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Err(io::Error::other("temporary failure in name resolution")),
            _ => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
        }
    }
}

#[tokio::test]
async fn a_name_that_can_be_resolved_again_gives_its_token_to_whoever_waits() {
    let server = Script::serve(vec![Answer::token("t1", 3_600)]).await.unwrap();
    let (_, port) = server.url().rsplit_once(':').unwrap();
    let resolver = Arc::new(ComesUp::default());
    let client = HyperClient::builder().with_plaintext().with_resolver(Arc::clone(&resolver) as _);
    // A name of this machine, or the endpoint would want TLS.
    let manager = manager(client.build().unwrap(), &format!("http://localhost:{port}"));
    let token = manager.token(Demand::Current).await.unwrap();
    assert_eq!((token.secret().expose(), resolver.0.load(Ordering::Relaxed)), ("t1", 3));
    assert_eq!(server.requests().len(), 1);
    manager.shut_down().await;
}

/// IPv6 swallows what it is sent, IPv4 works; and the other way round nothing works, which is the control.
#[tokio::test]
async fn a_black_hole_on_ipv6_does_not_hide_ipv4() {
    let Some((server, socket)) = on_one_port().await else {
        eprintln!("this machine has no IPv6");
        return;
    };
    let port = socket.local_addr().unwrap().port();
    let hole = socket.listen(1).unwrap();
    let mut queue = Vec::new();
    // A queue that is full answers no more: the kernel drops what comes.
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(hole.local_addr().unwrap())).await
    {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue never fills");
    }
    let six = IpAddr::from(Ipv6Addr::LOCALHOST);
    let four = IpAddr::from([127, 0, 0, 1]);
    let url = format!("http://localhost:{port}");
    let client = |addresses| {
        let builder = HyperClient::builder().with_plaintext().with_resolver(Arc::new(At(addresses)));
        builder.with_connect_timeout(Duration::from_secs(2)).build().unwrap()
    };
    assert_eq!(token(ask(&client(vec![six, four]), &url).await), "t1");
    assert_eq!(server.requests().len(), 1);
    let error = ask(&client(vec![six]), &url).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Timeout, false), "{error:?}");
}

/// A server on IPv4, and a socket with the same port on IPv6; `None` where there is no IPv6.
async fn on_one_port() -> Option<(Script, TcpSocket)> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let server = Script::serve(vec![Answer::token("t1", 3_600)]).await.unwrap();
        let (_, port) = server.url().rsplit_once(':').unwrap();
        let socket = TcpSocket::new_v6().unwrap();
        match socket.bind((Ipv6Addr::LOCALHOST, port.parse().unwrap()).into()) {
            Ok(()) => return Some((server, socket)),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return None,
            // Somebody else has it there: the next server gets another port.
            Err(error) => assert!(error.kind() == io::ErrorKind::AddrInUse && attempts < 20, "{error}"),
        }
    }
}
