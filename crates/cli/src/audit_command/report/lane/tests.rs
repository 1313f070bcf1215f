//! The life of a session as its events tell it.

use auth_core::Secret;
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::Label;

use super::*;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn token(name: &str) -> Fingerprint {
    FingerprintKey::new([1; 32]).fingerprint(&Secret::from(name))
}

fn issued(name: &str, generation: u64) -> AuthEvent {
    let generation = serde_json::from_value(generation.into()).unwrap();
    let (expires_in, renews_in) = (Duration::from_secs(60), Duration::from_secs(40));
    AuthEvent::TokenIssued { token: token(name), generation, expires_in, renews_in, took: None }
}

fn authenticated(connection: u64) -> AuthEvent {
    AuthEvent::Authenticated { connection, token: None, session_id: None, latency: Duration::from_millis(80) }
}

fn lost(connection: u64, retry_in: Option<u64>) -> AuthEvent {
    let retry_in = retry_in.map(Duration::from_secs);
    AuthEvent::ConnectionLost { connection, reason: Label::new("gone"), code: None, lasted: None, retry_in }
}

fn played(events: &[(u64, AuthEvent)], end: u64) -> Lane {
    let mut lane = Lane::new();
    let mut before = at(0);
    for (second, event) in events {
        lane.take(at(*second), before, event);
        before = at(*second);
    }
    lane.finish(at(end));
    lane
}

fn seconds<K: Copy + Ord>(track: &Track<K>) -> Vec<(u64, u64, K)> {
    let spans = track.spans().iter();
    spans.map(|span| (span.begin.as_secs(), span.end.as_secs(), span.kind)).collect()
}

#[test]
fn a_session_is_in_one_phase_after_the_other() {
    let connecting = |connection| AuthEvent::Connecting { connection, failures: 0 };
    let failed =
        AuthEvent::SessionFailed { connection: None, reason: Label::new("forbidden"), code: Some(403) };
    let lane = played(
        &[
            (0, connecting(1)),
            (1, authenticated(1)),
            (10, lost(1, Some(2))),
            (12, connecting(2)),
            (13, lost(2, None)),
            (13, failed),
        ],
        20,
    );
    let expected = [
        (0, 1, Phase::Connecting),
        (1, 10, Phase::Connected),
        (10, 12, Phase::BackingOff),
        (12, 13, Phase::Connecting),
        (13, 20, Phase::Failed),
    ];
    assert_eq!(seconds(&lane.phases), expected);
    assert_eq!((lane.connections, lane.lost), (1, 1));
}

#[test]
fn a_connection_that_takes_over_interrupts_nothing() {
    let renewed = AuthEvent::TokenRenewed { connection: 2, token: None, session_id: None, in_band: false };
    let connecting = AuthEvent::Connecting { connection: 2, failures: 0 };
    let lane = played(&[(0, authenticated(1)), (5, connecting), (6, renewed), (7, lost(1, None))], 9);
    assert_eq!(seconds(&lane.phases), [(0, 6, Phase::Connected), (6, 9, Phase::Connected)]);
}

#[test]
fn a_token_ends_as_the_log_says_it_did() {
    let expired =
        AuthEvent::TokenExpired { token: token("b"), generation: serde_json::from_value(2.into()).unwrap() };
    let lane =
        played(&[(0, issued("a", 1)), (40, issued("b", 2)), (100, expired), (101, issued("c", 3))], 120);
    let expected = [(0, 40, Fate::Renewed), (40, 100, Fate::Expired), (101, 120, Fate::InUse)];
    assert_eq!(seconds(&lane.tokens), expected);
}

#[test]
fn a_token_that_outlives_nothing_ends_with_its_own_lifetime() {
    assert_eq!(seconds(&played(&[(0, issued("a", 1))], 300).tokens), [(0, 60, Fate::Expired)]);
}

#[test]
fn a_session_that_is_over_renews_nothing_and_uses_no_token() {
    let started = AuthEvent::RenewalStarted { reason: RenewalReason::Due, valid_for: None };
    let generation = serde_json::from_value(1.into()).unwrap();
    let released = AuthEvent::TokenReleased { token: token("a"), generation };
    let closed = AuthEvent::SessionClosed { lasted: None };
    let failed = AuthEvent::SessionFailed { connection: None, reason: Label::new("no"), code: None };
    for end in [closed, failed] {
        let lane = played(
            &[
                (0, issued("a", 1)),
                (0, released.clone()),
                (1, authenticated(1)),
                (40, started.clone()),
                (45, end),
                (46, released.clone()),
            ],
            300,
        );
        assert_eq!(seconds(&lane.tokens), [(0, 45, Fate::Left)]);
        assert_eq!(seconds(&lane.renewals), [(40, 45, Phase::Renewing)]);
    }
}

#[test]
fn a_session_that_begins_anew_ended_when_it_was_last_heard_of() {
    let connecting = |connection| AuthEvent::Connecting { connection, failures: 0 };
    let first = AuthEvent::RenewalStarted { reason: RenewalReason::First, valid_for: None };
    let lane = played(
        &[
            (0, first.clone()),
            (1, issued("a", 1)),
            (2, connecting(1)),
            (3, authenticated(1)),
            (10, connecting(2)),
            // The process is killed, and another one begins.
            (20, first),
            (21, issued("b", 1)),
            (22, connecting(1)),
            (23, authenticated(1)),
        ],
        30,
    );
    let expected = [
        (2, 3, Phase::Connecting),
        (3, 10, Phase::Connected),
        (10, 22, Phase::Unknown),
        (22, 23, Phase::Connecting),
        (23, 30, Phase::Connected),
    ];
    assert_eq!(seconds(&lane.phases), expected);
    assert_eq!(seconds(&lane.tokens), [(1, 10, Fate::Left), (21, 30, Fate::InUse)]);
    assert_eq!(seconds(&lane.renewals), [(0, 1, Phase::Renewing), (20, 21, Phase::Renewing)]);
}

#[test]
fn a_session_that_was_closed_may_begin_anew() {
    let connecting = AuthEvent::Connecting { connection: 1, failures: 0 };
    let closed = AuthEvent::SessionClosed { lasted: None };
    let lane = played(&[(0, connecting.clone()), (1, authenticated(1)), (5, closed), (9, connecting)], 10);
    let expected = [(0, 1, Phase::Connecting), (1, 5, Phase::Connected), (9, 10, Phase::Connecting)];
    assert_eq!(seconds(&lane.phases), expected);
}

#[test]
fn a_token_of_which_nobody_says_how_long_it_lives_is_in_use() {
    let generation = serde_json::from_value(1.into()).unwrap();
    let (expires_in, renews_in) = (Duration::ZERO, Duration::ZERO);
    let issued = AuthEvent::TokenIssued { token: token("a"), generation, expires_in, renews_in, took: None };
    assert_eq!(seconds(&played(&[(1, issued)], 300).tokens), [(1, 300, Fate::InUse)]);
}
