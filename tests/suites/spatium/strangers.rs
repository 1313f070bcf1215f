//! What strangers can do to those who have an account: nothing.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{ErrorKind, Secret};
use auth_http::client::HyperClient;
use auth_http::endpoint::spatium::{Account, AuthorizationServer};
use auth_http::exchange::HttpExchange as _;
use auth_http::spatium::AuthorizationSession;
use auth_http::spatium::wire::{AuthorizationService, RequestId, WantedPermissions};
use gateway::{Config, Gateway, RateLimit, Running};

use super::{BASE, KEY, establish};

/// One that lets everybody ask three times, and then no more.
async fn strict() -> Running {
    let account = |name| Account::new(name, Secret::from("password"), ["read"]);
    let server =
        AuthorizationServer::hs256(KEY).with_account(account("username")).with_account(account("other"));
    let config = Config::new("127.0.0.1:0".parse().unwrap())
        .with_spatium(server)
        .with_rate_limit(RateLimit::new(Duration::from_secs(600), 3));
    Gateway::bind(config).await.unwrap().spawn()
}

fn service(gateway: &Running) -> AuthorizationService {
    AuthorizationService::new(&format!("{}{BASE}", gateway.http_url())).unwrap()
}

/// The answers to so many wrong passwords.
async fn guess(gateway: &Running, username: &str, times: usize) -> Vec<u16> {
    let http = HyperClient::plaintext();
    let mut answers = Vec::new();
    for _ in 0..times {
        let id = RequestId::from_random([1; 16]);
        let request = service(gateway).security_factor_credentials(&id, username, &Secret::from("wrong"));
        answers.push(http.exchange(request).await.unwrap().status().as_u16());
    }
    answers
}

#[tokio::test]
async fn guessing_a_password_ends_no_live_session() {
    let gateway = strict().await;
    let wanted = WantedPermissions::new("device", ["read"]).unwrap();
    let http = Arc::new(HyperClient::plaintext());
    let session = AuthorizationSession::builder(service(&gateway), http, wanted).build();
    establish(&session).await.unwrap();
    assert_eq!(guess(&gateway, "username", 4).await, [401, 401, 429, 429]);
    session.refresh().await.unwrap();
    // The control: its own requests are limited, too.
    session.refresh().await.unwrap();
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::RateLimited);
}

#[tokio::test]
async fn user_names_that_there_are_can_not_be_told_from_others() {
    let gateway = strict().await;
    for name in ["username", "nobody", "", &"x".repeat(10_000)] {
        assert_eq!(guess(&gateway, name, 5).await, [401, 401, 401, 429, 429], "{name:.10}");
    }
}
