//! The end of a token manager, and what is saved by then: a rotated refresh token outlives the program.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{Demand, ErrorKind, TokenSource as _};
use realtime_auth_tests::by_hand::{ByHand, World};
use realtime_auth_tests::scripted_grant::{ScriptedGrant, Step};
use realtime_auth_tests::scripted_store::ScriptedStore;

fn world(steps: impl IntoIterator<Item = Step>) -> (World, ScriptedStore) {
    let store = ScriptedStore::default();
    let kept = Arc::new(store.clone());
    (World::with(ScriptedGrant::refreshing(steps), |builder| builder.with_store(kept)), store)
}

#[test]
fn a_rotated_refresh_token_is_saved_and_the_lock_is_let_go() {
    let (mut world, store) = world([Step::Issue]);
    let manager = world.manager.clone();
    world.run_until(manager.ready()).unwrap();
    world.settle();
    assert_eq!(store.refresh_token(), Some(("refresh-1".to_owned(), false)));
    assert!(!store.is_locked());
    assert_eq!(world.grant.requests(), [Some("refresh-0".to_owned())]);
    let saved = store.saved();
    assert!(saved[0].intent.is_some(), "what is about to be sent is noted first");
}

#[test]
fn shutting_down_waits_until_a_rotated_refresh_token_is_saved() {
    let (mut world, store) = world([Step::Slow(20)]);
    let manager = world.manager.clone();
    let mut caller = ByHand::new(manager.token(Demand::Current));
    let _ = caller.poll();
    for _ in 0..10 {
        let _ = world.driver.as_mut().unwrap().poll(); // the request is under way
    }
    assert_eq!(world.grant.requests().len(), 1);
    store.slow_down(20);
    let mut shutting = ByHand::new(manager.shut_down());
    assert!(shutting.poll().is_none());
    let ended = loop {
        let ended = world.driver.as_mut().unwrap().poll();
        let saved = store.refresh_token() == Some(("refresh-1".to_owned(), false));
        match shutting.poll() {
            Some(()) => break (ended.is_some(), saved),
            None => assert!(ended.is_none()),
        }
    };
    assert_eq!(ended, (true, true));
    assert!(!store.is_locked());
    assert_eq!(caller.settle().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(manager.current().is_none());
    assert_eq!(ByHand::new(manager.ready()).poll().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(ByHand::new(manager.shut_down()).poll().is_some(), "twice does no harm");
}

/// The control of the test above: this is what is lost by a driver that is dropped.
#[test]
fn a_dropped_driver_leaves_the_intent_standing() {
    let (mut world, store) = world([Step::Slow(20)]);
    world.manager.demand();
    for _ in 0..10 {
        let _ = world.driver.as_mut().unwrap().poll();
    }
    assert_eq!(world.grant.requests().len(), 1);
    world.driver = None;
    assert_eq!(store.refresh_token(), Some(("refresh-0".to_owned(), true)));
    assert!(!store.is_locked());
}

#[test]
fn the_last_handle_dropped_saves_as_well() {
    let (mut world, store) = world([Step::Slow(20)]);
    world.manager.demand();
    for _ in 0..10 {
        let _ = world.driver.as_mut().unwrap().poll();
    }
    let World { manager, driver, .. } = world;
    drop(manager);
    assert!(driver.unwrap().settle().is_some());
    assert_eq!(store.refresh_token(), Some(("refresh-1".to_owned(), false)));
}

#[test]
fn a_write_that_panics_is_repeated_under_the_same_lock() {
    let (mut world, store) = world([Step::Slow(20)]);
    world.manager.demand();
    for _ in 0..10 {
        let _ = world.driver.as_mut().unwrap().poll();
    }
    store.panic(2);
    world.settle();
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-1", "served all the same");
    assert_eq!(store.refresh_token(), Some(("refresh-0".to_owned(), true)));
    assert!(store.is_locked());
    world.run_for(Duration::from_secs(60));
    assert_eq!(store.refresh_token(), Some(("refresh-1".to_owned(), false)));
    assert!(!store.is_locked());
}

#[test]
fn nothing_is_sent_that_could_not_be_noted() {
    let (mut world, store) = world([Step::Issue]);
    store.fail(u32::MAX);
    let manager = world.manager.clone();
    let error = world.run_until(manager.token(Demand::Current)).unwrap_err();
    assert_eq!((error.kind(), world.grant.requests().len()), (ErrorKind::StoreFailed, 0));
}

#[test]
fn a_second_manager_adopts_what_the_first_has_saved() {
    let (mut first, store) = world([Step::Issue]);
    let manager = first.manager.clone();
    first.run_until(manager.ready()).unwrap();
    first.settle();
    let kept = Arc::new(store.clone());
    let mut second =
        World::with(ScriptedGrant::refreshing([Step::Issue]), |builder| builder.with_store(kept));
    let manager = second.manager.clone();
    let token = second.run_until(manager.token(Demand::Current)).unwrap();
    assert_eq!((token.secret().expose(), second.grant.requests().len()), ("token-1", 0));
}
