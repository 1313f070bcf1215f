//! Refresh tokens: sent only from the store, never twice after an answer, and replayed only within bounds.

use super::*;

pub(super) fn rotating(seed: u64) -> Simulation {
    rotating_by(Policy::new(), seed)
}

pub(super) fn rotating_by(policy: Policy, seed: u64) -> Simulation {
    let machine = Renewal::new(policy, FingerprintKey::new([1; 32]), seed)
        .with_refresh(Refresh::Only, Some(Secret::from("refresh-0")))
        .with_store();
    Simulation::of(machine)
}

/// A machine that can obtain tokens without its refresh token, too.
fn preferring(seed: u64) -> Renewal {
    Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), seed)
        .with_refresh(Refresh::Preferred, Some(Secret::from("refresh-0")))
}

impl Simulation {
    pub(super) fn rotate(&mut self) {
        self.issued += 1;
        let response = TokenResponse::new(Secret::from(format!("token-{}", self.issued)))
            .with_expires_in(HOUR)
            .with_refresh_token(Secret::from(format!("refresh-{}", self.issued)));
        self.answer(response);
    }

    /// The first answer, and those to all replays.
    pub(super) fn lose_all_answers(&mut self) {
        for _ in 0..4 {
            self.fail(lost());
            self.sleep_until_due();
        }
    }

    pub(super) fn sent(&self) -> Option<&str> {
        let (_, attempt) = self.fetch.as_ref()?;
        Some(attempt.refresh_token.as_ref()?.expose())
    }

    pub(super) fn force(&mut self) -> Caller {
        self.sleep(6 * SECOND);
        self.demand(Demand::InsteadOf(self.machine.generation))
    }

    pub(super) fn stored(&self) -> &Record {
        self.record.as_ref().expect("a record")
    }
}

pub(super) fn lost() -> Error {
    Error::new(ErrorKind::Timeout, "no answer")
}

#[test]
fn a_refresh_token_is_on_disk_with_a_note_before_it_is_sent_and_its_successor_without_one_after() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    assert_eq!(simulation.sent(), Some("refresh-0"));
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-0")));
    assert!(simulation.stored().intent.is_some() && simulation.locked);
    simulation.rotate();
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
    assert!(simulation.stored().intent.is_none() && !simulation.locked);
    simulation.force();
    assert_eq!(simulation.sent(), Some("refresh-1"));
}

#[test]
fn a_failed_write_keeps_the_new_token_in_memory_and_the_old_one_is_never_sent_again() {
    let mut simulation = rotating(1);
    let caller = simulation.demand(Demand::Current);
    simulation.saves_fail = true;
    simulation.rotate();
    assert!(simulation.answers[&caller].is_ok(), "the caller does not wait for the disk");
    let impatient = simulation.force();
    assert_eq!(simulation.answers[&impatient].as_ref().unwrap_err().kind(), ErrorKind::StoreFailed);
    simulation.sleep(600 * SECOND);
    assert_eq!(simulation.requests, 1, "nothing is sent that the disk does not hold");
    assert!(simulation.locked, "nobody else may send what the disk still holds");
    simulation.saves_fail = false;
    simulation.sleep(60 * SECOND);
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
    assert_eq!(simulation.sent(), Some("refresh-1"));
}

#[test]
fn nothing_is_sent_when_the_note_could_not_be_written() {
    let mut simulation = rotating(1);
    simulation.saves_fail = true;
    let caller = simulation.demand(Demand::Current);
    simulation.fail_flight();
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::StoreFailed);
    assert_eq!(simulation.requests, 0);
    assert!(!simulation.locked);
}

#[test]
fn a_peers_newer_token_is_adopted_without_a_request() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.rotate();
    let mut record = simulation.stored().clone();
    record.revision += 1;
    record.refresh_token = Some(Secret::from("refresh-of-peer"));
    record.access_token = Some(StoredToken {
        secret: Secret::from("token-of-peer"),
        issued: simulation.now.wall,
        expires: simulation.now.wall.saturating_add(HOUR),
        scope: None,
        details: None,
    });
    simulation.record = Some(record);
    let caller = simulation.force();
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().secret().expose(), "token-of-peer");
    assert_eq!(simulation.requests, 1);
    simulation.force();
    assert_eq!(simulation.sent(), Some("refresh-of-peer"));
}

#[test]
fn a_peers_lock_is_waited_for_and_what_it_wrote_meanwhile_adopted() {
    let mut simulation = rotating(1);
    simulation.locked_by_another = true;
    let caller = simulation.demand(Demand::Current);
    simulation.sleep(5 * SECOND);
    assert_eq!(simulation.requests, 0);
    simulation.record = Some(Record {
        revision: 1,
        refresh_token: Some(Secret::from("refresh-1")),
        origin: Some(Record::origin_of(&Secret::from("refresh-0"))),
        access_token: Some(StoredToken {
            secret: Secret::from("token-of-peer"),
            issued: simulation.now.wall,
            expires: simulation.now.wall.saturating_add(HOUR),
            scope: None,
            details: None,
        }),
        ..Record::default()
    });
    simulation.sleep(SECOND);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().secret().expose(), "token-of-peer");
    assert_eq!(simulation.requests, 0);
}

#[test]
fn a_lock_that_is_never_let_go_fails_the_flight_with_its_reason() {
    let mut simulation = rotating(1);
    simulation.locked_by_another = true;
    let caller = simulation.demand(Demand::Current);
    simulation.fail_flight();
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::StoreFailed);
}

#[test]
fn an_uncertain_refresh_is_replayed_three_times_within_ten_seconds_and_then_left_alone() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.rotate();
    simulation.sleep_until_due();
    let first = simulation.now;
    for _ in 0..4 {
        assert_eq!(simulation.sent(), Some("refresh-1"));
        assert!(simulation.now.wall.saturating_since(first.wall) < 10 * SECOND);
        simulation.fail(lost());
        simulation.sleep_until_due();
    }
    let sent = simulation.requests;
    while simulation.machine.current().is_some_and(|credential| credential.serves(simulation.now)) {
        simulation.served();
        simulation.sleep(SECOND);
        assert_eq!(simulation.requests, sent, "there is a living token to lose");
    }
    for _ in 0..72 {
        simulation.demand(Demand::Current);
        if simulation.fetch.is_none() {
            simulation.sleep(SECOND);
        }
    }
    assert_eq!(simulation.sent(), Some("refresh-1"), "nothing is left to lose");
    simulation.rotate();
    simulation.served();
}

#[test]
fn without_late_replay_an_uncertain_refresh_ends_in_a_login() {
    let mut simulation = rotating_by(Policy::new().without_late_replay(), 1);
    simulation.demand(Demand::Current);
    simulation.lose_all_answers();
    simulation.sleep(600 * SECOND);
    let caller = simulation.demand(Demand::Current);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::InvalidGrant);
    assert_eq!(simulation.requests, 4);
}

#[test]
fn a_token_obtained_anew_says_nothing_about_a_refresh_token_in_doubt() {
    let mut simulation = Simulation::of(preferring(1));
    simulation.demand(Demand::Current);
    simulation.lose_all_answers();
    simulation.sleep(61 * SECOND);
    for _ in 0..3 {
        simulation.demand(Demand::Current);
        assert!(simulation.fetch.is_some() && simulation.sent().is_none(), "a token is obtained anew");
        simulation.issue(HOUR);
        simulation.sleep(2 * HOUR);
    }
}

#[test]
fn a_refresh_token_in_doubt_is_the_last_resort_of_a_login_that_can_not_be_repeated() {
    let mut simulation = Simulation::of(preferring(1));
    simulation.demand(Demand::Current);
    simulation.lose_all_answers();
    for _ in 0..150 {
        simulation.demand(Demand::Current);
        match simulation.sent() {
            Some(_) => break,
            None if simulation.fetch.is_some() => {
                simulation.fail(Error::new(ErrorKind::InvalidGrant, "the code is used up; log in again"));
            }
            None => simulation.sleep(SECOND),
        }
    }
    assert_eq!(simulation.sent(), Some("refresh-0"));
    simulation.rotate();
    simulation.served();
}

#[test]
fn the_note_of_an_uncertain_refresh_stays_and_that_of_a_failed_one_goes() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.fail_flight();
    assert!(simulation.stored().intent.is_none() && !simulation.locked, "each attempt was turned away");
    simulation.sleep(61 * SECOND);
    simulation.demand(Demand::Current);
    simulation.lose_all_answers();
    assert!(simulation.stored().intent.is_some() && !simulation.locked);
}

#[test]
fn a_fresh_note_that_a_crash_left_behind_is_followed_up_at_once_although_a_token_lives() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.rotate();
    let mut record = simulation.stored().clone();
    record.intent = Some(simulation.now.wall);
    let mut restarted = rotating(2);
    restarted.record = Some(record.clone());
    assert_eq!(restarted.served().secret().expose(), "token-1", "nobody waits for that");
    assert_eq!(restarted.sent(), Some("refresh-1"));

    let mut beside_a_live_one = rotating(3);
    beside_a_live_one.record = Some(record.clone());
    beside_a_live_one.locked_by_another = true;
    beside_a_live_one.served();
    beside_a_live_one.sleep(60 * SECOND);
    assert_eq!(beside_a_live_one.requests, 0);

    let mut before_the_clock_was_set_back = rotating(5);
    before_the_clock_was_set_back.record = Some(Record {
        intent: Some(beside_a_live_one.now.wall.saturating_add(HOUR)),
        ..beside_a_live_one.stored().clone()
    });
    before_the_clock_was_set_back.served();
    assert_eq!(before_the_clock_was_set_back.requests, 0, "nobody knows how old it is");

    let mut too_late = rotating(4);
    too_late.record = Some(record);
    too_late.sleep(11 * SECOND);
    too_late.served();
    assert_eq!(too_late.requests, 0, "there is a living token to lose");
    too_late.sleep(6 * SECOND);
    too_late.demand(Demand::InsteadOf(too_late.machine.generation));
    assert_eq!(too_late.sent(), Some("refresh-1"), "and now there is none");
}

#[test]
fn a_note_that_a_crash_left_behind_is_tried_once_more() {
    let mut simulation = rotating(1);
    simulation.record = Some(Record {
        revision: 4,
        refresh_token: Some(Secret::from("refresh-4")),
        origin: Some(Record::origin_of(&Secret::from("refresh-0"))),
        intent: Some(simulation.now.wall),
        ..Record::default()
    });
    simulation.demand(Demand::Current);
    assert_eq!(simulation.sent(), Some("refresh-4"));
}

#[test]
fn a_refused_refresh_token_is_never_sent_again_and_a_login_elsewhere_is_noticed() {
    let mut simulation = rotating(1);
    let caller = simulation.demand(Demand::Current);
    simulation.fail(Error::new(ErrorKind::InvalidGrant, "log in again"));
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::InvalidGrant);
    for _ in 0..50 {
        simulation.demand(Demand::Current);
        simulation.sleep(61 * SECOND);
    }
    assert_eq!(simulation.requests, 1);
    simulation.record =
        Some(Record { refresh_token: Some(Secret::from("fresh")), ..simulation.stored().clone() });
    simulation.demand(Demand::Current);
    assert_eq!(simulation.sent(), Some("fresh"));
}

#[test]
fn another_configured_refresh_token_replaces_the_records() {
    let mut first = rotating(1);
    first.demand(Demand::Current);
    first.rotate();
    let machine = Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), 2)
        .with_refresh(Refresh::Only, Some(Secret::from("of a new login")))
        .with_store();
    let mut second = Simulation::of(machine);
    second.record = first.record.clone();
    second.demand(Demand::Current);
    assert_eq!(second.sent(), Some("of a new login"));
    let mut third = rotating(3);
    third.record = first.record;
    assert_eq!(third.served().secret().expose(), "token-1", "the same one finds its successors");
}

#[test]
fn a_rotated_token_that_came_with_an_expired_access_token_is_kept() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    let response = TokenResponse::new(Secret::from("dead")).with_expires_in(Duration::ZERO);
    simulation.answer(response.with_refresh_token(Secret::from("refresh-1")));
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
    simulation.sleep(61 * SECOND);
    simulation.demand(Demand::Current);
    assert_eq!(simulation.sent(), Some("refresh-1"));
}

#[test]
fn an_answer_that_came_after_a_long_sleep_fails_nobody() {
    let mut simulation = rotating(1);
    let caller = simulation.demand(Demand::Current);
    simulation.now.wall = simulation.now.wall.saturating_add(2 * HOUR);
    simulation.rotate();
    assert!(!simulation.answers.contains_key(&caller));
    assert_eq!(simulation.sent(), Some("refresh-1"));
    simulation.rotate();
    assert!(simulation.answers[&caller].is_ok());
}

#[test]
fn a_grant_without_refresh_tokens_shares_its_access_token_and_needs_no_store_to_work() {
    let machine = || Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), 1).with_store();
    let mut first = Simulation::of(machine());
    first.demand(Demand::Current);
    first.issue(HOUR);
    let mut second = Simulation::of(machine());
    second.record = first.record.clone();
    assert_eq!(second.served().secret().expose(), "token-1");
    let mut third = Simulation::of(machine());
    third.saves_fail = true;
    third.demand(Demand::Current);
    third.issue(HOUR);
    third.served();
}

#[test]
fn a_doubt_is_still_on_disk_after_a_token_was_obtained_anew() {
    let machine = |seed| preferring(seed).with_store();
    let mut simulation = Simulation::of(machine(1));
    simulation.demand(Demand::Current);
    simulation.lose_all_answers();
    simulation.sleep(61 * SECOND);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    assert!(simulation.stored().intent.is_some());
    let mut restarted = Simulation::of(machine(2));
    restarted.record = simulation.record.clone();
    restarted.sleep(2 * HOUR);
    restarted.demand(Demand::Current);
    assert!(restarted.fetch.is_some() && restarted.sent().is_none(), "the token is not sent minutes later");
}
