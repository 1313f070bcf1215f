//! What callers get while tokens come, fail and are refused.

use super::*;

#[test]
fn callers_share_a_failure_and_then_a_pause() {
    let mut simulation = Simulation::new(Policy::new(), 3);
    for _ in 0..1_000 {
        simulation.demand(Demand::Current);
    }
    assert_eq!(simulation.requests, 1);
    simulation.fail_flight();
    assert_eq!(simulation.requests, 3, "one flight is three attempts");
    assert_eq!(simulation.answers.len(), 1_000);
    for _ in 0..1_000 {
        let answer = simulation.ask(Demand::Current).expect("an answer at once");
        assert_eq!(answer.unwrap_err().code(), Some(503));
    }
    assert_eq!(simulation.requests, 3, "nobody asks during the pause");
    simulation.sleep_until_due();
    assert_eq!(simulation.requests, 3, "nor after it, until somebody wants a token");
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.served();
}

#[test]
fn many_late_rejections_of_one_generation_cause_one_request() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(SECOND);
    let refused = simulation.served().generation();
    let caller = simulation.demand(Demand::InsteadOf(refused));
    simulation.issue(HOUR);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().secret().expose(), "token-2");
    for _ in 0..20 {
        simulation.input(Input::Rejected { generation: refused });
        let token = simulation.ask(Demand::InsteadOf(refused)).unwrap().unwrap();
        assert_eq!(token.secret().expose(), "token-2");
    }
    assert_eq!(simulation.requests, 2);
}

#[test]
fn a_refusal_that_nobody_waits_on_fetches_the_next_token_too() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(SECOND);
    let generation = simulation.served().generation();
    simulation.input(Input::Rejected { generation });
    assert_eq!(simulation.requests, 2);
    assert!(simulation.machine.current().is_none(), "readers must not serve it either");
}

#[test]
fn a_replacement_that_is_refused_at_once_ends_in_a_pause_and_not_in_a_loop() {
    let mut simulation = Simulation::new(Policy::new().with_spacing(Duration::ZERO), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    for _ in 0..1_000 {
        if simulation.fetch.is_some() {
            simulation.issue(HOUR);
        }
        if let Some(credential) = simulation.machine.current() {
            let generation = credential.generation();
            simulation.input(Input::Rejected { generation });
        }
        simulation.sleep(Duration::from_millis(100));
    }
    assert!(simulation.requests < 12, "{} requests in 100 s", simulation.requests);
    assert!(simulation.is_refused(Demand::Current), "the caller is told");
}

#[test]
fn a_refused_token_is_never_served_again_even_when_there_is_no_other() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let refused = simulation.served().generation();
    simulation.demand(Demand::InsteadOf(refused));
    simulation.fail_flight();
    assert!(simulation.is_refused(Demand::InsteadOf(refused)));
    assert!(simulation.is_refused(Demand::Current));
}

#[test]
fn a_token_that_was_refused_is_not_served_again_under_another_number() {
    let mut simulation = Simulation::new(Policy::new().with_spacing(Duration::ZERO), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let refused = simulation.served().generation();
    simulation.demand(Demand::InsteadOf(refused));
    simulation.issued = 0; // the endpoint hands out its cached token again
    simulation.issue(HOUR);
    assert!(!matches!(simulation.ask(Demand::Current), Some(Ok(_))));
}

#[test]
fn a_caller_who_would_like_a_newer_token_gets_the_old_one_when_there_is_no_newer() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(SECOND);
    let old = simulation.served().generation();
    let caller = simulation.demand(Demand::NewerThan(old));
    simulation.fail(Error::new(ErrorKind::Refused, "no"));
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().generation(), old);
}

#[test]
fn callers_who_keep_asking_for_a_newer_token_do_not_set_the_pace() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    for _ in 0..1_000 {
        simulation.demand(Demand::NewerThan(simulation.machine.generation));
        if simulation.fetch.is_some() {
            simulation.issue(HOUR);
        }
        simulation.sleep(Duration::from_millis(10));
    }
    assert!((9..=11).contains(&simulation.requests), "{} requests in 10 s", simulation.requests);
}

#[test]
fn a_caller_who_refuses_a_token_that_never_was_is_not_left_waiting() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let future = (0..9).fold(Generation::NONE, |generation, _| generation.next());
    assert!(simulation.is_refused(Demand::InsteadOf(future)));
    let served = simulation.ask(Demand::NewerThan(future)).unwrap().unwrap();
    assert_eq!(served.generation(), Generation::NONE.next());
}

#[test]
fn a_late_answer_to_an_old_ticket_is_ignored() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = simulation.demand(Demand::Current);
    let (old, _) = simulation.fetch.clone().unwrap();
    simulation.fail(outage());
    let stale = TokenResponse::new(Secret::from("stale")).with_expires_in(HOUR);
    simulation.input(Input::Issued { ticket: old, response: stale });
    assert!(!simulation.answers.contains_key(&caller));
}

#[test]
fn an_impatient_caller_is_told_and_the_request_goes_on() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = Caller::new(77);
    simulation.input(Input::Demanded { caller, demand: Demand::Current, patience: Some(2 * SECOND) });
    simulation.sleep(2 * SECOND);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::Timeout);
    simulation.issue(HOUR);
    simulation.served();
    assert_eq!(simulation.requests, 1);
}

#[test]
fn a_caller_without_any_patience_has_a_token_fetched_for_the_next() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = Caller::new(77);
    let patience = Some(Duration::ZERO);
    simulation.input(Input::Demanded { caller, demand: Demand::Current, patience });
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::Timeout);
    simulation.issue(HOUR);
    simulation.served();
}

#[test]
fn a_caller_that_withdraws_is_not_answered_and_changes_nothing_else() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let gone = simulation.demand(Demand::Current);
    let stays = simulation.demand(Demand::Current);
    simulation.input(Input::Withdrawn { caller: gone });
    simulation.issue(HOUR);
    assert!(simulation.answers.contains_key(&stays) && !simulation.answers.contains_key(&gone));
    assert_eq!(simulation.requests, 1);
}

#[test]
fn a_caller_who_waits_for_a_newer_token_does_not_keep_the_driver_awake() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(HOUR - 2 * SECOND);
    simulation.demand(Demand::NewerThan(simulation.machine.generation));
    let begin = simulation.now;
    let mut wakes = 0;
    while simulation.now.wall.saturating_since(begin.wall) < 29 * SECOND {
        simulation.sleep_until_due();
        wakes += 1;
    }
    assert!(wakes < 5, "woken {wakes} times for nothing");
}

#[test]
fn outputs_that_were_not_polled_are_a_misuse() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let demanded = Input::Demanded { caller: Caller::new(1), demand: Demand::Current, patience: None };
    simulation.machine.handle(simulation.now, demanded).unwrap();
    let misuse = simulation.machine.handle(simulation.now, Input::Tick).unwrap_err();
    assert_eq!(misuse, crate::ApiMisuse::OutputsPending);
}

#[test]
fn a_machine_that_shuts_down_answers_everybody_and_says_so() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = simulation.demand(Demand::Current);
    simulation.input(Input::ShutDown);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::Closed);
    assert!(simulation.done && simulation.fetch.is_none(), "the request was given up");
}

#[test]
fn a_machine_that_goes_on_for_another_knows_the_tokens_of_that() {
    let old = Generation::NONE.next().next();
    let machine = Renewal::new(Policy::new(), FingerprintKey::new([1; 32]), 1).with_generations_after(old);
    let mut simulation = Simulation::of(machine);
    let caller = simulation.demand(Demand::InsteadOf(old));
    simulation.issue(HOUR);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().generation(), old.next());

    let mut another = Simulation::new(Policy::new(), 1);
    assert!(another.is_refused(Demand::InsteadOf(old)), "the control");
}
