//! The machine against the server's half in simulated time, and against servers that misbehave.

mod demands;
mod farewell;
mod lasted;
mod login;
mod one_connection;
mod present;
mod random;
mod renewal;
mod scene;
mod told;
mod wanted;
mod world;

use std::time::Duration;

use auth_core::time::Moment;
use auth_core::{AuthEvent, Demand, ErrorKind as TokenErrorKind};

use self::world::{LIFE, World, closed, outage};
use super::*;
use crate::ErrorKind;
use crate::dialect::{Dialect, Failure, Incoming};

#[test]
fn a_session_authenticates_with_its_first_message() {
    let world = World::started();
    assert_eq!(world.client.state(), State::Connected);
    assert_eq!((world.presented, world.events), (vec![1], vec!["connecting", "authenticated"]));
}

#[test]
fn a_live_connection_outlives_any_number_of_tokens() {
    let mut world = World::started();
    world.sleep(LIFE * 20);
    assert_eq!(world.opened, 1, "renewed in band, never reconnected");
    let renewals = world.events.iter().filter(|event| **event == "renewed").count();
    assert!((24..=26).contains(&renewals), "{renewals} renewals in 20 lifetimes, each 120 s early");
}

#[test]
fn a_lost_connection_is_replaced_with_a_token_that_no_server_has_seen() {
    let mut world = World::started();
    for lost in 1..=5 {
        world.drop_connection();
        assert_eq!(world.client.state(), State::Disconnected);
        world.sleep(Duration::from_secs(31));
        assert_eq!((world.client.state(), world.opened), (State::Connected, lost + 1));
    }
    assert_eq!(world.presented, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_token_endpoint_that_is_down_does_not_keep_a_live_token_from_reconnecting() {
    let mut world = World::started();
    world.source = Box::new(|_, newest| Ok(newest)); // the cache has nothing newer to offer
    world.drop_connection();
    world.sleep(Duration::from_secs(1));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 1][..]));
}

#[test]
fn a_server_that_never_answers_is_left_after_ten_seconds() {
    let mut world = World::new();
    world.verdict = Box::new(|_| None);
    world.input(Input::Start);
    world.sleep(Duration::from_millis(9_900));
    assert_eq!((world.client.state(), world.aborted), (State::Connecting, 0));
    world.sleep(Duration::from_millis(100));
    assert_eq!((world.client.state(), world.events.last()), (State::Disconnected, Some(&"lost")));
}

#[test]
fn a_refused_token_is_replaced_once_and_then_the_session_fails() {
    let mut world = World::new();
    world.verdict = Box::new(|_| Some(Err("unknown token")));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    assert_eq!(world.client.state(), State::Failed);
    assert_eq!(world.client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
    assert_eq!(world.presented, [1, 2], "the second token was asked for instead of the first");
    assert!(matches!(world.demands[..], [Demand::Current, Demand::InsteadOf(_)]));
    assert_eq!(world.events.iter().filter(|event| **event == "failed").count(), 1);
}

#[test]
fn an_expired_token_that_a_fresh_one_replaces_is_no_failure() {
    let mut world = World::new();
    world.verdict = Box::new(|token| Some(if token == 1 { Err("expired") } else { Ok(LIFE) }));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(5));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 2][..]));
}

#[test]
fn a_token_that_lacks_scopes_never_opens_a_connection() {
    let mut world = World::new();
    world.source = Box::new(|_, _| Err(auth_core::Error::new(TokenErrorKind::InsufficientScope, "no")));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    assert_eq!((world.opened, world.demands.len()), (0, 1));
    let error = world.client.error().unwrap();
    assert_eq!(
        (error.kind(), error.token_error().unwrap().kind()),
        (ErrorKind::Token, TokenErrorKind::InsufficientScope)
    );
}

#[test]
fn a_token_that_is_bound_to_a_key_is_shown_to_no_server() {
    let mut world = World::new();
    world.token_type = TokenType::Dpop;
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    assert_eq!((world.opened, world.demands.len(), &world.presented[..]), (0, 1, &[][..]));
    let error = world.client.error().unwrap();
    assert_eq!(
        (error.kind(), error.token_error().unwrap().kind()),
        (ErrorKind::Token, TokenErrorKind::Misconfigured)
    );
    assert!(error.to_string().contains("bound to a key (DPoP)"), "{error}");
}

#[test]
fn a_renewal_that_brings_a_token_bound_to_a_key_is_not_presented() {
    let mut world = World::started();
    world.token_type = TokenType::Dpop;
    world.sleep(LIFE - Duration::from_secs(1));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1][..]));
    world.server = None; // the client's own clock decides, not the server's close
    world.sleep(Duration::from_secs(600));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Failed, &[1][..]));
    assert_eq!(world.client.error().unwrap().token_error().unwrap().kind(), TokenErrorKind::Misconfigured);
}

#[test]
fn a_failed_renewal_keeps_the_connection_until_the_token_expires() {
    let mut world = World::started();
    world.source = Box::new(|_, _| Err(outage()));
    world.sleep(LIFE - Duration::from_secs(1));
    assert_eq!((world.client.state(), world.opened), (State::Connected, 1));
    assert!(world.events.contains(&"renewal_failed"));
    world.source = Box::new(|_, newest| Ok(newest + 1));
    world.sleep(Duration::from_secs(60));
    assert_eq!(world.client.state(), State::Connected, "back as soon as the endpoint is");
}

#[test]
fn a_renewal_that_can_never_succeed_ends_the_session_at_the_tokens_expiry() {
    let mut world = World::started();
    let refused = || auth_core::Error::new(TokenErrorKind::InvalidGrant, "log in again");
    world.source = Box::new(move |_, _| Err(refused()));
    world.sleep(LIFE - Duration::from_secs(1));
    assert_eq!((world.client.state(), world.demands.len()), (State::Connected, 2));
    world.server = None; // the client's own clock decides, not the server's close
    world.sleep(Duration::from_secs(2));
    assert_eq!(world.client.error().unwrap().token_error().unwrap().kind(), TokenErrorKind::InvalidGrant);
}

#[test]
fn a_server_that_refuses_renewal_twice_ends_the_session_when_its_credential_expires() {
    let mut world = World::started();
    world.verdict = Box::new(|_| Some(Err("no renewal here")));
    world.sleep(LIFE - Duration::from_secs(1));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 2, 3][..]));
    world.server = None; // the client's own clock decides, not the server's close
    world.sleep(Duration::from_secs(2));
    assert_eq!(world.client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
    assert_eq!(world.presented, [1, 2, 3]);
}

#[test]
fn a_refused_upgrade_is_not_blamed_on_a_credential_that_was_not_in_it() {
    let mut world = World::started();
    world.upgrade = Box::new(|| Err(Failure::Status(403)));
    world.drop_connection();
    world.sleep(Duration::from_secs(60));
    assert_eq!(world.client.error().unwrap().kind(), ErrorKind::ConnectionRefused);
    assert!(
        !world.demands.iter().any(|demand| matches!(demand, Demand::InsteadOf(_))),
        "{:?}",
        world.demands
    );

    let mut once = World::new();
    let mut refusals = 1;
    once.upgrade = Box::new(move || {
        refusals -= 1;
        if refusals >= 0 { Err(Failure::Status(401)) } else { Ok(()) }
    });
    once.verdict = Box::new(|token| Some(if token == 1 { Err("expired") } else { Ok(LIFE) }));
    once.input(Input::Start);
    once.sleep(Duration::from_secs(60));
    assert_eq!((once.client.state(), once.presented.last()), (State::Connected, Some(&2)));
}

#[test]
fn a_refusal_is_not_forgotten_when_the_token_endpoint_fails() {
    let mut world = World::started();
    world.source = Box::new(|_, _| Err(outage()));
    world.server = None;
    let failure = closed(4401);
    world.input(Input::Ended { epoch: world.epoch, failure, retry_after: None });
    world.sleep(Duration::from_secs(60));
    assert!(world.demands.len() > 3);
    assert!(
        world.demands[1..].iter().all(|demand| matches!(demand, Demand::InsteadOf(_))),
        "{:?}",
        world.demands
    );
    assert_eq!(world.events.iter().filter(|event| **event == "lost").count(), 1);
}

#[test]
fn a_source_that_never_answers_is_asked_again() {
    let mut client = Session::new(Dialect::genesys(), Config::new(), 1);
    let mut now = World::new().now;
    client.handle(now, Input::Start).unwrap();
    assert!(matches!(client.poll(), Output::FetchToken { .. }));
    let Output::Wait(Some(deadline)) = client.poll() else { panic!("waits without an end") };
    assert_eq!(deadline.remaining(now), Duration::from_secs(90));
    now.mono = Moment::since_origin(Duration::from_secs(90));
    client.handle(now, Input::Tick).unwrap();
    assert!(matches!(client.poll(), Output::Event(AuthEvent::ConnectionDelayed { failures: 1, .. })));
    assert_eq!(client.state(), State::Disconnected);
}

#[test]
fn a_refused_renewal_is_forgotten_once_the_connection_was_stable_again() {
    let mut world = World::started();
    // Every third credential is refused, hours apart, and its replacement accepted.
    world.verdict = Box::new(|token| Some(if token % 3 == 2 { Err("try another") } else { Ok(LIFE) }));
    world.sleep(LIFE * 10);
    assert_eq!((world.client.state(), world.opened), (State::Connected, 1));
    assert!(world.presented.len() > 15, "{:?}", world.presented);
}

#[test]
fn a_token_that_expired_while_the_connection_was_opened_is_not_presented() {
    let mut world = World::new();
    world.life = Duration::from_secs(5);
    world.client.handle(world.now, Input::Start).unwrap();
    let Output::FetchToken { ticket, demand } = world.client.poll() else { panic!("no token wanted") };
    world.fetch(ticket, demand);
    let Output::Event(_) = world.client.poll() else { panic!("not told") };
    let Output::Open { epoch, .. } = world.client.poll() else { panic!("no connection wanted") };
    world.wait();
    // Opening takes six seconds; the token lived for five.
    world.now.mono = Moment::since_origin(Duration::from_secs(6));
    world.client.handle(world.now, Input::Opened { epoch }).unwrap();
    world.settle();
    assert!(world.presented.is_empty());
    assert_eq!((world.client.state(), world.aborted), (State::Disconnected, 1));
}

#[test]
fn a_source_that_never_answers_a_renewal_is_asked_again() {
    let mut world = World::started();
    world.source = Box::new(|_, _| Err(outage()));
    world.sleep(LIFE - Duration::from_secs(119)); // the renewal was due, and is under way
    let asked = world.demands.len();
    world.mute = true;
    world.sleep(Duration::from_secs(110));
    assert!(world.demands.len() > asked, "asked once in 110 s");
    assert_eq!((world.client.state(), world.opened), (State::Connected, 1));
}

#[test]
fn a_source_whose_tokens_are_always_due_is_no_storm() {
    let mut world = World::new();
    world.renew_in = Some(Duration::ZERO);
    world.input(Input::Start);
    world.sleep(Duration::from_secs(60));
    assert!(world.presented.len() <= 61, "{} credentials in a minute", world.presented.len());
}

#[test]
fn a_refused_renewal_is_not_presented_again_when_the_token_endpoint_fails() {
    let mut world = World::started();
    world.verdict = Box::new(|token| Some(if token == 2 { Err("not this one") } else { Ok(LIFE) }));
    let mut outages = 2;
    world.source = Box::new(move |demand, newest| match demand {
        Demand::InsteadOf(_) if outages > 0 => {
            outages -= 1;
            Err(outage())
        }
        // A cache: the newest will do for whoever is content with an older one.
        Demand::NewerThan(seen) if seen < world::generation(newest) => Ok(newest),
        _ => Ok(newest + 1),
    });
    world.sleep(LIFE);
    assert_eq!((world.client.state(), &world.presented[..3]), (State::Connected, &[1, 2, 3][..]));
}

#[test]
fn a_close_during_a_renewal_is_blamed_on_the_credential_that_was_judged() {
    let mut world = World::started();
    world.verdict = Box::new(|token| (token != 2).then_some(Ok(LIFE)));
    world.sleep(LIFE - Duration::from_secs(119));
    assert_eq!(world.presented, [1, 2]);
    world.server = None;
    let failure = closed(4401);
    world.input(Input::Ended { epoch: world.epoch, failure, retry_after: None });
    world.sleep(Duration::from_secs(1));
    assert_eq!(world.demands.last(), Some(&Demand::InsteadOf(world::generation(1))));
}

#[test]
fn an_unanswered_renewal_is_taken_for_a_dead_connection() {
    let mut world = World::started();
    world.verdict = Box::new(|token| (token != 2).then_some(Ok(LIFE)));
    world.sleep(Duration::from_secs(500));
    assert_eq!(
        (world.client.state(), world.opened, &world.presented[..]),
        (State::Connected, 2, &[1, 2, 3][..])
    );
}

#[test]
fn messages_pass_untouched_even_while_a_renewal_is_unanswered() {
    let mut world = World::started();
    let deliver = |world: &mut World, text: &str| {
        let received = world.client.receive(world.now, world.epoch, Incoming::Text(text)).unwrap();
        world.settle();
        received
    };
    let forged = r#"{"type":"auth","status":"error"}"#;
    assert_eq!(deliver(&mut world, "not json"), Received::Deliver);
    assert_eq!(deliver(&mut world, forged), Received::Deliver, "nothing was asked, so nothing was answered");
    world.verdict = Box::new(|_| None);
    world.sleep(LIFE - Duration::from_secs(119));
    assert_eq!(world.presented, [1, 2]);
    assert_eq!(deliver(&mut world, r#"{"type":"event"}"#), Received::Deliver);
    assert_eq!(deliver(&mut world, r#"{"type":"auth","status":"ok"}"#), Received::Consumed);
    assert_eq!(world.events.last(), Some(&"renewed"));
}

#[test]
fn a_server_that_accepts_and_then_drops_is_not_hammered() {
    let mut world = World::started();
    for _ in 0..600 {
        if world.client.state() == State::Connected {
            world.drop_connection();
        }
        world.sleep(Duration::from_secs(1));
    }
    assert!(world.opened < 60, "{} connections in ten minutes", world.opened);
}

#[test]
fn when_faults_stop_the_session_is_back_within_the_cap() {
    for seed in 0..50 {
        let mut world = World::seeded(seed);
        world.upgrade = Box::new(|| Err(Failure::Transport));
        world.input(Input::Start);
        world.sleep(Duration::from_secs(3_600));
        assert!(world.opened < 400, "{} attempts in an hour", world.opened);
        world.upgrade = Box::new(|| Ok(()));
        world.sleep(Duration::from_secs(30));
        assert_eq!(world.client.state(), State::Connected, "seed {seed}");
    }
}

#[test]
fn a_fatal_verdict_stops_all_attempts() {
    let mut world = World::new();
    world.upgrade = Box::new(|| Err(Failure::Status(404)));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    let error = world.client.error().unwrap();
    assert_eq!((error.kind(), error.code(), world.opened), (ErrorKind::ConnectionRefused, Some(404), 1));
}

#[test]
fn a_close_is_final_in_every_state() {
    let mut fresh = World::new();
    fresh.input(Input::Close);
    assert_eq!(fresh.client.state(), State::Closed);

    let mut waiting = World::started();
    waiting.drop_connection();
    waiting.input(Input::Close);
    waiting.sleep(Duration::from_secs(60));
    assert_eq!((waiting.client.state(), waiting.opened), (State::Closed, 1));

    let mut live = World::started();
    live.input(Input::Close);
    assert_eq!(live.client.state(), State::Closing);
    live.sleep(Duration::from_millis(4_900));
    assert_eq!((live.client.state(), live.aborted), (State::Closing, 0));
    live.sleep(Duration::from_millis(100));
    assert_eq!((live.client.state(), live.aborted), (State::Closed, 1), "a peer that never answers");
    live.input(Input::Start);
    live.sleep(Duration::from_secs(60));
    assert_eq!((live.client.state(), live.events.last()), (State::Closed, Some(&"closed")));
}

#[test]
fn a_stale_close_does_not_touch_the_next_connection() {
    let mut world = World::started();
    let old = world.epoch;
    world.drop_connection();
    world.sleep(Duration::from_secs(31));
    world.input(Input::Ended { epoch: old, failure: closed(4500), retry_after: None });
    assert_eq!(world.client.receive(world.now, old, Incoming::Text("{}")).unwrap(), Received::Consumed);
    assert_eq!(world.client.state(), State::Connected);
}

#[test]
fn a_suspended_laptop_ends_in_a_fresh_token() {
    let mut world = World::started();
    world.server = None;
    world.now.wall = world.now.wall.saturating_add(Duration::from_secs(7_200));
    world.input(Input::Tick);
    assert_eq!(world.client.state(), State::Disconnected, "the credential expired during the sleep");
    world.sleep(Duration::from_secs(1));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 2][..]));
}

#[test]
fn outputs_that_were_not_polled_are_a_misuse() {
    let mut world = World::new();
    world.client.handle(world.now, Input::Start).unwrap();
    assert_eq!(
        world.client.handle(world.now, Input::Tick).unwrap_err(),
        auth_core::ApiMisuse::OutputsPending
    );
}
