//! Readers of the cached token, and those who signal without waiting: none of them costs the driver more than once.

use std::time::Duration;

use auth_core::renewal::Policy;
use auth_core::token::Generation;
use auth_core::{Demand, ErrorKind, TokenSource as _};
use realtime_auth_tests::by_hand::{ByHand, World};
use realtime_auth_tests::scripted_grant::{ScriptedGrant, Step};

/// A manager that has its first token.
fn ready(steps: impl IntoIterator<Item = Step>) -> World {
    let mut world = World::new(ScriptedGrant::new(steps));
    let manager = world.manager.clone();
    world.run_until(manager.ready()).unwrap();
    world.settle();
    world
}

#[test]
fn a_cached_token_is_read_without_the_driver() {
    let world = World::new(ScriptedGrant::new([Step::Issue]));
    assert!(world.manager.current().is_none());

    let world = ready([Step::Issue]);
    let wakes = world.driver.as_ref().unwrap().wakes();
    let cached = world.manager.current().unwrap();
    assert_eq!(cached.secret().expose(), "token-1");
    assert_eq!(cached.generation(), cached.token().generation());
    assert!(cached.token().expires_in().is_some());
    let token = ByHand::new(world.manager.token(Demand::Current)).poll().unwrap().unwrap();
    assert_eq!(token.generation(), cached.generation());
    assert_eq!(world.driver.as_ref().unwrap().wakes(), wakes);
}

#[test]
fn a_reader_shows_no_secret_in_debug() {
    let world = ready([Step::Issue]);
    let text = format!("{:?}{:?}{:?}", world.manager, world.manager.current(), world.manager.changes());
    assert!(!text.contains("token-1"), "{text}");
}

#[test]
fn a_token_that_is_read_when_its_renewal_is_due_is_renewed_in_the_background() {
    let mut world = ready([Step::Issue]);
    world.run_for(DUE);
    assert_eq!(world.grant.requests().len(), 2, "the first was used: a caller was served");

    // Nobody has used the second, so that it isn't renewed; then somebody reads it.
    world.run_for(DUE);
    assert_eq!(world.grant.requests().len(), 2);
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-2");
    world.settle();
    assert_eq!(world.grant.requests().len(), 3);
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-3");
}

#[test]
fn an_early_read_is_remembered_until_the_renewal_is_due() {
    let mut world = ready([Step::Issue]);
    world.run_for(DUE);
    drop(world.manager.current());
    world.run_for(DUE);
    assert_eq!(world.grant.requests().len(), 3);
}

#[test]
fn a_million_reads_wake_the_driver_once() {
    let mut world = ready([Step::Issue, Step::Silence]);
    let wakes = |world: &World| world.driver.as_ref().unwrap().wakes();
    let read = |world: &World| (0..100_000).for_each(|_| drop(world.manager.current().unwrap()));
    let before = wakes(&world);
    read(&world);
    assert_eq!(wakes(&world), before, "a token that isn't due wakes nobody");
    world.clock.advance(DUE);
    read(&world);
    assert_eq!(wakes(&world), before + 1);
    world.settle();
    let before = wakes(&world);
    for _ in 0..9 {
        read(&world);
        world.settle();
    }
    assert!(wakes(&world) <= before + 1, "once for each tick");
    assert_eq!(world.grant.requests().len(), 2);
}

#[test]
fn a_computer_that_slept_is_noticed_within_half_a_minute() {
    let grant = ScriptedGrant::new([Step::Issue]);
    let mut world = World::with(grant, |builder| builder.with_policy(Policy::new().with_keep_warm()));
    world.run_for(Duration::from_secs(2));
    world.clock.suspend(Duration::from_secs(7_200));
    assert!(world.manager.current().is_none(), "readers notice at once");
    world.settle();
    assert_eq!(world.grant.requests().len(), 1, "the driver's timer stood still");
    world.run_for(Duration::from_secs(31));
    assert_eq!(world.grant.requests().len(), 2);
}

#[test]
fn a_driver_that_is_woken_often_keeps_its_timer() {
    let mut world = ready([Step::Issue, Step::Silence]);
    let sleeps = world.clock.sleeps();
    for _ in 0..100 {
        let wants = Demand::InsteadOf(Generation::NONE.next().next());
        let manager = world.manager.clone();
        let mut caller = ByHand::new(manager.token(wants));
        assert!(caller.poll().is_none());
        world.settle();
        assert!(caller.poll().is_some(), "there is no such token");
        world.clock.advance(Duration::from_millis(100));
    }
    assert_eq!(world.clock.sleeps(), sleeps);
}

#[test]
fn a_demand_without_waiting_obtains_a_token_once() {
    let mut world = World::new(ScriptedGrant::new([Step::Slow(3)]));
    assert!(!world.settle());
    let wakes = world.driver.as_ref().unwrap().wakes();
    (0..1_000).for_each(|_| world.manager.demand());
    assert_eq!(world.driver.as_ref().unwrap().wakes(), wakes + 1);
    world.settle();
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-1");
    world.manager.demand();
    world.settle();
    assert_eq!(world.grant.requests().len(), 1);
}

#[test]
fn a_rejection_without_waiting_replaces_the_token_once() {
    let mut world = ready([Step::Issue]);
    let refused = world.manager.current().unwrap().generation();
    world.run_for(Duration::from_secs(10));
    (0..1_000).for_each(|_| world.manager.rejected(refused));
    world.settle();
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-2");
    // A late report of the old one changes nothing, and neither does one of nothing or of another source's token.
    world.run_for(Duration::from_secs(10));
    let current = world.manager.current().unwrap().generation();
    for other in [refused, Generation::NONE, current.next().next()] {
        world.manager.rejected(other);
    }
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.grant.requests().len(), 2);
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-2");
    // Nor do they hide one that counts.
    for generation in [current, refused, current.next().next()] {
        world.manager.rejected(generation);
    }
    world.settle();
    assert_eq!(world.manager.current().unwrap().secret().expose(), "token-3");
}

#[test]
fn a_rejected_token_is_hidden_from_readers_while_the_next_is_fetched() {
    let mut world = ready([Step::Issue, Step::Silence]);
    world.run_for(Duration::from_secs(10));
    world.manager.rejected(world.manager.current().unwrap().generation());
    world.settle();
    assert!(world.manager.current().is_none());
}

#[test]
fn changes_tell_of_each_new_token_and_of_the_end() {
    let mut world = World::new(ScriptedGrant::new([Step::Issue]));
    let mut changes = world.manager.changes();
    assert_eq!(changes.generation(), Generation::NONE);
    let mut waiting = ByHand::new(changes.changed());
    assert!(waiting.poll().is_none());
    world.manager.demand();
    world.settle();
    let first = waiting.settle().unwrap().unwrap();
    drop(waiting);
    assert_eq!(first, world.manager.current().unwrap().generation());

    world.run_for(Duration::from_secs(10));
    assert!(ByHand::new(changes.changed()).poll().is_none(), "each is told once");
    world.manager.rejected(first);
    world.settle();
    let second = ByHand::new(changes.changed()).poll().unwrap().unwrap();
    assert!(second > first && changes.generation() == second);
    assert_eq!(world.manager.changes().generation(), second, "a late watcher begins with what is there");

    let World { manager, driver, .. } = world;
    drop(manager);
    assert!(driver.unwrap().settle().is_some(), "watching doesn't keep the driver alive");
    let error = ByHand::new(changes.changed()).poll().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

/// The renewal of a token that lives for an hour is due 120 to 150 s before it expires.
const DUE: Duration = Duration::from_secs(3_600 - 110);
