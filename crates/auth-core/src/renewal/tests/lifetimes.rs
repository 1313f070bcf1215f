//! When tokens are renewed, and until when they serve.

use super::*;

#[test]
fn a_token_is_cached_until_its_renewal_is_due() {
    let mut simulation = Simulation::new(Policy::new(), 1);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    for _ in 0..100 {
        simulation.served();
        simulation.sleep(34 * SECOND); // 3,400 s in all; due at 3,450 s at the earliest
    }
    assert_eq!(simulation.requests, 1);
}

#[test]
fn a_token_in_use_is_renewed_in_the_background() {
    let mut simulation = Simulation::new(Policy::new(), 1);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep_until_due();
    assert_eq!(simulation.requests, 2, "nobody had to ask");
    assert_eq!(simulation.served().secret().expose(), "token-1", "and nobody has to wait");
    simulation.issue(HOUR);
    assert_eq!(simulation.served().secret().expose(), "token-2");
}

#[test]
fn a_token_that_nobody_used_since_it_was_issued_is_left_alone() {
    let mut simulation = Simulation::new(Policy::new(), 1);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep_until_due();
    simulation.issue(HOUR);
    simulation.sleep(2 * HOUR);
    assert_eq!(simulation.requests, 2);
    assert_eq!(simulation.wait.map(|wait| wait.remaining(simulation.now)), None, "nothing to wake up for");
    simulation.demand(Demand::Current);
    assert_eq!(simulation.requests, 3);
}

#[test]
fn a_reader_that_does_not_ask_counts_as_use() {
    let mut simulation = Simulation::new(Policy::new(), 1);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep_until_due();
    simulation.issue(HOUR);
    simulation.sleep(HOUR - 60 * SECOND);
    assert_eq!(simulation.count(|event| matches!(event, AuthEvent::TokenUnused { .. })), 1);
    simulation.input(Input::Used);
    assert_eq!(simulation.requests, 3);
}

#[test]
fn without_background_renewal_only_a_caller_causes_one() {
    let policy = Policy::new().without_background_renewal();
    let mut simulation = Simulation::new(policy.clone(), 1);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep_until_due();
    simulation.sleep(60 * SECOND);
    assert_eq!(simulation.requests, 1, "time alone is no reason");
    assert_eq!(simulation.served().secret().expose(), "token-1", "nobody has to wait");
    assert_eq!(simulation.requests, 2, "whoever asks for one that is due is");
    simulation.issue(HOUR);
    simulation.sleep_until_due();
    simulation.input(Input::Used);
    assert_eq!(simulation.requests, 3, "as is whoever reads it");
    simulation.issue(HOUR);
    simulation.sleep(2 * HOUR);
    assert_eq!(simulation.requests, 3);

    let mut warm = Simulation::new(policy.with_keep_warm(), 1);
    warm.issue(HOUR);
    warm.sleep_until_due();
    assert_eq!(warm.requests, 2);
}

#[test]
fn a_token_that_is_kept_warm_is_there_before_anybody_asks_and_stays() {
    let mut simulation = Simulation::new(Policy::new().with_keep_warm(), 1);
    for requests in 1..5 {
        assert_eq!(simulation.requests, requests);
        simulation.issue(HOUR);
        simulation.sleep_until_due();
    }
}

#[test]
fn a_lead_longer_than_the_lifetime_still_leaves_a_third_of_it_cached() {
    for seed in 0..200 {
        for life in [1, 4, 60, 119, 120, 241].map(Duration::from_secs) {
            let mut simulation = Simulation::new(Policy::new(), seed);
            simulation.demand(Demand::Current);
            simulation.issue(life);
            let renew_in = simulation.served().renew_in().unwrap();
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
            simulation.served().renew_in().unwrap()
        })
        .collect();
    let (first, last) = (renewals.iter().min().unwrap(), renewals.iter().max().unwrap());
    assert!(*last - *first > 27 * SECOND, "of a band of 30 s");
}

#[test]
fn the_lifetime_counts_from_the_request() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    let caller = simulation.demand(Demand::Current);
    simulation.sleep(20 * SECOND);
    simulation.issue(60 * SECOND);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().expires_in(), Some(40 * SECOND));
}

#[test]
fn a_lifetime_that_nobody_states_is_that_of_the_token_before() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.answer(TokenResponse::new(Secret::from("a")));
    assert_eq!(simulation.served().expires_in(), Some(HOUR), "an hour, the first time");
    for (life, token) in [(Some(600 * SECOND), "b"), (None, "c")] {
        simulation.sleep(2 * SECOND);
        simulation.demand(Demand::NewerThan(simulation.machine.generation));
        let response = TokenResponse { expires_in: life, ..TokenResponse::new(Secret::from(token)) };
        simulation.answer(response);
        assert_eq!(simulation.served().expires_in(), Some(600 * SECOND));
    }
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
fn requests_keep_their_distance_however_short_the_tokens_live() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    for _ in 0..10_000 {
        simulation.demand(Demand::Current);
        if simulation.fetch.is_some() {
            simulation.issue(Duration::from_millis(50));
        }
        simulation.sleep(Duration::from_millis(10));
    }
    assert!((90..=101).contains(&simulation.requests), "{} requests in 100 s", simulation.requests);
}

#[test]
fn a_suspended_laptop_never_serves_an_expired_token() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    // The wall clock went on for two hours while the monotonic one stood still.
    simulation.now.wall = simulation.now.wall.saturating_add(2 * HOUR);
    assert!(simulation.ask(Demand::Current).is_none());
    simulation.sleep(SECOND);
    assert_eq!(simulation.requests, 2);
}

#[test]
fn a_suspend_shows_although_the_wall_clock_was_set_back_before_it() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(600 * SECOND);
    simulation.sleep(60 * SECOND);
    simulation.now.wall = Timestamp::from_millis(simulation.now.wall.as_millis() - 3_600_000);
    simulation.input(Input::Tick);
    assert_eq!(simulation.count(|event| matches!(event, AuthEvent::ClockSetBack { .. })), 1);
    assert_eq!(simulation.served().expires_in(), Some(540 * SECOND), "it lives on as it would have");
    simulation.now.wall = simulation.now.wall.saturating_add(HOUR);
    assert!(simulation.ask(Demand::Current).is_none(), "it expired while the computer slept");
}

#[test]
fn callers_wait_for_the_next_token_when_the_old_one_is_about_to_expire_but_not_to_its_end() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.sleep(HOUR - 8 * SECOND);
    let caller = simulation.demand(Demand::Current);
    assert!(!simulation.answers.contains_key(&caller), "a request is under way; it may be answered in time");
    simulation.sleep(4 * SECOND);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().secret().expose(), "token-1");
}

/// Header and claims as they are; nobody checks the signature of a token that is meant for somebody else.
fn jwt(claims: &str) -> Secret {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    Secret::from(format!("{}.{}.{}", encode(r#"{"alg":"HS256"}"#), encode(claims), encode("signature")))
}

fn expires_in(response: TokenResponse) -> Option<Duration> {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.answer(response);
    simulation.ask(Demand::Current)?.ok()?.expires_in()
}

#[test]
fn a_json_web_token_lives_no_longer_than_it_says_by_the_servers_clock() {
    let server_time = |seconds: u64| Some(Timestamp::from_millis(seconds * 1_000));
    let hour = |token| TokenResponse::new(token).with_expires_in(HOUR);
    let issued_and_expires = r#"{"iat":5000,"exp":5600}"#;
    assert_eq!(
        expires_in(hour(jwt(issued_and_expires))),
        Some(600 * SECOND),
        "its own word bounds the answer's"
    );
    let late = hour(jwt(issued_and_expires)).with_server_time(server_time(5_500));
    assert_eq!(expires_in(late), Some(100 * SECOND), "one that the endpoint had kept for a while");
    let only_expires = hour(jwt(r#"{"exp":5600}"#));
    assert_eq!(expires_in(only_expires.clone()), Some(HOUR), "our clock has no say");
    assert_eq!(expires_in(only_expires.with_server_time(server_time(5_000))), Some(600 * SECOND));
    let expired = hour(jwt(issued_and_expires)).with_server_time(server_time(5_600));
    assert_eq!(expires_in(expired), None, "whatever `expires_in` says");
}

#[test]
fn the_servers_clock_is_told_of_once_and_given_to_the_next_attempt() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let ahead = simulation.now.wall.saturating_add(300 * SECOND);
    let response = TokenResponse::new(Secret::from("a")).with_expires_in(HOUR);
    simulation.answer(response.clone().with_server_time(Some(ahead)));
    let issued = simulation.now.wall;
    simulation.sleep_until_due();
    let later = ahead.saturating_add(simulation.now.wall.saturating_since(issued));
    let (_, attempt) = simulation.fetch.clone().unwrap();
    assert_eq!(attempt.server_time, Some(later));
    simulation
        .answer(TokenResponse { access_token: Secret::from("b"), ..response }.with_server_time(Some(later)));
    assert_eq!(
        simulation.count(|event| matches!(event, AuthEvent::ServerClockLearned { offset_ms: 300_000 })),
        1
    );
}

#[test]
fn the_servers_clock_is_forgotten_when_ours_was_set() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    let ahead = Some(simulation.now.wall.saturating_add(HOUR));
    simulation.answer(TokenResponse::new(Secret::from("a")).with_expires_in(HOUR).with_server_time(ahead));
    simulation.now.wall = simulation.now.wall.saturating_add(HOUR); // set right, by the hour that it was slow
    simulation.input(Input::Tick);
    simulation.demand(Demand::Current);
    simulation.sleep(2 * SECOND);
    let (_, attempt) = simulation.fetch.clone().expect("the token counts as expired");
    assert_eq!(attempt.server_time, None, "not an hour in the future");
}

#[test]
fn a_token_that_is_kept_warm_stays_so_when_the_clock_goes_forward_and_back() {
    let mut simulation = Simulation::new(Policy::new().with_keep_warm(), 1);
    simulation.issue(HOUR);
    let begin = simulation.now.wall;
    simulation.now.wall = begin.saturating_add(2 * HOUR);
    simulation.input(Input::Tick);
    simulation.fail_flight();
    simulation.now.wall = begin;
    simulation.input(Input::Tick);
    simulation.sleep_until_due();
    assert!(simulation.wait.is_some() || simulation.fetch.is_some(), "it sleeps for ever");
}

#[test]
fn no_setting_is_too_large_for_a_clock() {
    let policy =
        Policy::new().with_flight(Duration::MAX).with_spacing(Duration::MAX).with_lead(Duration::MAX);
    let mut simulation = Simulation::new(policy.with_longest_lifetime(Duration::MAX), 1);
    simulation.demand(Demand::Current);
    simulation.issue(Duration::MAX);
    simulation.demand(Demand::NewerThan(simulation.machine.generation));
    simulation.sleep(60 * SECOND);
    assert_eq!(simulation.requests, 2, "a minute apart at most");
}

#[test]
fn the_end_of_a_token_is_told_once_and_in_time_although_nobody_asks() {
    let mut simulation = Simulation::new(Policy::new(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    let expired = |event: &AuthEvent| matches!(event, AuthEvent::TokenExpired { .. });
    simulation.sleep_until_due();
    simulation.issue(HOUR);
    assert_eq!(simulation.count(expired), 0, "one that was replaced in time did not expire in use");
    let begin = simulation.now.wall;
    // When it is left alone, and when it ends.
    for _ in 0..2 {
        simulation.sleep_until_due();
        let ended = simulation.now.wall.saturating_since(begin) >= HOUR;
        assert_eq!(simulation.count(expired), usize::from(ended));
    }
    assert_eq!(simulation.now.wall.saturating_since(begin), HOUR, "the driver was woken for it");
    assert!(simulation.wait.is_none());
    for _ in 0..3 {
        simulation.sleep(HOUR);
    }
    assert_eq!(simulation.count(expired), 1);
    let Some(AuthEvent::TokenExpired { generation, .. }) = simulation.events.last() else {
        panic!("{:?}", simulation.events)
    };
    assert_eq!(*generation, simulation.machine.generation);
}

#[test]
fn no_lifetime_beyond_the_longest_is_believed() {
    for (policy, longest) in [
        (Policy::new(), 24 * HOUR),
        (Policy::new().with_longest_lifetime(HOUR), HOUR),
        (Policy::new().with_longest_lifetime(HOUR / 60), HOUR / 60),
    ] {
        let mut simulation = Simulation::new(policy, 5);
        simulation.demand(Demand::Current);
        simulation.issue(7 * 24 * HOUR);
        assert_eq!(simulation.served().expires_in(), Some(longest));
        simulation.sleep_until_due();
        assert_eq!(simulation.requests, 2, "renewed before that");
        simulation.issue(longest / 2);
        assert_eq!(simulation.served().expires_in(), Some(longest / 2), "a shorter one is");
    }
}

/// A machine over a store in which a peer left a token that it says was issued at `issued` and lives for an hour.
fn beside_a_peer(policy: Policy, issued: impl FnOnce(Timestamp) -> Timestamp) -> Simulation {
    let machine = Renewal::new(policy, FingerprintKey::new([1; 32]), 5).with_store();
    let mut simulation = Simulation::of(machine);
    let issued = issued(simulation.now.wall);
    let token = StoredToken {
        secret: Secret::from("token-of-peer"),
        issued,
        expires: issued.saturating_add(HOUR),
        scope: None,
        details: Some("of a peer".into()),
    };
    simulation.record = Some(Record { revision: 1, access_token: Some(token), ..Record::default() });
    simulation
}

#[test]
fn a_peers_token_that_was_issued_in_the_future_is_not_adopted() {
    let later = |seconds: u32| move |now: Timestamp| now.saturating_add(seconds * SECOND);
    let mut usual = beside_a_peer(Policy::new(), later(0));
    assert_eq!(usual.served().secret().expose(), "token-of-peer");
    let mut rounded = beside_a_peer(Policy::new(), later(1));
    assert_eq!(
        rounded.served().secret().expose(),
        "token-of-peer",
        "two processes need not agree to the second"
    );
    let mut set_back = beside_a_peer(Policy::new(), later(1_800));
    let caller = set_back.demand(Demand::Current);
    assert!(!set_back.answers.contains_key(&caller), "how long it still lives is unknown");
    set_back.issue(HOUR);
    assert_eq!(set_back.served().secret().expose(), "token-1");
}

#[test]
fn a_peers_token_is_believed_no_longer_than_ones_own() {
    let mut simulation =
        beside_a_peer(Policy::new().with_longest_lifetime(HOUR / 2), |now| now.saturating_add(SECOND));
    assert!(simulation.served().expires_in() <= Some(HOUR / 2));
}
