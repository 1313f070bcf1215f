//! What our dependencies log at level TRACE: no secret is in it, whatever the way of the request.

use auth_core::Secret;
use auth_http::client::{HyperClient, Proxy, Roots};
use auth_http::exchange::HttpExchange as _;
use auth_http::wire::{TokenEndpoint, TokenForm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use realtime_auth_tests::authority::{self, Authority};
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::http2::Connection;
use realtime_auth_tests::proxy::Proxy as Server;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script::{Answer, Script};

use super::{PATIENCE, ask, at_loopback};

/// Every secret of an exchange is some form of this.
const CANARY: &str = "canary4f1e";

/// All on one thread: the test, the server, and the tasks of the client.
#[tokio::test]
async fn dependencies_at_trace_log_no_secret() {
    let listening = Listening::begin();
    tracing::trace!("the control: {CANARY}");

    let answer = format!(r#"{{"access_token":"{CANARY}","token_type":"bearer","refresh_token":"{CANARY}"}}"#);
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor("login.example", &["h2"], None).unwrap();
    let body = answer.clone();
    let endpoint = RawServer::serve(move |stream, _| {
        let (acceptor, body) = (acceptor.clone(), body.clone());
        async move {
            let mut http2 = Connection::greet(authority::accept(&acceptor, stream).await?).await?;
            loop {
                let stream = http2.request().await?;
                http2.reply(stream, &body).await?;
            }
        }
    });
    let endpoint = endpoint.await.unwrap();
    let pair = format!("user:{CANARY}");
    let authorization = format!("Basic {}", STANDARD.encode(&pair));
    let tls = authority.acceptor("proxy.example", &[], None).unwrap();
    let proxy = Server::serve(endpoint.address(), Some(authorization), Some(tls)).await.unwrap();
    let url = format!("https://{pair}@proxy.example:{}", proxy.address().port());
    let http2 = HyperClient::builder()
        .with_roots(Roots::none().with_pem(authority.pem().as_bytes()).unwrap())
        .with_resolver(at_loopback())
        .with_proxy(Proxy::new(&url).unwrap())
        .with_timeout(PATIENCE)
        .build()
        .unwrap();
    let http1 = HyperClient::plaintext().with_timeout(PATIENCE);
    let plain = Script::serve(vec![Answer::http(200, "", &answer)]).await.unwrap();
    for (client, url) in [(&http2, "https://login.example"), (&http1, plain.url())] {
        let endpoint =
            TokenEndpoint::new(&format!("{url}/token?key={CANARY}"), CANARY, Secret::from(CANARY)).unwrap();
        for form in [TokenForm::client_credentials(), TokenForm::refresh_token(&Secret::from(CANARY))] {
            let request = endpoint.request(&form, None).unwrap();
            let response = client.exchange(request).await.unwrap();
            assert!(String::from_utf8_lossy(response.body()).contains(CANARY));
        }
    }
    // Failures are logged as well.
    let gone = RawServer::serve(|_, _| async { Ok(()) }).await.unwrap().address();
    ask(&http1, &format!("http://{gone}")).await.unwrap_err();

    let heard = listening.end();
    let (control, heard) = heard.split_once('\n').unwrap();
    assert!(control.contains(CANARY), "the ear hears");
    for target in ["h2", "rustls"] {
        assert!(heard.contains(&format!("\n{target}::")), "{target} has logged nothing");
    }
    let encoded = STANDARD.encode(format!("{CANARY}:{CANARY}"));
    let bytes = format!("{:?}", CANARY.as_bytes());
    let forms = [CANARY, &STANDARD.encode(&pair), &encoded, &bytes[1..bytes.len() - 1]];
    for line in heard.lines() {
        assert!(!forms.iter().any(|form| line.contains(form)), "{line}");
    }
    // Numbers in `{:#?}` stand on lines of their own.
    let joined: String = heard.split_whitespace().collect();
    let numbers: String = bytes[1..bytes.len() - 1].split_whitespace().collect();
    assert!(!joined.contains(&numbers), "the bytes of a secret are logged as numbers");
}
