//! A caller that is dropped at any moment of a rotating refresh: the next call works, and no refresh token is sent twice.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Demand, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use auth_http::grant::RefreshToken;
use auth_http::wire::{TokenEndpoint, TokenForm};
use gateway::{Client, Config, Gateway, RateLimit};
use realtime_auth_tests::rotating::{Rotating, chain};
use realtime_auth_tests::script::{Hold, Progress};

use super::{Login, Rig};

/// Why the caller that leaves had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    First,
    Newer,
    Instead,
}

impl Wish {
    /// The demand, and how many requests it takes to meet it, those before included.
    async fn demand(self, rig: &mut Rig) -> (Demand, usize) {
        match self {
            Self::First => (Demand::Current, 1),
            Self::Newer => (Demand::NewerThan(rig.first().await), 2),
            Self::Instead => (Demand::InsteadOf(rig.first().await), 2),
        }
    }
}

#[tokio::test]
async fn a_caller_may_be_dropped_after_any_poll_of_a_refresh() {
    for wish in [Wish::First, Wish::Newer, Wish::Instead] {
        for polls in 0.. {
            let mut rig = Rig::start().await;
            let (demand, requests) = wish.demand(&mut rig).await;
            let mut leaving: Pin<Box<_>> = Box::pin(rig.login.manager.token(demand));
            let answered = rig.login.turns.take(leaving.as_mut(), polls).await;
            drop(leaving);
            let next = rig.login.token(demand).await;
            let next = next.unwrap_or_else(|error| panic!("{wish:?} after {polls} polls: {error:?}"));
            assert_eq!(next.secret().expose(), format!("token-{requests}"), "{wish:?} after {polls} polls");
            rig.assert_alive_after(requests).await;
            if let Some(answered) = answered {
                assert!(answered.is_ok() && polls > 6, "{polls} polls are no refresh");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_caller_may_be_dropped_while_the_server_is_at_it() {
    for hold in [Hold::Unanswered, Hold::Halfway] {
        for wish in [Wish::First, Wish::Newer, Wish::Instead] {
            let mut rig = Rig::start().await;
            let (demand, requests) = wish.demand(&mut rig).await;
            let gate = rig.endpoint.hold_next(hold);
            let mut leaving: Pin<Box<_>> = Box::pin(rig.login.manager.token(demand));
            let answered = rig.login.turns.take(leaving.as_mut(), 2).await;
            let reached = |progress: &Progress| progress.begun == requests;
            rig.login.turns.until(rig.endpoint.until(reached)).await;
            assert!(answered.is_none());
            drop(leaving);
            gate.notify_one();
            let next = rig.login.token(demand).await.unwrap();
            assert_eq!(next.secret().expose(), format!("token-{requests}"), "{wish:?} at {hold:?}");
            rig.assert_alive_after(requests).await;
        }
    }
}

#[tokio::test]
async fn a_caller_may_be_dropped_at_any_step_of_the_store() {
    let steps = {
        let mut rig = Rig::start().await;
        let (demand, _) = Wish::Newer.demand(&mut rig).await;
        let before = rig.login.disk.steps().len();
        rig.login.token(demand).await.unwrap();
        rig.login.saved(2).await;
        rig.login.disk.steps().len() - before
    };
    assert!(steps >= 12, "two writes of six steps each");
    for step in 0..steps {
        let mut rig = Rig::start().await;
        let (demand, requests) = Wish::Newer.demand(&mut rig).await;
        rig.login.disk.hold(step);
        let mut leaving: Pin<Box<_>> = Box::pin(rig.login.manager.token(demand));
        let _ = rig.login.turns.take(leaving.as_mut(), 2).await;
        rig.login.turns.until(rig.login.disk.reached()).await;
        drop(leaving);
        rig.login.disk.mend();
        let next = rig.login.token(demand).await.unwrap();
        assert_eq!(next.secret().expose(), format!("token-{requests}"), "at step {step} of {steps}");
        rig.assert_alive_after(requests).await;
    }
}

#[tokio::test]
async fn the_gateway_revokes_no_family_whenever_a_caller_is_dropped() {
    for polls in 0.. {
        let client = Client::new("id", Secret::from("secret"), "a".parse().unwrap());
        let config = Config::new("127.0.0.1:0".parse().unwrap())
            .with_client(client.with_refresh_token(Secret::from("login")))
            .with_refresh_grace(Duration::ZERO)
            .with_rate_limit(RateLimit::new(Duration::from_nanos(1), u32::MAX));
        let gateway = Gateway::bind(config).await.unwrap().spawn();
        let url = format!("{}/oauth/token", gateway.http_url());
        let endpoint = TokenEndpoint::new(&url, "id", Secret::from("secret")).unwrap();
        let grant = RefreshToken::new(endpoint, Arc::new(HyperClient::plaintext()), Secret::from("login"));
        let folder = tempfile::tempdir().unwrap();
        let mut login = Login::open(grant, folder.path().join("tokens.json"));
        let first = login.token(Demand::Current).await.unwrap();

        let demand = Demand::NewerThan(first.generation());
        let mut leaving: Pin<Box<_>> = Box::pin(login.manager.token(demand));
        let answered = login.turns.take(leaving.as_mut(), polls).await;
        drop(leaving);
        let second = login.token(demand).await.unwrap();
        login.token(Demand::NewerThan(second.generation())).await.unwrap();
        let refreshes = gateway.refreshes();
        let counted = (refreshes.redeemed(), refreshes.retried(), refreshes.revoked());
        assert_eq!(counted, (3, 0, 0), "after {polls} polls");
        login.shut_down().await;
        gateway.stop().await;
        if answered.is_some() {
            break;
        }
    }
}

/// The control: the same endpoint finds out a client whose callers carry the request themselves.
#[tokio::test]
async fn a_request_that_ends_with_its_caller_loses_the_login() {
    for hold in [Hold::Unanswered, Hold::Halfway] {
        let endpoint = Rotating::serve().await.unwrap();
        let gate = endpoint.hold_next(hold);
        let http = HyperClient::plaintext();
        let form = TokenForm::refresh_token(&Secret::from("refresh-0"));
        let request = || endpoint.endpoint().request(&form, None).unwrap();
        tokio::select! {
            _ = http.exchange(request()) => panic!("the answer is held back"),
            () = endpoint.until(|progress| progress.begun == 1) => {}
        }
        gate.notify_one();
        // The next caller knows of no other refresh token.
        let answer = http.exchange(request()).await.unwrap();
        assert!(endpoint.endpoint().read(&answer).is_err() && endpoint.is_revoked());
        assert_ne!(endpoint.presented(), chain(2));
    }
}
