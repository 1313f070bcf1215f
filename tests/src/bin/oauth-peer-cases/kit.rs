//! What the cases at every server need: keys, clocks, and requests by hand.

use std::error::Error as StdError;
use std::sync::Arc;

use auth_core::jwt::SigningKey;
use auth_core::renewal::Attempt;
use auth_core::time::Now;
use auth_core::{Error, Secret};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange;
use auth_http::fetched::Clock;
use auth_http::freshness::{Freshness, SystemFreshness};
use auth_http::manager::StdClock;
use auth_http::wire::{ClientAuthentication, Dpop, TokenEndpoint};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use rcgen::KeyPair;
use serde::{Deserialize as _, Deserializer};

use realtime_auth_tests::verdict::Wrong;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A secret in what a server's script says of itself.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

pub(crate) fn clock() -> Clock {
    let clock = StdClock::start();
    Arc::new(move || clock.now())
}

pub(crate) fn now() -> Now {
    StdClock::start().now()
}

pub(crate) fn freshness() -> Arc<dyn Freshness> {
    Arc::new(SystemFreshness)
}

/// The first attempt of a login.
pub(crate) const fn anew() -> Attempt {
    Attempt::new(None)
}

/// An attempt that redeems this.
pub(crate) fn with(refresh_token: &Secret) -> Attempt {
    Attempt::new(Some(refresh_token.clone()))
}

/// A key that nobody else has.
pub(crate) fn key() -> Result<Arc<SigningKey>, Wrong> {
    let pem = KeyPair::generate()?.serialize_pem();
    Ok(Arc::new(SigningKey::from_pem(&Secret::from(pem))?))
}

/// The same, for proofs.
pub(crate) fn dpop() -> Result<Dpop, Wrong> {
    Ok(Dpop::new(key()?, freshness())?)
}

/// The key of a JWK that the server's script drew.
pub(crate) fn of_jwk(jwk: &serde_json::Value) -> Result<Arc<SigningKey>, Wrong> {
    Ok(Arc::new(SigningKey::from_jwk(&Secret::from(jwk.to_string()))?))
}

pub(crate) fn endpoint(
    uri: &str,
    client: Result<ClientAuthentication, impl StdError>,
) -> Result<TokenEndpoint, Wrong> {
    Ok(TokenEndpoint::for_client(uri, client?)?)
}

/// A request by hand.
pub(crate) fn request(method: Method, uri: &str, body: &str) -> Result<Request<Bytes>, http::Error> {
    let request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, FORM);
    request.body(Bytes::from(body.to_owned()))
}

pub(crate) async fn post(uri: &str, body: &str) -> Result<Response<Bytes>, Wrong> {
    Ok(HyperClient::plaintext().exchange(request(Method::POST, uri, body)?).await?)
}

/// What a server's script answers to a login without a browser.
pub(crate) async fn seed(uri: &str) -> Result<Secret, Wrong> {
    let response = post(uri, "").await?;
    let text = String::from_utf8(response.body().to_vec())?;
    if response.status().is_success() && !text.is_empty() {
        return Ok(Secret::from(text));
    }
    Err(Wrong::new("a login by the server's script", format!("status {}", response.status())))
}

/// The header of an answer, in lower case; empty if there is none.
pub(crate) fn header(response: &Response<Bytes>, name: &str) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

/// The code of an error answer.
pub(crate) fn code(response: &Response<Bytes>) -> String {
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
    body["error"].as_str().unwrap_or_default().to_owned()
}

/// Sends a request, and gives the answer to whoever reads it.
pub(crate) async fn exchanged<T>(
    request: Result<Request<Bytes>, Error>,
    read: impl FnOnce(&Response<Bytes>) -> Result<T, Error>,
) -> Result<T, Error> {
    read(&HyperClient::plaintext().exchange(request?).await?)
}
