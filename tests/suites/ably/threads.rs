//! Callers on many threads, who come and go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::{Demand, TokenSource as _};
use tokio::task::JoinSet;

use super::*;

/// Each round refuses the token for all callers at once, and drops every other one, some before they have asked and
/// some while they wait: whoever is left is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_come_and_go_on_many_threads_are_served_by_one_call_a_round() {
    const ROUNDS: usize = 500;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let callback = auth_http::ably::callback(move |_| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            let elsewhere = tokio::spawn(async move {
                for _ in 0..number % 17 {
                    tokio::task::yield_now().await;
                }
            });
            elsewhere.await.unwrap();
            Ok(TokenReply::Token(Secret::from(format!("token-{number}"))))
        }
    });
    let options = AuthOptions::new().with_auth_callback(callback);
    let auth = client(options, "https://unused.example").build().unwrap();
    let mut refused = auth.token(Demand::Current).await.unwrap().generation();
    for round in 0..ROUNDS {
        let mut callers = JoinSet::new();
        let mut dropped = Vec::new();
        for caller in 0..8 {
            let auth = auth.clone();
            let handle = callers.spawn(async move { auth.token(Demand::InsteadOf(refused)).await });
            if caller % 2 == round % 2 {
                dropped.push(handle);
            }
        }
        for _ in 0..round % 13 {
            tokio::task::yield_now().await;
        }
        dropped.iter().for_each(tokio::task::AbortHandle::abort);
        let served = tokio::time::timeout(Duration::from_secs(20), async {
            let mut newest = refused;
            while let Some(outcome) = callers.join_next().await {
                match outcome {
                    Ok(token) => newest = newest.max(token.unwrap().generation()),
                    Err(aborted) => assert!(aborted.is_cancelled()),
                }
            }
            newest
        });
        let newest = served.await.expect("a caller waits for ever");
        assert_eq!(newest, refused.next(), "one call for all");
        refused = newest;
    }
    assert_eq!(calls.load(Ordering::Relaxed), ROUNDS + 1);
}
