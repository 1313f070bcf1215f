//! What callers get while tokens come, fail and are refused.

use super::*;

#[test]
fn a_failed_early_renewal_never_hides_a_token_that_is_still_valid() {
    let mut simulation = Simulation::new(Policy::new(), 7);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(HOUR - 120 * SECOND);
    let mut requests = 0;
    let left = |simulation: &Simulation| {
        simulation
            .machine
            .current()
            .map_or(Duration::ZERO, |credential| credential.expires_in(simulation.now))
    };
    while left(&simulation) > 10 * SECOND {
        simulation.served();
        if simulation.fetch.is_some() {
            requests += 1;
            simulation.fail(outage());
        }
        simulation.sleep(Duration::from_millis(50));
    }
    assert!((4..60).contains(&requests), "{requests} requests in two minutes of outage");
    simulation.sleep(11 * SECOND);
    assert!(!matches!(simulation.ask(Demand::Current), Some(Ok(_))), "an expired token was served");
}

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
fn an_outage_of_any_length_ends_with_recovery_and_a_bounded_rate() {
    let mut simulation = Simulation::new(Policy::new(), 11);
    let begin = simulation.now;
    while simulation.now.wall.saturating_since(begin.wall) < HOUR {
        simulation.demand(Demand::Current);
        if simulation.fetch.is_some() {
            simulation.fail(outage());
        }
        simulation.sleep(Duration::from_millis(100));
    }
    assert!(simulation.requests < 400, "{} requests in an hour of outage", simulation.requests);
    while simulation.fetch.is_none() {
        simulation.demand(Demand::Current);
        simulation.sleep(Duration::from_millis(100));
    }
    simulation.issue(HOUR);
    simulation.served();
}

#[test]
fn a_servers_retry_after_is_obeyed_and_observed() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.fail(Error::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(7 * SECOND)));
    let Some(AuthEvent::RateLimited { retry_after, retry_in, took, attempt: 1, .. }) =
        simulation.events.last()
    else {
        panic!("{:?}", simulation.events)
    };
    assert_eq!((*retry_after, *took), (Some(7 * SECOND), Some(Duration::ZERO)));
    assert!(retry_in.unwrap() >= 7 * SECOND && retry_in.unwrap() <= Duration::from_millis(7_700));
    simulation.sleep(Duration::from_millis(6_999));
    assert_eq!(simulation.requests, 1);
    simulation.sleep(Duration::from_millis(702));
    assert_eq!(simulation.requests, 2);
}

#[test]
fn how_long_a_failed_request_was_under_way_is_told_whether_it_was_answered_or_not() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.sleep(3 * SECOND);
    simulation.fail(outage());
    let took = |simulation: &Simulation| {
        simulation.events.iter().rev().find_map(|event| match event {
            AuthEvent::TokenRequestFailed { took, .. } => *took,
            _ => None,
        })
    };
    assert_eq!(took(&simulation), Some(3 * SECOND));
    // The next has what is left of the flight, and no answer.
    simulation.sleep_until_due();
    let begun = simulation.now.mono.elapsed();
    simulation.sleep_until_due();
    let late = simulation.now.mono.elapsed() - begun;
    assert!(late > 3 * SECOND && simulation.requests == 2, "{late:?}");
    assert_eq!(took(&simulation), Some(late));
}

#[test]
fn whoever_comes_during_a_servers_wait_is_told_what_is_left_of_it() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let wait = 300 * SECOND;
    simulation.fail(Error::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(wait)));
    let left =
        |simulation: &mut Simulation| match simulation.ask(Demand::Current).unwrap().unwrap_err().retry() {
            Retry::After(left) => left,
            other => panic!("{other:?}"),
        };
    assert!(left(&mut simulation) >= wait);
    simulation.sleep(299 * SECOND);
    assert!(left(&mut simulation) <= 6 * SECOND, "not the whole wait again");
}

#[test]
fn a_verdict_is_not_retried() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = simulation.demand(Demand::Current);
    simulation.fail(Error::new(ErrorKind::InvalidClient, "unknown client"));
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::InvalidClient);
    simulation.sleep(59 * SECOND);
    assert!(simulation.is_refused(Demand::Current));
    simulation.sleep(2 * SECOND);
    assert!(simulation.ask(Demand::Current).is_none(), "a corrected secret is noticed");
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
fn a_page_of_html_is_no_verdict() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = simulation.demand(Demand::Current);
    simulation.fail(TokenResponse::parse(b"<html>").unwrap_err());
    assert!(!simulation.answers.contains_key(&caller), "there is another attempt");
}

#[test]
fn a_request_without_an_answer_is_given_up_when_the_flight_is_over() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = simulation.demand(Demand::Current);
    simulation.sleep(Duration::from_millis(29_999));
    assert!(!simulation.answers.contains_key(&caller));
    simulation.sleep(Duration::from_millis(1));
    assert_eq!(simulation.answers[&caller].as_ref().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(simulation.fetch.is_none());
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
fn while_a_token_lives_no_pause_takes_more_than_a_quarter_of_what_is_left_of_it() {
    let mut simulation = Simulation::new(Policy::new(), 7);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(HOUR - 120 * SECOND);
    while simulation.now.wall.saturating_since(Timestamp::from_millis(1_700_000_000_000)) < 2 * HOUR {
        simulation.demand(Demand::Current);
        if simulation.fetch.is_some() { simulation.fail(outage()) } else { simulation.sleep_until_due() }
    }
    let mut longest = Duration::ZERO;
    let mut while_it_lived = 0;
    for event in &simulation.events {
        match event {
            AuthEvent::RenewalPaused { valid_for: Some(left), retry_in, .. } => {
                while_it_lived += 1;
                assert!(*retry_in <= (*left / 4).max(SECOND / 2), "{retry_in:?} of {left:?}");
            }
            AuthEvent::RenewalPaused { retry_in, .. } => longest = longest.max(*retry_in),
            _ => {}
        }
    }
    assert!(while_it_lived >= 6, "{while_it_lived} pauses in two minutes");
    assert!(longest > 30 * SECOND, "afterwards they grow to their own bound");
}

#[test]
fn a_servers_wait_is_obeyed_by_each_attempt_of_a_flight_whatever_its_status() {
    for kind in [ErrorKind::RateLimited, ErrorKind::ServerFailed] {
        let mut simulation = Simulation::new(Policy::new(), 5);
        let caller = simulation.demand(Demand::Current);
        for (requests, seconds) in [(1, 3), (2, 9)] {
            assert_eq!(simulation.requests, requests);
            let wait = seconds * SECOND;
            simulation.fail(Error::new(kind, "later").without_effect().with_retry(Retry::After(wait)));
            simulation.sleep(wait - Duration::from_millis(1));
            assert_eq!(simulation.requests, requests, "{kind:?}");
            simulation.sleep(wait / 10 + Duration::from_millis(1));
        }
        assert_eq!(simulation.requests, 3);
        simulation.issue(HOUR);
        assert!(simulation.answers[&caller].is_ok(), "it was one flight");
    }
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
