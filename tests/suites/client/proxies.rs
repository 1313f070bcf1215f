//! Through a proxy: tunnels with and without credentials, exceptions, and what the proxy gets to see.

use auth_core::ErrorKind;
use auth_http::client::{HyperClient, Proxy};
use auth_http::exchange::HttpExchange as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use realtime_auth_tests::authority::Authority;
use realtime_auth_tests::proxy::Proxy as Server;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script::{Answer, Script};

use super::{ask, tls_server, token, trusting};

/// A token endpoint over TLS under a name, and its authority.
async fn endpoint(name: &str) -> (RawServer, Authority) {
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor(name, &["http/1.1"], None).unwrap();
    (tls_server(acceptor).await, authority)
}

fn basic(pair: &str) -> Option<String> {
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

#[tokio::test]
async fn a_tunnel_needs_no_resolution_and_shows_the_proxy_only_where_to() {
    let (endpoint, authority) = endpoint("login.example").await;
    let proxy = Server::serve(endpoint.address(), None, None).await.unwrap();
    let client = trusting(&authority).with_proxy(Proxy::new(&proxy.address().to_string()).unwrap());
    // Nobody could resolve this name to what listens there; the proxy knows it.
    assert_eq!(token(ask(&client.build().unwrap(), "https://login.example").await), "t1");
    let expected = "CONNECT login.example:443 HTTP/1.1\r\nHost: login.example:443\r\n\r\n";
    assert_eq!(proxy.heads(), [expected]);
}

#[tokio::test]
async fn an_address_is_asked_for_as_it_stands_in_a_url() {
    let (endpoint, authority) = endpoint("2001:db8::1").await;
    let proxy = Server::serve(endpoint.address(), None, None).await.unwrap();
    let client = trusting(&authority).with_proxy(Proxy::new(&proxy.address().to_string()).unwrap());
    assert_eq!(token(ask(&client.build().unwrap(), "https://[2001:db8::1]:8443").await), "t1");
    assert!(proxy.heads()[0].starts_with("CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n"), "{:?}", proxy.heads());
}

#[tokio::test]
async fn credentials_open_the_tunnel_and_without_them_the_error_says_so() {
    let (endpoint, authority) = endpoint("login.example").await;
    let proxy = Server::serve(endpoint.address(), basic("user:p@ss"), None).await.unwrap();
    let through = |userinfo: &str| {
        let proxy = Proxy::new(&format!("http://{userinfo}{}", proxy.address())).unwrap();
        trusting(&authority).with_proxy(proxy).build().unwrap()
    };
    assert_eq!(token(ask(&through("user:p%40ss@"), "https://login.example").await), "t1");
    for userinfo in ["", "user:wrong-canary@"] {
        let error = ask(&through(userinfo), "https://login.example").await.unwrap_err();
        assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Misconfigured, false), "{error:?}");
        assert!(error.to_string().starts_with("the proxy wants other credentials (status 407); put them"));
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_proxy_that_speaks_tls_is_checked_like_a_server() {
    let (endpoint, authority) = endpoint("login.example").await;
    let acceptor = |name: &str| authority.acceptor(name, &["h2", "http/1.1"], None).unwrap();
    let sound =
        Server::serve(endpoint.address(), basic("u:p"), Some(acceptor("proxy.example"))).await.unwrap();
    let false_one = Server::serve(endpoint.address(), None, Some(acceptor("other.example"))).await.unwrap();
    let through = |proxy: &Server| {
        let url = format!("https://u:p@proxy.example:{}", proxy.address().port());
        trusting(&authority).with_proxy(Proxy::new(&url).unwrap()).build().unwrap()
    };
    assert_eq!(token(ask(&through(&sound), "https://login.example").await), "t1");
    let error = ask(&through(&false_one), "https://login.example").await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Transport, false), "{error:?}");
    assert!(
        error.to_string().starts_with("the proxy's TLS handshake failed; check that its certificate"),
        "{error}"
    );
    assert!(false_one.heads().is_empty(), "it was told the credentials");
}

#[tokio::test]
async fn exceptions_and_this_machine_are_reached_directly() {
    let (endpoint, authority) = endpoint("login.example").await;
    let proxy = Server::serve(endpoint.address(), None, None).await.unwrap();
    let environment = |no_proxy: &'static str| {
        let address = format!("http://{}", proxy.address());
        Proxy::from_environment(move |name| match name {
            "HTTPS_PROXY" => Some(address.clone()),
            "NO_PROXY" => Some(no_proxy.to_owned()),
            _ => None,
        })
        .unwrap()
    };
    let url = format!("https://login.example:{}", endpoint.address().port());
    let direct = trusting(&authority).with_proxy(environment("internal, .example")).build().unwrap();
    assert_eq!(token(ask(&direct, &url).await), "t1");
    assert!(proxy.heads().is_empty());
    // The control.
    let through = trusting(&authority).with_proxy(environment("internal")).build().unwrap();
    assert_eq!(token(ask(&through, &url).await), "t1");
    assert_eq!(proxy.heads().len(), 1);

    let here = Script::serve(vec![Answer::token("here", 60)]).await.unwrap();
    let client =
        HyperClient::builder().with_plaintext().with_proxy(Proxy::new(&proxy.address().to_string()).unwrap());
    assert_eq!(token(ask(&client.build().unwrap(), here.url()).await), "here");
    assert_eq!(proxy.heads().len(), 1);
}

/// In a request of its own, the proxy would see the credentials and could answer for the server.
#[tokio::test]
async fn plain_http_goes_through_a_tunnel_as_well() {
    let server = Script::serve(vec![Answer::token("t1", 60)]).await.unwrap();
    let target = server.url().trim_start_matches("http://").parse().unwrap();
    let proxy = Server::serve(target, None, None).await.unwrap();
    let client =
        HyperClient::builder().with_plaintext().with_proxy(Proxy::new(&proxy.address().to_string()).unwrap());
    let request = Request::post("http://metadata.example/token").body(Bytes::from_static(b"grant_type=x"));
    let response = client.build().unwrap().exchange(request.unwrap()).await.unwrap();
    assert!(response.status().is_success());
    assert_eq!(proxy.heads(), ["CONNECT metadata.example:80 HTTP/1.1\r\nHost: metadata.example:80\r\n\r\n"]);
    assert!(server.requests()[0].starts_with("POST /token HTTP/1.1\r\n"), "{:?}", server.requests());
}

#[tokio::test]
async fn what_the_proxy_says_instead_is_not_taken_for_the_server() {
    for (answer, kind) in [
        (Answer::http(502, "", "<html>"), ErrorKind::Transport),
        (Answer::http(403, "", "<html>"), ErrorKind::Misconfigured),
        // The proxy would like to be the token endpoint.
        (Answer::http(400, "", r#"{"error":"invalid_grant"}"#), ErrorKind::Misconfigured),
        (Answer::token("from the proxy", 60), ErrorKind::Transport),
        (Answer::Bytes(b"SOCKS?".to_vec()), ErrorKind::Transport),
        (Answer::HangUp, ErrorKind::Transport),
    ] {
        let proxy = Script::serve(vec![answer.clone()]).await.unwrap();
        let client = trusting(&Authority::new().unwrap()).with_proxy(Proxy::new(proxy.url()).unwrap());
        let error = ask(&client.build().unwrap(), "https://login.example").await.unwrap_err();
        assert_eq!((error.kind(), error.is_in_doubt()), (kind, false), "{answer:?}: {error:?}");
        assert!(error.to_string().starts_with("the proxy"), "{answer:?}: {error}");
        assert_eq!(error.code(), None, "a status of the proxy is none of the endpoint");
        assert_eq!(proxy.requests().len(), 1);
    }
}
