//! Secrets in every input, and a server that sends them back in every member: none shows in what the crates print, log, report
//! or panic with.

mod configuration;
mod echoes;
mod endpoints;
mod grants;
mod managers;
mod providers;
mod shown;

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use auth_core::jwt::SigningKey;
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange;
use auth_http::freshness::{Freshness, SystemFreshness};
use auth_http::grant::Delay;
use auth_http::wire::{ClientAuthentication, DeviceEndpoint, DeviceLogin};

/// Part of most secrets that are text; long enough for a key of HS256.
const CANARY: &str = "canary4f1e-0123456789-0123456789-0123456789";

/// A secret that looks like the code of an error.
const LETTERS: &str = "canary_of_small_letters";

/// The private part of the keys.
const PRIVATE: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

fn secret() -> Secret {
    Secret::from(CANARY)
}

fn key() -> Arc<SigningKey> {
    let jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"{PRIVATE}"}}"#
    );
    Arc::new(SigningKey::from_jwk(&Secret::from(jwk)).unwrap())
}

fn freshness() -> Arc<dyn Freshness> {
    Arc::new(SystemFreshness)
}

fn http() -> Arc<dyn HttpExchange> {
    Arc::new(HyperClient::plaintext())
}

/// A login on another device, whose code is secret.
fn device_login() -> DeviceLogin {
    let client = ClientAuthentication::none("c").unwrap();
    let endpoint = DeviceEndpoint::new("https://as.example/device", client).unwrap();
    let body = format!(r#"{{"device_code":"{CANARY}","user_code":"B","verification_uri":"https://a"}}"#);
    endpoint.read(&http::Response::new(body.into())).unwrap()
}

/// A delay that is over at once.
struct NoDelay;

impl Delay for NoDelay {
    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}
