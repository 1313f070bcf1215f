//! Late rejections: twenty connections learn, one after the other, that the same token was refused.

use std::sync::Arc;

use auth_core::{Demand, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use auth_http::wire::{TokenEndpoint, TokenForm};
use realtime_auth_tests::by_hand::ByHand;
use realtime_auth_tests::rotating::chain;
use realtime_auth_tests::script::{Answer, Hold, Script};
use tokio::task::JoinSet;

use super::Rig;

#[tokio::test]
async fn twenty_late_rejections_of_one_generation_cause_one_request() {
    let mut rig = Rig::start().await;
    let refused = rig.first().await;
    let gate = rig.endpoint.hold_next(Hold::Unanswered);
    let manager = rig.login.manager.clone();
    let waiting = |count: usize| {
        let mut callers: Vec<_> =
            (0..count).map(|_| ByHand::new(manager.token(Demand::InsteadOf(refused)))).collect();
        for caller in &mut callers {
            manager.rejected(refused);
            assert!(caller.poll().is_none());
        }
        callers
    };
    // Five before the request, five while it is under way, five that the driver hears of after the answer although they
    // came before it, and five after the answer.
    let mut callers = waiting(5);
    rig.login.turns.until(rig.endpoint.until(|progress| progress.received == 2)).await;
    callers.extend(waiting(5));
    rig.login.turns.until(tokio::task::yield_now()).await;
    gate.notify_one();
    rig.endpoint.until(|progress| progress.answered == 2).await;
    for _ in 0..100 {
        // The client's connection reads the answer, and the driver does not.
        tokio::task::yield_now().await;
    }
    callers.extend(waiting(5));
    rig.login.saved(2).await;
    for caller in &mut callers {
        assert_eq!(caller.settle().unwrap().unwrap().secret().expose(), "token-2");
    }
    for _ in 0..5 {
        manager.rejected(refused);
        let token = rig.login.token(Demand::InsteadOf(refused)).await.unwrap();
        assert_eq!(token.secret().expose(), "token-2");
    }
    rig.assert_alive_after(2).await;
}

/// The first control: it is one request for each generation, not one for ever.
#[tokio::test]
async fn rejections_of_the_next_generation_cause_a_request_as_well() {
    let mut rig = Rig::start().await;
    let first = rig.first().await;
    let second = rig.login.token(Demand::NewerThan(first)).await.unwrap().generation();
    for _ in 0..20 {
        rig.login.manager.rejected(first);
        rig.login.manager.rejected(second);
        let third = rig.login.token(Demand::InsteadOf(second)).await.unwrap();
        assert_eq!(third.secret().expose(), "token-3");
    }
    assert_eq!(rig.endpoint.presented(), chain(3));
    rig.assert_alive_after(3).await;
}

/// The second: clients that ask anew for each refusal are counted as they should be.
#[tokio::test]
async fn twenty_refusals_without_generations_cause_twenty_requests() {
    let server = Script::serve(vec![Answer::token("t", 3_600)]).await.unwrap();
    let http = Arc::new(HyperClient::plaintext());
    let endpoint = TokenEndpoint::new(server.url(), "id", Secret::from("secret")).unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (http, request) =
            (Arc::clone(&http), endpoint.request(&TokenForm::client_credentials(), None).unwrap());
        callers.spawn(async move { http.exchange(request).await.unwrap() });
    }
    callers.join_all().await;
    assert_eq!(server.requests().len(), 20);
}
