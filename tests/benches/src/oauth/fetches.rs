//! Fetching a token by the client credentials grant: beside bare hyper, and beside the crate `oauth2` over reqwest.
//!
//! Client and server run as tasks of one thread: whatever an exchange costs, on either side, is that thread's time, and no
//! second core's wake-ups or moods are in it. So the wall time of a batch is its CPU time, with a finer grain than the
//! kernel's own counts have, and there is nothing left to pin.

use std::sync::Arc;

use auth_core::Secret;
use auth_core::renewal::Attempt;
use auth_http::client::HyperClient;
use auth_http::grant::{ClientCredentials, Grant as _};
use auth_http::wire::TokenEndpoint;
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use oauth2::basic::BasicClient;
use oauth2::{ClientId, ClientSecret, TokenResponse as _, TokenUrl};
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};

use super::server::{Heard, serve};
use crate::case::{Bar, Case, Routine, Work};

pub(crate) fn cases() -> Vec<Case> {
    vec![beside_hyper(), beside_oauth2()]
}

const ID: &str = "client";
const SECRET: &str = "secret";

/// The form of the grant, which all of them send.
const FORM: &str = "grant_type=client_credentials";

/// What any client must do: write the request, read the reply to its end.
#[expect(clippy::panic, reason = "a bench that compares different requests measures nothing")]
fn beside_hyper() -> Case {
    let (ours, ours_heard) = ours();
    let (baseline, baseline_heard) = hyper();
    let lines = |heard: &Heard| {
        let first = heard.first();
        let mut lines: Vec<_> =
            first.lines().filter(|line| !line.starts_with("host: ")).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    if lines(&ours_heard) != lines(&baseline_heard) {
        panic!("two requests: {} and {}", ours_heard.first(), baseline_heard.first());
    }
    Case {
        subject: "fetch_beside_bare_hyper",
        size: None,
        work: Work::Timed { ours, baseline },
        baseline_name: "the same POST on one connection of hyper's, its reply not read as JSON",
        bar: Bar::Ratio(1.1),
    }
}

/// What most programs would do instead.
fn beside_oauth2() -> Case {
    Case {
        subject: "fetch_beside_oauth2",
        size: None,
        work: Work::Timed { ours: ours().0, baseline: oauth2().0 },
        baseline_name: "the crate oauth2 over reqwest's default client",
        bar: Bar::Ratio(1.0),
    }
}

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn ours() -> (Routine, Heard) {
    let runtime = runtime();
    let (address, heard) = runtime.block_on(serve());
    let url = format!("http://{address}/oauth/token");
    let endpoint = TokenEndpoint::new(&url, ID, Secret::from(SECRET)).expect("the endpoint is on loopback");
    let grant = ClientCredentials::new(endpoint, Arc::new(HyperClient::plaintext()));
    let attempt = Attempt::new(None);
    let fetch = async move |times| {
        for _ in 0..times {
            grant.obtain(&attempt).await.expect("the server issues tokens");
        }
    };
    (warm(runtime, fetch), heard)
}

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
#[expect(clippy::disallowed_methods, reason = "hyper wants its connection driven beside its requests")]
fn hyper() -> (Routine, Heard) {
    let runtime = runtime();
    let (address, heard) = runtime.block_on(serve());
    let mut connection: SendRequest<Full<Bytes>> = runtime.block_on(async {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("the connection stands");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("nothing is said yet");
        tokio::spawn(connection);
        sender
    });
    let host = HeaderValue::try_from(address.to_string()).expect("an address fits a header");
    let mut request = Request::post("/oauth/token").body(Bytes::from(FORM)).expect("it is a request");
    let headers = request.headers_mut();
    headers.insert("authorization", HeaderValue::from_static("Basic Y2xpZW50OnNlY3JldA=="));
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert("accept", HeaderValue::from_static("application/json"));
    headers.insert("host", host);
    let fetch = async move |times| {
        for _ in 0..times {
            let reply = connection.send_request(request.clone().map(Full::new)).await;
            let body = reply.expect("the server answers").into_body().collect().await;
            assert!(body.expect("the reply is whole").to_bytes().len() > 800, "it has the token");
        }
    };
    (warm(runtime, fetch), heard)
}

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn oauth2() -> (Routine, Heard) {
    let runtime = runtime();
    let (address, heard) = runtime.block_on(serve());
    let url = TokenUrl::new(format!("http://{address}/oauth/token")).expect("it is a URL");
    let client = BasicClient::new(ClientId::new(ID.to_owned()))
        .set_client_secret(ClientSecret::new(SECRET.to_owned()))
        .set_token_uri(url);
    let http = oauth2::reqwest::Client::new();
    let fetch = async move |times| {
        for _ in 0..times {
            let reply = client.exchange_client_credentials().request_async(&http).await;
            let token = reply.expect("the server issues tokens");
            assert_eq!(token.access_token().secret().len(), 800, "it has the token");
        }
    };
    (warm(runtime, fetch), heard)
}

/// A routine whose connection stands, on a runtime of its own.
fn warm(runtime: Runtime, mut fetch: impl AsyncFnMut(u64) + 'static) -> Routine {
    let mut routine: Routine = Box::new(move |times| runtime.block_on(fetch(times)));
    routine(1);
    routine
}

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn runtime() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().build().expect("the system has threads and sockets")
}
