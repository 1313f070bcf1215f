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
    for (second, event) in events {
        lane.take(at(*second), event);
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
fn the_sessions_that_are_drawn_are_bounded() {
    let mut lanes = Lanes::new();
    for number in 0..1_000 {
        lanes.take(at(number), Some(&number.to_string()), &authenticated(1));
    }
    assert_eq!((lanes.lanes.len(), lanes.left_out), (Lanes::MOST, 1_000 - Lanes::MOST as u64));
}
