//! One story: hosts, what befalls the network between them, and the time after all is repaired.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::backoff::{Backoff, Jitter};
use turmoil::{Builder, Sim};
use ws_session::dialect::{Dialect, Renewal, RenewalTime, Template};
use ws_session::machine::Config;

use super::log::Log;
use super::{client, server};

/// What is wrong on purpose, for the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// What breaks stays broken.
    NobodyRepairs,
    /// The source says that its tokens live for an hour.
    LifetimesAreALie,
    /// The server says everything twice.
    EchoesTwice,
    /// The server refuses every token.
    RefusesEverybody,
}

/// How many clients there are.
const CLIENTS: usize = 3;

/// How long a token lives, and how long before its end it is renewed.
pub(super) const LIFETIME: Duration = Duration::from_secs(6);
pub(super) const LEAD: Duration = Duration::from_secs(3);

/// How often a client says something.
pub(super) const TALK: Duration = Duration::from_millis(250);

/// When the last fault is over, and the story.
pub(super) const REPAIRED: Duration = Duration::from_secs(16);
const END: Duration = Duration::from_secs(25);

/// How long each step of a session may take, and after which silence a connection is asked whether it lives.
const STEP: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// The longest wait between two attempts.
const CAP: Duration = Duration::from_secs(2);

/// The longest that a session may take to be back: a step that was lost with the network must be given up (a dead connection
/// takes two silences), then comes the longest wait, and then a round trip for each step.
pub(super) const BOUND: Duration = Duration::from_secs(5);

/// How many attempts a client may make in a story.
pub(super) const ATTEMPTS: usize = 40;

pub(super) fn config() -> Config {
    Config::new()
        .with_fetch_timeout(STEP)
        .with_open_timeout(STEP)
        .with_answer_timeout(STEP)
        .with_close_timeout(STEP)
        .with_keep_alive(Some(KEEP_ALIVE))
        .with_stable_after(Duration::from_secs(2))
        .with_backoff(Backoff::new(Duration::from_millis(200), CAP))
}

/// A token in the first message, renewed in band; or in the upgrade, renewed by another connection.
fn dialect(seed: u64) -> Dialect {
    if seed.is_multiple_of(2) {
        return Dialect::genesys();
    }
    let mut dialect = Dialect::new("by-header");
    dialect.placement.headers.push(("Authorization".to_owned(), Template::text("Bearer ${credential}")));
    dialect.renewal =
        Renewal::Reconnect { overlap: seed % 4 == 1, asked_by: Vec::new(), when: RenewalTime::Early };
    dialect
}

/// What befalls the network.
#[derive(Debug, Clone)]
enum Fault {
    /// Nothing passes between the two.
    Partition(String, String),
    /// Nothing passes from the one to the other.
    PartitionOneway(String, String),
    /// What is sent arrives when it is over.
    Hold(String, String),
    /// The host stops, and begins anew when it is over.
    Crash(String),
    /// Everything takes up to half a second.
    Slow,
}

/// Plays the story of this seed.
pub(super) fn play(seed: u64, flaw: Flaw) -> Log {
    let dialect = Arc::new(dialect(seed));
    let overlaps = matches!(dialect.renewal, Renewal::Reconnect { overlap: true, .. });
    let log = Log::new(overlaps);
    let mut sim = Builder::new()
        .tick_duration(Duration::from_millis(50))
        .simulation_duration(Duration::from_secs(3_600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(40))
        .tcp_capacity(4_096)
        .rng_seed(seed)
        .build();
    let issued = Arc::new(AtomicU64::new(0));
    sim.host("tokens", move || server::issue(Arc::clone(&issued)));
    let spoken = Arc::clone(&dialect);
    sim.host("server", move || server::accept(Arc::clone(&spoken), flaw));
    for number in 0..CLIENTS {
        let (dialect, log, lives) = (Arc::clone(&dialect), log.clone(), AtomicU64::new(0));
        sim.host(name(number), move || {
            // Another seed for each life, and each client.
            let life = lives.fetch_add(1, Ordering::Relaxed);
            let seed = seed.wrapping_mul(1_000) + life * 10 + number as u64;
            client::run(number, seed, Arc::clone(&dialect), flaw, log.clone())
        });
    }
    befall(&mut sim, plan(seed), flaw);
    log
}

/// Three to eight faults, of up to eight seconds each.
fn plan(seed: u64) -> Vec<(Duration, Duration, Fault)> {
    let mut draws = Jitter::seeded(seed);
    let mut draw =
        |below: u64| draws.between(Duration::ZERO, Duration::from_nanos(below - 1)).as_nanos() as u64;
    (0..3 + draw(6))
        .map(|_| {
            let start = Duration::from_millis(draw(13_000));
            let end = (start + Duration::from_millis(100 + draw(8_000))).min(REPAIRED);
            let one = name(draw(CLIENTS as u64) as usize);
            let other = if draw(4) == 0 { "tokens" } else { "server" }.to_owned();
            let fault = match draw(8) {
                0 | 1 => Fault::Partition(one, other),
                2 => Fault::PartitionOneway(one, other),
                3 => Fault::PartitionOneway(other, one),
                4 => Fault::Hold(one, other),
                5 => Fault::Crash(other),
                6 => Fault::Crash(one),
                _ => Fault::Slow,
            };
            (start, end, fault)
        })
        .collect()
}

fn befall(sim: &mut Sim<'_>, mut plan: Vec<(Duration, Duration, Fault)>, flaw: Flaw) {
    let mut pending: Vec<_> = plan.drain(..).map(|fault| (false, fault)).collect();
    while sim.elapsed() < END {
        sim.step().expect("a host has failed");
        let now = sim.elapsed();
        pending.retain_mut(|(begun, (start, end, fault))| {
            if !*begun && now >= *start {
                *begun = true;
                begin(sim, fault);
            }
            let over = *begun && now >= *end && flaw != Flaw::NobodyRepairs;
            if over {
                repair(sim, fault);
            }
            !over
        });
    }
}

fn begin(sim: &mut Sim<'_>, fault: &Fault) {
    match fault {
        Fault::Partition(one, other) => sim.partition(one.as_str(), other.as_str()),
        Fault::PartitionOneway(one, other) => sim.partition_oneway(one.as_str(), other.as_str()),
        Fault::Hold(one, other) => sim.hold(one.as_str(), other.as_str()),
        Fault::Crash(host) => sim.crash(host.as_str()),
        Fault::Slow => sim.set_max_message_latency(Duration::from_millis(500)),
    }
}

fn repair(sim: &mut Sim<'_>, fault: &Fault) {
    match fault {
        Fault::Partition(one, other) | Fault::PartitionOneway(one, other) => {
            sim.repair(one.as_str(), other.as_str());
        }
        Fault::Hold(one, other) => sim.release(one.as_str(), other.as_str()),
        Fault::Crash(host) => sim.bounce(host.as_str()),
        Fault::Slow => sim.set_max_message_latency(Duration::from_millis(40)),
    }
}

fn name(client: usize) -> String {
    format!("client-{client}")
}
