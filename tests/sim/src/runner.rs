//! Many seeds over several threads, and what comes of them as one report.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::renewal::{self, Coverage, ESSENTIAL, Outcome, Property, spread};

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) first: u64,
    pub(crate) seeds: u64,
    pub(crate) threads: Option<usize>,
    pub(crate) brief: bool,
}

/// What all seeds gave together.
#[derive(Debug, Default)]
struct Total {
    seeds: u64,
    nanos: u128,
    inputs: u64,
    hash: u64,
    coverage: Coverage,
    most_in_a_minute: usize,
    most_in_an_outage: usize,
    violations: Vec<(u64, Property, String)>,
}

impl Total {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.nanos += u128::from(outcome.span);
        self.inputs += outcome.inputs;
        // Any order gives the same, so that the number of threads does not matter.
        self.hash = self.hash.wrapping_add(outcome.hash.wrapping_mul(outcome.seed | 1));
        self.coverage.merge(&outcome.coverage);
        self.most_in_a_minute = self.most_in_a_minute.max(outcome.most_in_a_minute);
        self.most_in_an_outage = self.most_in_an_outage.max(outcome.most_in_an_outage);
        self.violations
            .extend(outcome.violation.map(|violation| (outcome.seed, violation.property, violation.what)));
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.nanos += other.nanos;
        self.inputs += other.inputs;
        self.hash = self.hash.wrapping_add(other.hash);
        self.coverage.merge(&other.coverage);
        self.most_in_a_minute = self.most_in_a_minute.max(other.most_in_a_minute);
        self.most_in_an_outage = self.most_in_an_outage.max(other.most_in_an_outage);
        self.violations.extend(other.violations);
    }
}

/// Runs them all; false if anything is amiss.
pub(crate) fn run(options: &Options) -> bool {
    let started = now();
    let threads =
        options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let next = AtomicU64::new(options.first);
    let end = options.first.saturating_add(options.seeds);
    let enough = AtomicBool::new(false);
    let total = Mutex::new(Total::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut own = Total::default();
                work(&next, end, &enough, options, &mut own);
                if let Ok(mut total) = total.lock() {
                    total.merge(own);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_default();
    report(options, total, now().saturating_sub(started))
}

/// Takes seeds until there are none left.
fn work(next: &AtomicU64, end: u64, enough: &AtomicBool, options: &Options, total: &mut Total) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || enough.load(Ordering::Relaxed) {
            return;
        }
        let outcome = renewal::run(seed, false);
        // One in a hundred passes twice: the same seed must give the same trace.
        if seed.is_multiple_of(101)
            && outcome.violation.is_none()
            && renewal::run(seed, false).hash != outcome.hash
        {
            total.violations.push((
                seed,
                Property::Determinism,
                "the same seed gave another trace".to_owned(),
            ));
        }
        let failed = outcome.violation.is_some();
        total.add(outcome);
        if total.violations.len() >= 20 || (failed && options.brief) {
            enough.store(true, Ordering::Relaxed);
        }
        let done = seed - options.first + 1;
        if !options.brief && done.is_multiple_of(10_000) && done < options.seeds {
            eprintln!("{done} of {} seeds", options.seeds);
        }
    }
}

fn report(options: &Options, mut total: Total, took: Duration) -> bool {
    total.violations.sort_by_key(|(seed, ..)| *seed);
    let fleet = spread::check();
    let mut missing = Vec::new();
    if !options.brief {
        for (what, count) in total.coverage.iter() {
            println!("{count:>12}  {what}");
        }
        println!("{:>12}  most requests of one machine in a minute", total.most_in_a_minute);
        println!("{:>12}  most in ten minutes without a success", total.most_in_an_outage);
        println!("{:>12}  inputs handled", total.inputs);
        println!("trace hash {:016x}", total.hash);
        if total.seeds >= ENOUGH_FOR_ALL {
            missing = total.coverage.missing(&ESSENTIAL);
        }
    }
    for what in &missing {
        println!("never happened: {what}");
    }
    if let Some(violation) = &fleet {
        println!("the fleet violates {:?}: {}", violation.property, violation.what);
    }
    for (seed, property, what) in &total.violations {
        println!("seed {seed} violates {property:?}: {what}");
        println!("    replay: cargo xtask sim renewal --seed {seed} --trace");
    }
    let hours = total.nanos as f64 / 3.6e12;
    let speed = hours * 3_600.0 / took.as_secs_f64().max(1e-6);
    println!(
        "renewal: {} seeds, {hours:.0} virtual hours in {:.1} s ({speed:.0} times real time), {} violations",
        total.seeds,
        took.as_secs_f64(),
        total.violations.len() + usize::from(fleet.is_some()),
    );
    fleet.is_none() && total.violations.is_empty() && missing.is_empty()
}

/// Prints the trace of one seed.
pub(crate) fn trace(seed: u64) -> bool {
    let outcome = renewal::run(seed, true);
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("trace hash {:016x}", outcome.hash);
    match outcome.violation {
        Some(violation) => {
            println!("seed {seed} violates {:?}: {}", violation.property, violation.what);
            false
        }
        None => true,
    }
}

/// From so many seeds on, each essential thing must have happened.
const ENOUGH_FOR_ALL: u64 = 10_000;

/// The real time that the report sets against the virtual one.
#[expect(clippy::disallowed_methods, reason = "measures the run itself, never a world")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
