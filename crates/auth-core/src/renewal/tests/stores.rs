//! Stores that fail, hang or are edited, and shutting down around them.

use super::rotation::{lost, rotating, rotating_by};
use super::*;

#[test]
fn a_record_that_nobody_can_read_is_no_reason_to_send_what_is_configured() {
    let mut simulation = rotating(1);
    let aside =
        Error::new(ErrorKind::StoreFailed, "it is now tokens.json.unreadable-1").with_retry(Retry::Never);
    simulation.unreadable = Some(aside);
    let caller = simulation.demand(Demand::Current);
    let told = format!("{}", simulation.answers[&caller].as_ref().unwrap_err());
    assert_eq!(told, "it is now tokens.json.unreadable-1", "whoever waits is told what to do");
    for _ in 0..5 {
        simulation.sleep(61 * SECOND);
        simulation.demand(Demand::Current);
    }
    assert_eq!(simulation.requests, 0, "a successor of it is likely in that file");
    simulation.record = Some(Record { refresh_token: Some(Secret::from("refresh-7")), ..Record::default() });
    simulation.sleep(61 * SECOND);
    simulation.demand(Demand::Current);
    assert_eq!(simulation.sent(), Some("refresh-7"), "repaired, and moved back");
}

#[test]
fn a_person_who_logs_out_is_not_logged_in_again_by_a_program_that_runs() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.rotate();
    simulation.record = Some(Record { refresh_token: None, ..simulation.stored().clone() });
    let caller = simulation.force();
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::InvalidGrant);
    assert_eq!((simulation.requests, &simulation.stored().refresh_token), (1, &None));
}

#[test]
fn a_write_that_hangs_is_told_of_and_tried_again() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.store_hangs = true;
    simulation.rotate();
    simulation.sleep(5 * SECOND);
    assert_eq!(
        simulation.count(|event| matches!(event, AuthEvent::StoreFailed { retry_in: Some(_), .. })),
        1
    );
    let caller = simulation.force();
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::StoreFailed, "at once");
    simulation.store_hangs = false;
    for _ in 0..20 {
        simulation.sleep(SECOND);
    }
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
}

#[test]
fn a_store_that_hangs_costs_a_grant_without_refresh_tokens_seconds_and_no_token() {
    let machine = Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), 1).with_store();
    let mut simulation = Simulation::of(machine);
    simulation.store_hangs = true;
    simulation.demand(Demand::Current);
    simulation.sleep(5 * SECOND);
    simulation.issue(HOUR);
    simulation.served();
}

#[test]
fn a_lock_that_is_never_let_go_costs_a_grant_without_refresh_tokens_seconds_and_no_token() {
    let machine = Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), 1).with_store();
    let mut simulation = Simulation::of(machine);
    simulation.locked_by_another = true;
    simulation.demand(Demand::Current);
    for _ in 0..60 {
        simulation.sleep(Duration::from_millis(100));
    }
    simulation.issue(HOUR);
    simulation.served();
}

#[test]
fn a_shutdown_in_a_long_flight_waits_without_waking_for_nothing() {
    let mut simulation = rotating_by(Policy::new().with_flight(120 * SECOND), 1);
    simulation.demand(Demand::Current);
    simulation.input(Input::ShutDown);
    for _ in 0..5 {
        simulation.sleep(20 * SECOND);
        assert!(simulation.wait.is_some_and(|wait| !wait.passed(simulation.now)), "woken for nothing");
    }
    simulation.rotate();
    assert!(simulation.done);
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
}

#[test]
fn a_shutdown_during_a_replay_leaves_time_to_save_what_it_brings() {
    let mut simulation = rotating_by(Policy::new().with_flight(120 * SECOND), 1);
    simulation.demand(Demand::Current);
    simulation.fail(lost());
    simulation.input(Input::ShutDown);
    simulation.sleep(SECOND);
    simulation.sleep(60 * SECOND);
    simulation.rotate();
    assert!(simulation.done);
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
}

#[test]
fn giving_up_on_the_last_save_is_told() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.saves_fail = true;
    simulation.rotate();
    simulation.input(Input::ShutDown);
    simulation.sleep(31 * SECOND);
    assert!(matches!(simulation.events.last(), Some(AuthEvent::StoreFailed { retry_in: None, .. })));
}

#[test]
fn a_shutdown_waits_for_the_answer_to_a_refresh_token_and_saves_it() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.input(Input::ShutDown);
    assert!(!simulation.done && simulation.fetch.is_some());
    simulation.rotate();
    assert!(simulation.done && !simulation.locked);
    assert_eq!(simulation.stored().refresh_token, Some(Secret::from("refresh-1")));
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_disk_that_is_full() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.saves_fail = true;
    simulation.rotate();
    simulation.input(Input::ShutDown);
    simulation.sleep(29 * SECOND);
    assert!(!simulation.done);
    simulation.sleep(2 * SECOND);
    assert!(simulation.done && !simulation.locked);
}

impl Simulation {
    /// A store that hangs ends after so many milliseconds what it was asked.
    fn store_ends_after(&mut self, millis: u64) {
        while self.store_work.is_empty() {
            self.sleep_until_due();
        }
        self.sleep(Duration::from_millis(millis));
        let work = self.store_work.pop().expect("something that the store was asked");
        let input = self.store(work);
        self.input(input);
    }

    /// How long the store took, in milliseconds, as the events tell that were made since the last look.
    fn store_times(&mut self) -> Vec<(&'static str, Option<u128>)> {
        let events = core::mem::take(&mut self.events);
        let times = events.iter().filter_map(|event| match event {
            AuthEvent::TokenRequested { noted: took, .. }
            | AuthEvent::TokenAdopted { took, .. }
            | AuthEvent::RefreshTokenSaved { took, .. }
            | AuthEvent::StoreFailed { took, .. } => Some((event.name(), took.map(|took| took.as_millis()))),
            _ => None,
        });
        times.collect()
    }
}

#[test]
fn how_long_the_store_took_is_told_with_what_came_of_it() {
    let mut simulation = rotating(1);
    simulation.store_hangs = true;
    simulation.demand(Demand::Current);
    // It is read, locked, read again, and takes a note.
    [10, 20, 30, 40].into_iter().for_each(|millis| simulation.store_ends_after(millis));
    assert_eq!(simulation.store_times(), [("token_requested", Some(40))]);
    simulation.fail(lost());
    simulation.sleep_until_due();
    assert_eq!(simulation.store_times(), [("token_requested", None)], "the note is there already");
    simulation.rotate();
    simulation.saves_fail = true;
    simulation.store_ends_after(50);
    simulation.saves_fail = false;
    simulation.store_ends_after(60);
    let saved = [("store_failed", Some(50)), ("refresh_token_saved", Some(60))];
    assert_eq!(simulation.store_times(), saved, "each write for itself");
}

#[test]
fn how_long_it_took_to_find_a_token_of_another_process_is_told() {
    let machine = Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), 1).with_store();
    let mut simulation = Simulation::of(machine);
    let token = StoredToken {
        secret: Secret::from("token-of-peer"),
        issued: simulation.now.wall,
        expires: simulation.now.wall.saturating_add(HOUR),
        scope: None,
        details: None,
    };
    simulation.record = Some(Record { revision: 1, access_token: Some(token), ..Record::default() });
    simulation.store_hangs = true;
    simulation.demand(Demand::Current);
    simulation.store_ends_after(15);
    assert_eq!(simulation.store_times(), [("token_adopted", Some(15))]);
}

#[test]
fn how_long_was_waited_for_a_write_that_hangs_is_told() {
    let mut simulation = rotating(1);
    simulation.demand(Demand::Current);
    simulation.store_hangs = true;
    simulation.store_times();
    simulation.rotate();
    simulation.sleep(5 * SECOND);
    assert_eq!(simulation.store_times(), [("store_failed", Some(5_000))]);
}
