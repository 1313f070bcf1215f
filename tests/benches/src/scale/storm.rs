//! The storm: all sessions of a process lose their connections at once, and each needs a token of its own to come back.
//!
//! The token endpoint and the server count what comes, each by the server's clock. Without a budget, which is the control, the same
//! endpoint is asked as fast as the machine can.

use std::time::Duration;

use super::child::Part;
use super::server::Counted;
use super::storming::Settings;
use super::{SESSIONS, Server};
use crate::case::{Bar, Case, Work};
use crate::measure::Measured;
use crate::plot::Chart;

/// Connections in a second that the process may make: it takes 25 s to bring all of them back.
const RATE: u32 = 400;

/// The sessions of the control, all of which may hold a connection to the token endpoint beside their own.
const WITHOUT_BUDGET: u32 = 4_000;

/// How much longer than the budget's own minimum it may take until the last is back: a backoff of half a second, a login, and what the
/// budget keeps back for timers that fire late.
const LONGEST: f64 = 1.25;

/// Beyond this, something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn cases() -> Vec<Case> {
    let with = weather(SESSIONS, Some(RATE));
    let without = weather(WITHOUT_BUDGET, None);
    let rate = f64::from(RATE);
    let case = |subject, size, work, baseline_name, bar| Case {
        subject,
        size: Some(size),
        work,
        baseline_name,
        bar,
    };
    let counted = |ours: u32| Work::Counted { unit: "/s", ours: f64::from(ours), baseline: rate };
    let took = Measured::counted(seconds(with.logins.last()), f64::from(SESSIONS) / rate);
    let chart = Chart {
        name: "storm",
        title: format!("connections in each 100 ms after {SESSIONS} were lost, at most {RATE} in a second"),
        across: "seconds",
        series: vec![("with the process-wide budget", per_window(&with.connections))],
        limit: rate / 10.0,
    };
    vec![
        case(
            "storm",
            SESSIONS,
            Work::Measured { unit: "s", measured: took, chart: Some(chart) },
            "what the budget takes at least: sessions by rate",
            Bar::Ratio(LONGEST),
        ),
        case(
            "storm_tokens_in_any_second",
            SESSIONS,
            counted(most_in_a_second(&with.tokens)),
            "the budget's rate",
            Bar::Ratio(1.0),
        ),
        case(
            "storm_connections_in_any_second",
            SESSIONS,
            counted(most_in_a_second(&with.connections)),
            "the budget's rate",
            Bar::Ratio(1.0),
        ),
        case(
            "storm_without_budget_tokens_in_any_second",
            WITHOUT_BUDGET,
            counted(most_in_a_second(&without.tokens)),
            "the budget's rate, which these sessions do not keep to",
            Bar::RatioAtLeast(2.0),
        ),
    ]
}

/// Connects so many, drops all of them, and counts until all are back.
fn weather(sessions: u32, rate: Option<u32>) -> Counted {
    let mut server = Server::begin(false, true, false);
    let at = server.at.clone();
    match rate {
        Some(rate) => eprintln!("connecting {sessions} sessions, which come back at {rate} in a second"),
        None => eprintln!("connecting {sessions} sessions without a budget"),
    }
    let mut held = Part::Storming(Settings { at, sessions, rate }).play(false);
    let connected: u32 = held.hear();
    let dropped = server.drop_all();
    assert_eq!((connected, dropped), (sessions, sessions), "all are connected before the storm");
    let mut waited = Duration::ZERO;
    loop {
        pause();
        waited += PAUSE;
        let back = server.logins();
        eprint!("\r{back} of {sessions} are back after {} s ", waited.as_secs());
        if back >= sessions {
            eprintln!();
            break;
        }
        assert!(waited < PATIENCE, "some have not come back");
    }
    let counted = server.counted();
    assert_eq!(held.ask::<u32>("how many"), sessions, "each has heard that it is back");
    assert_eq!(
        (counted.tokens.len(), counted.refused),
        (sessions as usize, 0),
        "a token each, and each once"
    );
    counted
}

const PAUSE: Duration = Duration::from_millis(500);

#[expect(clippy::disallowed_methods, reason = "between two looks at a storm that lasts for a while")]
fn pause() {
    std::thread::sleep(PAUSE);
}

fn seconds(at: Option<&u64>) -> f64 {
    at.map_or(f64::INFINITY, |nanoseconds| *nanoseconds as f64 / 1e9)
}

/// The most that came in any second, wherever it begins.
fn most_in_a_second(times: &[u64]) -> u32 {
    let mut first = 0;
    let mut most = 0;
    for (index, time) in times.iter().enumerate() {
        while time - times[first] >= 1_000_000_000 {
            first += 1;
        }
        most = most.max(index - first + 1);
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// How many came in each 100 ms, at the middle of it.
fn per_window(times: &[u64]) -> Vec<(f64, f64)> {
    const WINDOW: u64 = 100_000_000;
    let windows = times.last().map_or(0, |last| last / WINDOW + 1);
    let mut counts = vec![0.0; usize::try_from(windows).unwrap_or_default()];
    for time in times {
        if let Some(count) = usize::try_from(time / WINDOW).ok().and_then(|window| counts.get_mut(window)) {
            *count += 1.0;
        }
    }
    counts.into_iter().enumerate().map(|(window, count)| ((window as f64 + 0.5) / 10.0, count)).collect()
}
