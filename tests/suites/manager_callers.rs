//! Callers of the token manager that come, wait and go, one poll at a time.

use std::thread;
use std::time::Duration;

use auth_core::renewal::Policy;
use auth_core::token::Generation;
use auth_core::{Demand, ErrorKind, TokenSource as _};
use auth_http::manager::TokenManager;
use realtime_auth_tests::by_hand::{ByHand, World};
use realtime_auth_tests::scripted_grant::{ScriptedGrant, Step};

#[test]
fn a_caller_may_be_dropped_at_any_poll() {
    for polls in 0..8 {
        for driver_first in [false, true] {
            let mut world = World::new(ScriptedGrant::new([Step::Slow(5)]));
            let manager = world.manager.clone();
            let mut leaving = ByHand::new(manager.token(Demand::Current));
            let mut staying = ByHand::new(manager.token(Demand::Current));
            let _ = staying.poll();
            for _ in 0..polls {
                if driver_first {
                    let _ = world.driver.as_mut().unwrap().poll();
                }
                let _ = leaving.poll();
                if !driver_first {
                    let _ = world.driver.as_mut().unwrap().poll();
                }
            }
            drop(leaving);
            world.settle();
            let token = staying.settle().unwrap().unwrap();
            assert_eq!(token.secret().expose(), "token-1", "dropped after {polls} polls");
            let later = world.run_until(manager.token(Demand::Current)).unwrap();
            assert_eq!((later.generation(), world.grant.requests().len()), (token.generation(), 1));
        }
    }
}

#[test]
fn a_caller_that_left_before_it_was_heard_causes_nothing() {
    let mut world = World::new(ScriptedGrant::new([Step::Issue]));
    let manager = world.manager.clone();
    assert!(ByHand::new(manager.token(Demand::Current)).poll().is_none());
    world.settle();
    assert_eq!(world.grant.requests().len(), 0);
}

#[test]
fn more_callers_than_the_queue_holds_are_all_answered() {
    let mut world = World::new(ScriptedGrant::new([Step::Slow(3)]));
    let manager = world.manager.clone();
    let mut callers: Vec<_> = (0..1_000).map(|_| ByHand::new(manager.token(Demand::Current))).collect();
    for caller in &mut callers {
        assert!(caller.poll().is_none());
    }
    let mut answered = 0;
    while answered < callers.len() {
        world.settle();
        answered += callers.iter_mut().filter_map(ByHand::settle).filter(Result::is_ok).count();
    }
    assert_eq!(world.grant.requests().len(), 1);
}

#[test]
fn callers_share_a_failure_and_those_that_come_during_the_pause_get_it_without_a_request() {
    let mut world = World::new(ScriptedGrant::new([Step::Fail(ErrorKind::Refused), Step::Issue]));
    let manager = world.manager.clone();
    let mut callers: Vec<_> = (0..20).map(|_| ByHand::new(manager.token(Demand::Current))).collect();
    callers.iter_mut().for_each(|caller| assert!(caller.poll().is_none()));
    world.settle();
    for caller in &mut callers {
        assert_eq!(caller.settle().unwrap().unwrap_err().kind(), ErrorKind::Refused);
    }
    let error = world.run_until(manager.token(Demand::Current)).unwrap_err();
    assert_eq!((error.kind(), world.grant.requests().len()), (ErrorKind::Refused, 1));

    // The pause passes.
    world.run_for(Duration::from_secs(61));
    world.run_until(manager.token(Demand::Current)).unwrap();
    assert_eq!(world.grant.requests().len(), 2);
}

#[test]
fn a_caller_that_has_gone_uses_up_no_token_that_serves_once() {
    let mut world = World::with(ScriptedGrant::new([Step::Slow(5)]), |builder| {
        builder.with_policy(Policy::new().single_use())
    });
    let manager = world.manager.clone();
    let mut leaving = ByHand::new(manager.token(Demand::Current));
    let mut staying = ByHand::new(manager.token(Demand::Current));
    assert!(leaving.poll().is_none() && staying.poll().is_none());
    let _ = world.driver.as_mut().unwrap().poll();
    drop(leaving);
    world.settle();
    assert_eq!(staying.settle().unwrap().unwrap().secret().expose(), "token-1");
    assert!(manager.current().is_none());
}

#[test]
fn a_policy_may_want_a_token_before_anybody_asks() {
    for (policy, requests) in [(Policy::new(), 0), (Policy::new().with_keep_warm(), 1)] {
        let mut world = World::with(ScriptedGrant::new([Step::Issue]), |builder| builder.with_policy(policy));
        world.settle();
        assert_eq!(world.grant.requests().len(), requests);
    }
}

#[test]
fn patience_is_the_callers_own() {
    let mut world = World::new(ScriptedGrant::new([Step::Silence]));
    let manager = world.manager.clone();
    let mut patient = ByHand::new(manager.token(Demand::Current));
    let _ = patient.poll();
    let short = Duration::from_secs(2);
    let error = world.run_until(manager.token_within(Demand::Current, short)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(patient.settle().is_none(), "another caller waits on");
    assert_eq!(world.grant.requests().len(), 1);
}

#[test]
fn a_driver_that_is_dropped_tells_all_who_wait() {
    let mut world = World::new(ScriptedGrant::new([Step::Silence]));
    let manager = world.manager.clone();
    let (mut heard, mut queued) =
        (ByHand::new(manager.token(Demand::Current)), ByHand::new(manager.token(Demand::Current)));
    let _ = heard.poll();
    world.settle();
    let _ = queued.poll();
    world.driver = None;
    for caller in [&mut heard, &mut queued] {
        assert_eq!(caller.settle().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    }
    let error = ByHand::new(manager.ready()).settle().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn a_grant_that_panics_costs_one_request() {
    let mut world = World::new(ScriptedGrant::new([Step::Panic, Step::Issue]));
    let manager = world.manager.clone();
    let token = world.run_until(manager.token(Demand::Current)).unwrap();
    assert_eq!((token.secret().expose(), world.grant.requests().len()), ("token-2", 2));
}

#[test]
fn a_grant_that_always_panics_is_a_failure_that_may_pass() {
    let mut world = World::new(ScriptedGrant::new([Step::Panic]));
    let manager = world.manager.clone();
    let error = world.run_until(manager.token(Demand::Current)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_in_doubt() && error.to_string().contains("panicked"), "{error:?}");
}

#[test]
fn an_observer_that_panics_takes_nobody_with_it() {
    let panicking = |_: &auth_core::AuthEvent| panic!("as the test says");
    let mut world = World::with(ScriptedGrant::new([Step::Issue]), |builder| {
        builder.with_observer(std::sync::Arc::new(panicking))
    });
    let manager = world.manager.clone();
    assert!(world.run_until(manager.token(Demand::Current)).is_ok());
}

/// Nothing here is by hand: threads race for what the tests above go through one by one.
#[test]
fn callers_on_many_threads_come_and_go_and_each_gets_what_it_demands() {
    let grant = ScriptedGrant::new([Step::Slow(2)]);
    let policy = Policy::new().with_spacing(Duration::ZERO);
    let (manager, driver) = TokenManager::builder(grant.clone()).with_policy(policy).build_blocking();
    let driver = thread::spawn(move || driver.run());
    let callers: Vec<_> = (0..8)
        .map(|number| {
            let manager = manager.clone();
            thread::spawn(move || {
                let mut seen = Generation::NONE;
                for round in 0..200 {
                    let demand = Demand::NewerThan(seen);
                    if (number + round) % 3 == 0 {
                        let _ = ByHand::new(manager.token(demand)).poll();
                    }
                    let token = manager.token_blocking(demand).unwrap();
                    assert!(token.generation() > seen);
                    seen = token.generation();
                }
                seen
            })
        })
        .collect();
    let last = callers.into_iter().map(|caller| caller.join().unwrap()).max();
    manager.shut_down_blocking();
    driver.join().unwrap();
    let mut generation = Generation::NONE;
    (0..grant.requests().len()).for_each(|_| generation = generation.next());
    assert!(last.is_some_and(|last| last <= generation), "no token was made up");
    assert!(grant.requests().len() <= 2 * 8 * 200, "callers share requests");
}
