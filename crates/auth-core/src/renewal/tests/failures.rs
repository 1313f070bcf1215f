//! What follows when the token endpoint fails or asks for a wait: attempts, pauses, and what is told of them.

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
