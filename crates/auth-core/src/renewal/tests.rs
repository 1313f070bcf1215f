//! The machine in simulated time: each test is a sentence about what callers and the token endpoint see.

use std::format;
use std::time::Duration;
use std::vec::Vec;

use super::*;
use crate::fingerprint::FingerprintKey;
use crate::time::{Moment, Now, Timestamp};
use crate::{ErrorKind, Retry, Secret};

/// A machine with a clock that the test moves, and the requests that it made.
struct Simulation {
    machine: Renewal,
    now: Now,
    pending: Option<Ticket>,
    requests: u32,
    events: Vec<AuthEvent>,
    wait: Option<Deadline>,
    issued: u32,
}

impl Simulation {
    fn new(policy: Policy, seed: u64) -> Self {
        Self {
            machine: Renewal::new(policy, FingerprintKey::new([1; 32]), seed),
            now: Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN },
            pending: None,
            requests: 0,
            events: Vec::new(),
            wait: None,
            issued: 0,
        }
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(self.now, input).unwrap();
        loop {
            match self.machine.poll() {
                Output::Fetch { ticket } => {
                    assert!(self.pending.replace(ticket).is_none(), "two flights at once");
                    self.requests += 1;
                }
                Output::Event(event) => self.events.push(event),
                Output::Changed => {}
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    break;
                }
            }
        }
    }

    fn demand(&mut self, demand: Demand) -> Answer {
        self.input(Input::Demanded(demand));
        self.machine.answer(self.now, demand)
    }

    fn issue(&mut self, life: Duration) {
        self.issued += 1;
        let response =
            TokenResponse::new(Secret::from(format!("token-{}", self.issued))).with_expires_in(life);
        let ticket = self.pending.take().expect("a request to answer");
        self.input(Input::Issued { ticket, response });
    }

    fn fail(&mut self, error: Error) {
        let ticket = self.pending.take().expect("a request to answer");
        self.input(Input::Failed { ticket, error });
    }

    /// Fails a whole flight, attempt by attempt.
    fn fail_flight(&mut self) {
        self.fail(outage());
        while let Some(wait) =
            self.wait.filter(|_| !matches!(self.answer(), Answer::Fail(_) | Answer::Serve(_)))
        {
            self.sleep(wait.remaining(self.now));
            if self.pending.is_some() {
                self.fail(outage());
            }
        }
    }

    fn answer(&self) -> Answer {
        self.machine.answer(self.now, Demand::Current)
    }

    fn sleep(&mut self, duration: Duration) {
        self.now = Now {
            wall: self.now.wall.saturating_add(duration),
            mono: Moment::since_origin(self.now.mono.elapsed() + duration),
        };
        self.input(Input::Tick);
    }
}

fn served(answer: Answer) -> Token {
    match answer {
        Answer::Serve(token) => token,
        other => panic!("expected a token, got {other:?}"),
    }
}

fn outage() -> Error {
    Error::new(ErrorKind::ServerFailed, "down").with_code(503)
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_token_is_cached_until_its_renewal_is_due() {
    let mut simulation = Simulation::new(Policy::new(), 1);
    assert!(matches!(simulation.demand(Demand::Current), Answer::Wait));
    simulation.issue(HOUR);
    for _ in 0..100 {
        served(simulation.demand(Demand::Current));
        simulation.sleep(Duration::from_secs(34)); // 3,400 s in all; due at 3,450 s at the earliest
    }
    assert_eq!(simulation.requests, 1);
}

#[test]
fn an_early_renewal_costs_its_caller_nothing() {
    let mut simulation = Simulation::new(Policy::new(), 1);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(HOUR - Duration::from_secs(119));
    let token = served(simulation.demand(Demand::Current));
    assert_eq!((token.secret().expose(), simulation.requests), ("token-1", 2));
    simulation.issue(HOUR);
    assert_eq!(served(simulation.answer()).secret().expose(), "token-2");
}

#[test]
fn a_lead_longer_than_the_lifetime_still_leaves_half_of_it_cached() {
    for seed in 0..200 {
        for life in [1, 4, 60, 119, 120, 241].map(Duration::from_secs) {
            let mut simulation = Simulation::new(Policy::new(), seed);
            simulation.demand(Demand::Current);
            simulation.issue(life);
            let renew_in = served(simulation.answer()).renew_in().unwrap();
            assert!(renew_in >= life * 2 / 5 && renew_in < life, "seed {seed}: {renew_in:?} of {life:?}");
        }
    }
}

#[test]
fn a_fleet_spreads_its_renewals_over_the_jitter_band() {
    let renewals: Vec<_> = (0..1_000)
        .map(|seed| {
            let mut simulation = Simulation::new(Policy::new(), seed);
            simulation.demand(Demand::Current);
            simulation.issue(HOUR);
            served(simulation.answer()).renew_in().unwrap()
        })
        .collect();
    let (first, last) = (renewals.iter().min().unwrap(), renewals.iter().max().unwrap());
    assert!(*last - *first > Duration::from_secs(27), "of a band of 30 s");
}

#[test]
fn a_failed_early_renewal_never_hides_a_token_that_is_still_valid() {
    let mut simulation = Simulation::new(Policy::new(), 7);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(HOUR - Duration::from_secs(120));
    let mut requests = 0;
    while simulation.machine.current().unwrap().token(simulation.now).expires_in() > Some(Duration::ZERO) {
        served(simulation.demand(Demand::Current));
        if simulation.pending.is_some() {
            requests += 1;
            simulation.fail(outage());
        }
        simulation.sleep(Duration::from_millis(50));
    }
    assert!((4..60).contains(&requests), "{requests} requests in two minutes of outage");
    assert!(!matches!(simulation.demand(Demand::Current), Answer::Serve(_)), "an expired token was served");
}

#[test]
fn callers_share_a_failure_and_then_a_pause() {
    let mut simulation = Simulation::new(Policy::new(), 3);
    for _ in 0..1_000 {
        assert!(matches!(simulation.demand(Demand::Current), Answer::Wait));
    }
    assert_eq!(simulation.requests, 1);
    simulation.fail_flight();
    assert_eq!(simulation.requests, 3, "one flight is three attempts");
    for _ in 0..1_000 {
        assert!(
            matches!(simulation.demand(Demand::Current), Answer::Fail(error) if error.code() == Some(503))
        );
    }
    assert_eq!(simulation.requests, 3, "nobody asks during the pause");
    let pause = simulation.wait.unwrap().remaining(simulation.now);
    simulation.sleep(pause);
    assert!(matches!(simulation.demand(Demand::Current), Answer::Wait));
    simulation.issue(HOUR);
    served(simulation.answer());
}

#[test]
fn an_outage_of_any_length_ends_with_recovery_and_a_bounded_rate() {
    let mut simulation = Simulation::new(Policy::new(), 11);
    let begin = simulation.now;
    while simulation.now.wall.saturating_since(begin.wall) < HOUR {
        simulation.demand(Demand::Current);
        if simulation.pending.is_some() {
            simulation.fail(outage());
        }
        simulation.sleep(Duration::from_millis(100));
    }
    assert!(simulation.requests < 600, "{} requests in an hour of outage", simulation.requests);
    while simulation.pending.is_none() {
        simulation.demand(Demand::Current);
        simulation.sleep(Duration::from_millis(100));
    }
    simulation.issue(HOUR);
    served(simulation.answer());
}

#[test]
fn a_servers_retry_after_is_obeyed_and_observed() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let limited =
        Error::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(Duration::from_secs(7)));
    simulation.fail(limited);
    let Some(AuthEvent::RateLimited { retry_after, retry_in, attempt: 1 }) = simulation.events.last() else {
        panic!("{:?}", simulation.events)
    };
    assert_eq!(*retry_after, Some(Duration::from_secs(7)));
    assert!(retry_in.unwrap() >= Duration::from_secs(7) && retry_in.unwrap() <= Duration::from_millis(7_700));
    simulation.sleep(Duration::from_millis(6_999));
    assert_eq!(simulation.requests, 1);
    simulation.sleep(Duration::from_millis(702));
    assert_eq!(simulation.requests, 2);
}

#[test]
fn a_verdict_is_not_retried() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.fail(Error::new(ErrorKind::InvalidClient, "unknown client"));
    assert!(
        matches!(simulation.demand(Demand::Current), Answer::Fail(error) if error.kind() == ErrorKind::InvalidClient)
    );
    simulation.sleep(Duration::from_secs(59));
    assert!(matches!(simulation.demand(Demand::Current), Answer::Fail(_)));
    simulation.sleep(Duration::from_secs(2));
    assert!(matches!(simulation.demand(Demand::Current), Answer::Wait), "a corrected secret is noticed");
}

#[test]
fn many_late_rejections_of_one_generation_cause_one_request() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let refused = served(simulation.answer()).generation();
    assert!(matches!(simulation.demand(Demand::InsteadOf(refused)), Answer::Wait));
    simulation.issue(HOUR);
    for _ in 0..20 {
        let token = served(simulation.demand(Demand::InsteadOf(refused)));
        assert_eq!(token.secret().expose(), "token-2");
    }
    assert_eq!(simulation.requests, 2);
}

#[test]
fn a_refused_token_is_never_served_again_even_when_there_is_no_other() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let refused = served(simulation.answer()).generation();
    simulation.demand(Demand::InsteadOf(refused));
    simulation.fail_flight();
    assert!(matches!(simulation.demand(Demand::InsteadOf(refused)), Answer::Fail(_)));
    assert!(matches!(simulation.demand(Demand::Current), Answer::Fail(_)));
}

#[test]
fn a_caller_who_would_like_a_newer_token_gets_the_old_one_when_there_is_no_newer() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let old = served(simulation.answer()).generation();
    assert!(matches!(simulation.demand(Demand::NewerThan(old)), Answer::Wait));
    simulation.fail(Error::new(ErrorKind::Refused, "no"));
    assert_eq!(served(simulation.demand(Demand::NewerThan(old))).generation(), old);
}

#[test]
fn a_late_answer_to_an_old_ticket_is_ignored() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let old = simulation.pending.unwrap();
    simulation.fail(outage());
    let stale = TokenResponse::new(Secret::from("stale")).with_expires_in(HOUR);
    simulation.input(Input::Issued { ticket: old, response: stale });
    assert!(matches!(simulation.answer(), Answer::Wait));
}

#[test]
fn a_caller_who_refuses_a_token_that_never_was_is_not_left_waiting() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let future = (0..9).fold(crate::token::Generation::NONE, |generation, _| generation.next());
    simulation.demand(Demand::InsteadOf(future));
    simulation.issue(HOUR);
    assert!(matches!(simulation.machine.answer(simulation.now, Demand::InsteadOf(future)), Answer::Fail(_)));
    assert_eq!(served(simulation.machine.answer(simulation.now, Demand::NewerThan(future))).generation(), {
        crate::token::Generation::NONE.next()
    });
}

#[test]
fn whoever_comes_during_a_servers_wait_is_told_what_is_left_of_it() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let wait = Duration::from_secs(300);
    simulation.fail(Error::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(wait)));
    let left = |simulation: &mut Simulation| match simulation.demand(Demand::Current) {
        Answer::Fail(error) => match error.retry() {
            Retry::After(left) => left,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert!(left(&mut simulation) >= wait);
    simulation.sleep(Duration::from_secs(299));
    assert!(left(&mut simulation) <= Duration::from_secs(6), "not the whole wait again");
}

#[test]
fn a_token_that_was_refused_is_not_served_again_under_another_number() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let refused = served(simulation.answer()).generation();
    simulation.demand(Demand::InsteadOf(refused));
    simulation.issued = 0; // the endpoint hands out its cached token again
    simulation.issue(HOUR);
    assert!(!matches!(simulation.demand(Demand::Current), Answer::Serve(_)));
}

#[test]
fn a_page_of_html_is_no_verdict() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let error = TokenResponse::parse(b"<html>").unwrap_err();
    simulation.fail(error);
    assert!(matches!(simulation.answer(), Answer::Wait), "there is another attempt");
}

#[test]
fn a_suspended_laptop_never_serves_an_expired_token() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    // The wall clock went on for two hours while the monotonic one stood still.
    simulation.now.wall = simulation.now.wall.saturating_add(2 * HOUR);
    assert!(matches!(simulation.demand(Demand::Current), Answer::Wait));
    assert_eq!(simulation.requests, 2);
}

#[test]
fn the_lifetime_counts_from_the_request() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.sleep(Duration::from_secs(20));
    simulation.issue(Duration::from_secs(60));
    assert_eq!(served(simulation.answer()).expires_in(), Some(Duration::from_secs(40)));
}

#[test]
fn a_token_that_arrives_expired_is_a_failure_and_no_loop() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(Duration::ZERO);
    assert_eq!(simulation.requests, 1);
    assert!(matches!(simulation.events.last(), Some(AuthEvent::TokenRequestFailed { attempt: 1, .. })));
}

#[test]
fn outputs_that_were_not_polled_are_a_misuse() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.machine.handle(simulation.now, Input::Demanded(Demand::Current)).unwrap();
    let misuse = simulation.machine.handle(simulation.now, Input::Tick).unwrap_err();
    assert_eq!(misuse, crate::ApiMisuse::OutputsPending);
}
