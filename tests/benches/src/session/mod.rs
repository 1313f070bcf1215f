//! Sessions beside the bare codec: how many messages a second go through them, when both ends share a processor.
//!
//! Each sample is a process of its own, `session-end`, which starts its server; the samples of all cases take turns, so that a slow
//! moment of the machine hits them all. A session runs its full path: it presents a credential with the upgrade, which the server checks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::case::{Bar, Case, Work};

/// What a case compares, in the words of `session-end`.
struct Comparison {
    subject: &'static str,
    ours: &'static str,
    baseline: &'static str,
    load: Load,
    bar: Bar,
}

/// What is done: how, on how many connections, with how many messages under way on each, of how many bytes.
type Load = (&'static str, u32, u32, u32);

const PING_PONG: Load = ("echo", 1, 1, 64);
const WINDOW: Load = ("echo", 1, 32, 64);
const RECEIVE: Load = ("receive", 1, 1, 64);
const SEND: Load = ("send", 1, 1, 64);
const CONNECTIONS: Load = ("echo", 100, 1, 64);
const RECEIVE_LARGE: Load = ("receive", 1, 1, 1_048_576);
const ECHO_LARGE: Load = ("echo", 1, 1, 1_048_576);

/// For what is shown beside, and nothing has to hold.
const SHOWN: Bar = Bar::RatioAtLeast(0.0);

/// How many samples of each.
const ROUNDS: usize = 7;

const COMPARISONS: [Comparison; 28] = [
    compare("ping_pong_polled", "polled", "tuned", PING_PONG, Bar::RatioAtLeast(0.93)),
    compare("ping_pong_handle", "handle", "tuned", PING_PONG, Bar::RatioAtLeast(0.80)),
    compare("ping_pong_polled", "polled", "defaults", PING_PONG, SHOWN),
    compare("ping_pong_polled", "polled", "fast", PING_PONG, SHOWN),
    compare("window_of_32_polled", "polled", "tuned", WINDOW, Bar::RatioAtLeast(1.0)),
    compare("window_of_32_handle", "handle", "tuned", WINDOW, Bar::RatioAtLeast(1.0)),
    compare("window_of_32_polled", "polled", "defaults", WINDOW, SHOWN),
    compare("window_of_32_polled", "polled", "fast", WINDOW, SHOWN),
    compare("receive_flood_polled", "polled", "tuned", RECEIVE, Bar::RatioAtLeast(0.90)),
    compare("receive_flood_handle", "handle", "tuned", RECEIVE, Bar::RatioAtLeast(0.50)),
    compare("receive_flood_polled", "polled", "defaults", RECEIVE, SHOWN),
    compare("receive_flood_polled", "polled", "fast", RECEIVE, SHOWN),
    compare("send_flood_polled", "polled", "tuned", SEND, Bar::RatioAtLeast(0.80)),
    compare("send_flood_handle", "handle", "tuned", SEND, Bar::RatioAtLeast(0.40)),
    compare("send_flood_polled", "polled", "defaults", SEND, SHOWN),
    compare("send_flood_polled", "polled", "fast", SEND, SHOWN),
    compare("ping_pong_of_100_polled", "polled", "defaults", CONNECTIONS, Bar::RatioAtLeast(3.0)),
    compare("ping_pong_of_100_handle", "handle", "defaults", CONNECTIONS, Bar::RatioAtLeast(3.0)),
    compare("ping_pong_of_100_polled", "polled", "tuned", CONNECTIONS, SHOWN),
    compare("ping_pong_of_100_polled", "polled", "fast", CONNECTIONS, SHOWN),
    // Within the noise: no less than the defaults, which are what large messages like best.
    compare("receive_of_a_mebibyte_polled", "polled", "defaults", RECEIVE_LARGE, Bar::RatioAtLeast(0.95)),
    compare("receive_of_a_mebibyte_handle", "handle", "defaults", RECEIVE_LARGE, Bar::RatioAtLeast(0.95)),
    compare("receive_of_a_mebibyte_polled", "polled", "tuned", RECEIVE_LARGE, SHOWN),
    compare("receive_of_a_mebibyte_polled", "polled", "fast", RECEIVE_LARGE, SHOWN),
    compare("echo_of_a_mebibyte_polled", "polled", "defaults", ECHO_LARGE, Bar::RatioAtLeast(0.95)),
    compare("echo_of_a_mebibyte_handle", "handle", "defaults", ECHO_LARGE, Bar::RatioAtLeast(0.95)),
    compare("echo_of_a_mebibyte_polled", "polled", "tuned", ECHO_LARGE, SHOWN),
    compare("echo_of_a_mebibyte_polled", "polled", "fast", ECHO_LARGE, SHOWN),
];

const fn compare(
    subject: &'static str,
    ours: &'static str,
    baseline: &'static str,
    load: Load,
    bar: Bar,
) -> Comparison {
    Comparison { subject, ours, baseline, load, bar }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut samples: BTreeMap<(Load, &str), Vec<f64>> = BTreeMap::new();
    for comparison in &COMPARISONS {
        for end in [comparison.ours, comparison.baseline] {
            samples.insert((comparison.load, end), Vec::new());
        }
    }
    for round in 1..=ROUNDS {
        eprintln!("sampling sessions, round {round} of {ROUNDS}");
        for (&(load, end), rates) in &mut samples {
            rates.push(sample(end, load));
        }
    }
    let mut rate = |load, end| samples.get_mut(&(load, end)).map(|rates| median(rates)).unwrap_or_default();
    COMPARISONS
        .iter()
        .map(|&Comparison { subject, ours, baseline, load, bar }| Case {
            subject,
            size: None,
            work: Work::Counted { unit: "/s", ours: rate(load, ours), baseline: rate(load, baseline) },
            baseline_name: match baseline {
                "defaults" => "tokio-tungstenite by default",
                "tuned" => "tokio-tungstenite, 16 KiB",
                _ => "fastwebsockets",
            },
            bar,
        })
        .collect()
}

/// Messages for each second that both ends were at work.
#[expect(clippy::expect_used, reason = "a bench without its ends measures nothing")]
fn sample(end: &str, (load, connections, window, size): Load) -> f64 {
    let own = std::env::current_exe().expect("this program has a path");
    let program = own.parent().unwrap_or_else(|| Path::new(".")).join("session-end");
    let mut command = Command::new(program);
    command.args(["client", end, load]).args([connections, window, size].map(|number| number.to_string()));
    let output = command.output().expect("`cargo xtask bench` builds it");
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.split(' ').next().and_then(|rate| rate.parse().ok()).expect("it prints its rate")
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
