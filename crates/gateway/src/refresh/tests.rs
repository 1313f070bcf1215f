//! Which refresh tokens lead on, which are given again, and which revoke their family.

use auth_core::time::{Moment, Timestamp};

use super::*;

const GRACE: Duration = Duration::from_secs(10);

fn tokens(grace: Duration) -> RefreshTokens {
    let mut tokens = RefreshTokens::new(grace);
    tokens.add(&Secret::from("r1"), "client", "a b".parse().unwrap());
    tokens
}

fn at(millis: u64) -> Now {
    at_clocks(millis, millis)
}

fn at_clocks(wall: u64, mono: u64) -> Now {
    Now { wall: Timestamp::from_millis(wall), mono: Moment::since_origin(Duration::from_millis(mono)) }
}

/// Redeemed, retried, revoked.
fn counts(tokens: &RefreshTokens) -> (u64, u64, u64) {
    let refreshes = tokens.refreshes();
    (refreshes.redeemed(), refreshes.retried(), refreshes.revoked())
}

fn redeem(tokens: &mut RefreshTokens, millis: u64, token: &Secret) -> Option<Secret> {
    tokens.redeem(at(millis), token, "client").ok()
}

fn first() -> Secret {
    Secret::from("r1")
}

#[test]
fn a_token_leads_to_its_successor_with_the_scopes_of_the_family() {
    let mut tokens = tokens(GRACE);
    assert_eq!(tokens.scope(at(0), &first(), "client").unwrap().to_string(), "a b");
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    assert_eq!(tokens.scope(at(0), &second, "client").unwrap().to_string(), "a b");
    let third = redeem(&mut tokens, 0, &second).unwrap();
    assert_ne!(second, third);
    assert_eq!(counts(&tokens), (2, 0, 0));
}

#[test]
fn a_retry_within_the_grace_gets_the_same_successor_however_often() {
    let mut tokens = tokens(GRACE);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    for millis in [0, 200, 1_200, 9_999] {
        assert!(tokens.scope(at(millis), &first(), "client").is_ok(), "after {millis} ms");
        assert_eq!(redeem(&mut tokens, millis, &first()).as_ref(), Some(&second), "after {millis} ms");
    }
    assert!(redeem(&mut tokens, 9_999, &second).is_some(), "the successor is alive");
    assert_eq!(counts(&tokens), (2, 4, 0));
}

#[test]
fn a_retry_does_not_extend_the_grace() {
    let mut tokens = tokens(GRACE);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    assert!(redeem(&mut tokens, 9_999, &first()).is_some());
    assert!(redeem(&mut tokens, 10_000, &first()).is_none());
    assert!(redeem(&mut tokens, 10_000, &second).is_none(), "the family is revoked");
    assert_eq!(counts(&tokens), (1, 1, 1));
}

#[test]
fn the_grace_ends_when_either_clock_says_so() {
    for later in [at_clocks(10_000, 1), at_clocks(1, 10_000)] {
        let mut tokens = tokens(GRACE);
        redeem(&mut tokens, 0, &first()).unwrap();
        assert!(tokens.redeem(later, &first(), "client").is_err(), "{later:?}");
    }
}

#[test]
fn a_retry_after_the_successor_was_redeemed_is_reuse() {
    let mut tokens = tokens(GRACE);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    let third = redeem(&mut tokens, 1, &second).unwrap();
    assert!(redeem(&mut tokens, 2, &first()).is_none());
    assert!(redeem(&mut tokens, 3, &second).is_none(), "no grace in a family that is revoked");
    assert!(redeem(&mut tokens, 3, &third).is_none());
    assert_eq!(counts(&tokens), (2, 0, 1), "a family is revoked once, however often it is tried");
}

#[test]
fn every_rotation_has_a_grace_of_its_own() {
    let mut tokens = tokens(GRACE);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    let third = redeem(&mut tokens, 60_000, &second).unwrap();
    assert_eq!(redeem(&mut tokens, 69_000, &second), Some(third));
    assert_eq!(counts(&tokens), (2, 1, 0));
}

#[test]
fn without_a_grace_the_reuse_of_a_spent_token_revokes_the_family() {
    let mut tokens = tokens(Duration::ZERO);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    assert!(redeem(&mut tokens, 0, &first()).is_none());
    assert!(redeem(&mut tokens, 0, &second).is_none(), "the successor is dead too");
    assert_eq!(counts(&tokens), (1, 0, 1));
}

#[test]
fn a_look_at_a_spent_token_past_its_grace_is_reuse_as_well() {
    let mut tokens = tokens(GRACE);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    assert_eq!(tokens.scope(at(10_000), &first(), "client"), Err(NotGood::Reused { revokes: true }));
    assert_eq!(tokens.scope(at(10_000), &first(), "client"), Err(NotGood::Reused { revokes: false }));
    assert!(redeem(&mut tokens, 10_000, &second).is_none());
    assert_eq!(counts(&tokens), (1, 0, 1));
}

#[test]
fn another_clients_token_is_refused_and_stays_alive() {
    let mut tokens = tokens(GRACE);
    assert!(tokens.redeem(at(0), &first(), "thief").is_err());
    assert!(tokens.redeem(at(0), &Secret::from("unknown"), "client").is_err());
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    assert!(tokens.redeem(at(1), &first(), "thief").is_err(), "the grace is the owner's");
    assert!(tokens.redeem(at(10_000), &first(), "thief").is_err());
    assert!(redeem(&mut tokens, 10_000, &second).is_some());
    assert_eq!(counts(&tokens), (2, 0, 0));
}

#[test]
fn the_same_token_has_another_successor_in_every_gateway() {
    let successor = || redeem(&mut tokens(GRACE), 0, &first()).unwrap();
    assert_ne!(successor(), successor(), "nobody who knows a token can work out the next");
}

#[test]
fn memory_does_not_grow_with_the_number_of_refreshes() {
    let mut tokens = tokens(GRACE);
    let mut token = first();
    for _ in 0..1_000 {
        token = redeem(&mut tokens, 0, &token).unwrap();
    }
    assert_eq!(tokens.by_hash.len(), REMEMBERED + 1);
}

#[test]
fn what_never_left_costs_nobody_a_login_and_begins_its_grace_when_it_leaves() {
    let mut tokens = tokens(Duration::ZERO);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    tokens.unsent(&second);
    assert_eq!(
        redeem(&mut tokens, 60_000, &first()),
        Some(second.clone()),
        "however late, and without a grace"
    );
    tokens.unsent(&Secret::from("unknown"));
    assert!(redeem(&mut tokens, 60_000, &first()).is_none(), "this time it left");
    assert!(redeem(&mut tokens, 60_000, &second).is_none(), "the family is revoked");

    let mut tokens = self::tokens(GRACE);
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    tokens.unsent(&second);
    assert_eq!(redeem(&mut tokens, 60_000, &first()), Some(second.clone()));
    assert_eq!(redeem(&mut tokens, 69_999, &first()), Some(second.clone()), "the answer was lost on its way");
    let third = redeem(&mut tokens, 69_999, &second).unwrap();
    tokens.unsent(&second);
    assert_eq!(tokens.redeem(at(70_000), &first(), "client"), Err(NotGood::Reused { revokes: true }));
    assert!(redeem(&mut tokens, 70_000, &third).is_none());
}

#[test]
fn an_answer_that_left_once_is_not_unsent_because_its_retry_was_not_sent() {
    let mut tokens = tokens(GRACE);
    // The owner redeems it, and has the successor.
    let second = redeem(&mut tokens, 0, &first()).unwrap();
    assert_eq!(redeem(&mut tokens, 5_000, &first()).as_ref(), Some(&second));
    tokens.unsent(&second);
    assert_eq!(tokens.redeem(at(3_600_000), &first(), "client"), Err(NotGood::Reused { revokes: true }));
}
