//! An endpoint that is down for an hour while the token lives: everybody is served, and the endpoint is left in peace.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::renewal::Policy;
use auth_core::{Demand, Token, TokenSource as _};
use auth_http::grant::Grant;
use auth_http::manager::TokenManager;
use realtime_auth_tests::piped_server::{Mood, PipedServer};
use realtime_auth_tests::wrong_clocks::WrongClocks;

/// How long the token lives.
const LIFE: Duration = Duration::from_secs(7_200);

/// The outage, in seconds: an hour, from before the renewal is due until shortly before the token's end.
const OUTAGE: Range<u64> = 3_500..7_100;

/// Renewal is due after half of the token's life, less a jitter of 30 s at most; for the rest, the defaults.
fn early() -> Policy {
    Policy::new().with_lead(LIFE / 2)
}

/// The most flights that can begin in the outage: the pauses between them grow from 1 s to 60 s, of which half is the
/// least that is drawn, and take no more than a quarter of what the token has left.
fn most_flights() -> u64 {
    let (mut flights, mut now) = (0, Duration::from_secs(OUTAGE.start));
    let mut grown = Duration::from_secs(1);
    while now < Duration::from_secs(OUTAGE.end) {
        flights += 1;
        now += (grown / 2).min((LIFE - now) / 4);
        grown = (grown * 2).min(Duration::from_secs(60));
    }
    flights
}

/// The longest time without a request that an outage can cause: a flight whose only request hangs, and a whole pause.
const LONGEST_REST: Duration = Duration::from_secs(30 + 60);

/// What came of a caller each second, until a minute after the first token's end.
#[derive(Debug)]
struct Outcome {
    /// Requests during the outage.
    requests: u64,
    /// From the first of them to the last.
    span: Duration,
    /// The longest time without one, from the first to the end.
    longest_rest: Duration,
    /// From the end of the outage to the next token, in seconds.
    renewed_after: u64,
    /// The longest that a caller waited.
    longest_wait: Duration,
    /// Tokens that were refused when they were presented.
    refused: u64,
}

async fn live_through<G: Grant + 'static>(
    policy: Policy,
    grant: impl FnOnce(&PipedServer) -> G,
    demand: impl Fn(&Token) -> Demand,
    mood: MoodOf,
) -> Outcome {
    let clocks = WrongClocks::start();
    let server = PipedServer::new(&clocks, 0, LIFE);
    let builder = TokenManager::builder(grant(&server)).with_policy(policy).with_seed(1);
    let (manager, driver) = builder.build_on(Arc::new(clocks.clone()));
    tokio::spawn(driver.run());
    let mut token = manager.token(Demand::Current).await.unwrap();
    let (mut longest_wait, mut renewed_after) = (Duration::ZERO, None);
    for second in 1..LIFE.as_secs() + 60 {
        tokio::time::sleep(Duration::from_secs(second).saturating_sub(clocks.awake())).await;
        server.be(if OUTAGE.contains(&second) { mood(second) } else { Mood::Issues });
        let asked = clocks.awake();
        let demand = if OUTAGE.contains(&second) { demand(&token) } else { Demand::Current };
        let served = manager.token(demand).await;
        assert!(served.is_ok(), "not served in second {second}: {served:?}");
        token = served.unwrap();
        longest_wait = longest_wait.max(clocks.awake() - asked);
        server.takes(token.secret()).await;
        if second >= OUTAGE.end && renewed_after.is_none() && server.issued() == 2 {
            renewed_after = Some(second - OUTAGE.end);
        }
    }
    let requests = server.requests();
    let mut times: Vec<_> = requests.iter().map(|at| at.saturating_since(requests[0])).collect();
    times.retain(|at| OUTAGE.contains(&at.as_secs()));
    let requests = times.len() as u64;
    let span = times.last().zip(times.first()).map_or(Duration::ZERO, |(last, first)| *last - *first);
    times.push(Duration::from_secs(OUTAGE.end));
    Outcome {
        requests,
        span,
        longest_rest: times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default(),
        renewed_after: renewed_after.expect("a renewal after the outage"),
        longest_wait,
        refused: server.refused(),
    }
}

/// An endpoint that is overloaded, hangs and breaks connections, twenty minutes each, or one of it for an hour; and how often
/// a flight asks it.
const MOODS: [(&str, MoodOf, u64); 4] = [
    ("thirds", thirds, 3),
    ("unavailable", |_| Mood::Unavailable, 3),
    ("hanging", |_| Mood::Hangs, 1),
    ("resetting", |_| Mood::Resets, 3),
];

/// What the endpoint is like in each second.
type MoodOf = fn(u64) -> Mood;

fn thirds(second: u64) -> Mood {
    match (second - OUTAGE.start) / 1_200 {
        0 => Mood::Unavailable,
        1 => Mood::Hangs,
        _ => Mood::Resets,
    }
}

fn current(_: &Token) -> Demand {
    Demand::Current
}

#[tokio::test(start_paused = true)]
async fn callers_are_served_through_an_hour_of_outage_and_requests_are_bounded_by_the_backoff() {
    for (name, mood, attempts) in MOODS {
        let outcome = live_through(early(), PipedServer::grant, current, mood).await;
        println!("{name}: {outcome:?}, at most {} flights", most_flights());
        assert_eq!((outcome.refused, outcome.longest_wait), (0, Duration::ZERO), "{name}: {outcome:?}");
        assert!(outcome.requests <= attempts * most_flights(), "{name}: {outcome:?}");
        // It does keep trying, and so has a token before the old one ends.
        assert!(outcome.requests >= 40 && outcome.longest_rest <= LONGEST_REST, "{name}: {outcome:?}");
        assert!(outcome.renewed_after < 100, "{name}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_who_want_a_newer_token_are_served_the_old_one_and_cause_no_more_requests() {
    let newer = |token: &Token| Demand::NewerThan(token.generation());
    let outcome = live_through(Policy::new(), PipedServer::grant, newer, |_| Mood::Unavailable).await;
    println!("{outcome:?}");
    assert_eq!(outcome.refused, 0);
    assert!(outcome.longest_wait < Duration::from_secs(2), "three attempts: {outcome:?}");
    assert!(outcome.requests >= 40 && outcome.requests <= 3 * most_flights(), "{outcome:?}");
    assert!(outcome.renewed_after < 100, "{outcome:?}");
}

/// A refresh token whose answer may have got lost is sent again at once, or not before the access token's end.
#[tokio::test(start_paused = true)]
async fn callers_are_served_while_a_refresh_token_is_in_doubt_and_it_is_spared_after_ten_seconds() {
    for (name, mood, _) in [MOODS[2], MOODS[3]] {
        let outcome = live_through(early(), PipedServer::login, current, mood).await;
        println!("{name}: {outcome:?}");
        assert_eq!((outcome.refused, outcome.longest_wait), (0, Duration::ZERO), "{name}: {outcome:?}");
        // Once, and three replays.
        assert!((1..=4).contains(&outcome.requests), "{name}: {outcome:?}");
        assert!(outcome.span <= Duration::from_secs(10), "{name}: {outcome:?}");
        let until_end = LIFE.as_secs() - OUTAGE.end;
        assert!((until_end..until_end + 2).contains(&outcome.renewed_after), "{name}: {outcome:?}");
    }
}

/// The control: without its pauses the same manager is found out.
#[tokio::test(start_paused = true)]
async fn a_manager_that_does_not_pause_exceeds_the_bound() {
    let restless = early().with_pause(Backoff::new(Duration::ZERO, Duration::ZERO));
    let outcome = live_through(restless, PipedServer::grant, current, |_| Mood::Unavailable).await;
    assert!(outcome.requests > 3 * most_flights(), "{outcome:?}");
}
