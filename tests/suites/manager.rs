//! The token manager's driver: whoever asks, and however they leave, the request in flight is the driver's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::Attempt;
use auth_core::{Demand, Error, ErrorKind, Secret, TokenSource as _};
use auth_http::grant::Grant;
use auth_http::manager::TokenManager;
use tokio::task::JoinSet;

/// A grant that takes 20 ms, and counts.
struct Slow {
    requests: Arc<AtomicU32>,
    works: bool,
}

#[async_trait]
impl Grant for Slow {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        if self.works {
            let token = TokenResponse::new(Secret::from(format!("token-{number}")));
            Ok(token.with_expires_in(Duration::from_secs(3_600)))
        } else {
            Err(Error::new(ErrorKind::ServerFailed, "down").with_code(503))
        }
    }
}

fn manager(works: bool) -> (TokenManager, Arc<AtomicU32>) {
    let requests = Arc::new(AtomicU32::new(0));
    let manager = TokenManager::builder(Slow { requests: Arc::clone(&requests), works }).spawn();
    (manager, requests)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_share_one_request() {
    let (manager, requests) = manager(true);
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let manager = manager.clone();
        callers
            .spawn(async move { manager.token(Demand::Current).await.unwrap().secret().expose().to_owned() });
    }
    for token in callers.join_all().await {
        assert_eq!(token, "token-1");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_share_one_failure() {
    let (manager, requests) = manager(false);
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let manager = manager.clone();
        callers.spawn(async move { manager.token(Demand::Current).await.unwrap_err().code() });
    }
    for code in callers.join_all().await {
        assert_eq!(code, Some(503));
    }
    assert_eq!(requests.load(Ordering::SeqCst), 3, "one flight of three attempts");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_changes_nothing() {
    let (manager, requests) = manager(true);
    let gave_up = tokio::time::timeout(Duration::from_millis(10), manager.token(Demand::Current)).await;
    assert!(gave_up.is_err());
    let token = manager.token(Demand::Current).await.unwrap();
    assert_eq!((token.secret().expose(), requests.load(Ordering::SeqCst)), ("token-1", 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_dropped_ends_the_driver() {
    let requests = Arc::new(AtomicU32::new(0));
    let (manager, driver) = TokenManager::builder(Slow { requests, works: true }).build();
    let driver = tokio::spawn(driver.run());
    let other = manager.clone();
    drop(manager);
    other.token(Demand::Current).await.unwrap();
    drop(other);
    driver.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_manager_without_its_driver_says_so() {
    let requests = Arc::new(AtomicU32::new(0));
    let (manager, driver) = TokenManager::builder(Slow { requests, works: true }).build();
    drop(driver);
    assert_eq!(manager.token(Demand::Current).await.unwrap_err().kind(), ErrorKind::Closed);
}
