//! Ably over real sockets: the client against servers that answer by script, and against our own.

mod auth_url;
mod our_realtime;
mod our_service;
mod rest;
mod session;
mod threads;

use std::sync::Arc;

use auth_core::ably::{ApiKey, AuthOptions, AuthUrl, TokenReply};
use auth_core::{Error, Secret};
use auth_http::ably::wire::error_of;
use auth_http::ably::{Auth, Builder, Surroundings};
use auth_http::client::{HyperClient, Roots};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use realtime_auth_tests::authority::Authority;
use realtime_auth_tests::script::{Answer, Script};

const KEY: &str = "appId.keyId:keySecret";
const JSON: &str = "Content-Type: application/json\r\n";

/// What a client on tokio has, with room for the longest answer of an auth URL.
fn surroundings(roots: Roots) -> Surroundings {
    let client = HyperClient::builder().with_roots(roots).with_plaintext();
    let client = client.with_largest_reply(TokenReply::LONGEST + 1).build().unwrap();
    Surroundings::over(Arc::new(client))
}

/// Roots that nothing here is signed by.
fn no_roots() -> Roots {
    Roots::none().with_pem(Authority::new().unwrap().pem().as_bytes()).unwrap()
}

/// A client of the service at `url`.
fn client(options: AuthOptions, url: &str) -> Builder {
    Auth::builder(options, surroundings(no_roots())).with_endpoint(url)
}

fn key() -> AuthOptions {
    AuthOptions::new().with_key(ApiKey::parse(KEY).unwrap())
}

fn ask(url: &Script) -> AuthOptions {
    AuthOptions::new().with_auth_url(AuthUrl::new(format!("{}/auth?own=1", url.url())))
}

async fn serve(answers: Vec<Answer>) -> Script {
    Script::serve(answers).await.unwrap()
}

async fn status(auth: &Auth) -> Result<Response<Bytes>, Error> {
    let response = auth.request(Request::get("/channels/x").body(Bytes::new()).unwrap()).await?;
    error_of(&response).map_or(Ok(response), Err)
}

/// How a token stands in a request.
fn bearer(token: &str) -> String {
    format!("Bearer {}", STANDARD.encode(token))
}

/// The value of a header, as it was received.
fn header(request: &str, name: &str) -> Option<String> {
    request.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (is, value) = line.split_once(':')?;
        is.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn token(secret: &Secret) -> &str {
    secret.expose()
}
