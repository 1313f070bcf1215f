//! Many seeds over several threads, and what comes of them as one report.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::coverage::Coverage;

/// A machine with its worlds.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) name: &'static str,
    /// Lets the world of a seed pass; keeps the lines of its trace if it is told to.
    pub(crate) run: fn(u64, bool) -> Outcome,
    /// Looks at many machines together.
    pub(crate) together: fn() -> Option<Violation>,
    /// What no run of many seeds may lack.
    pub(crate) essential: &'static [&'static str],
}

/// What a world showed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) violation: Option<Violation>,
    /// Equal for equal traces.
    pub(crate) hash: u64,
    /// Nanoseconds of virtual time.
    pub(crate) span: u64,
    pub(crate) coverage: Coverage,
    pub(crate) lines: Vec<String>,
    pub(crate) inputs: u64,
    /// Numbers of which the largest is of interest.
    pub(crate) most: Vec<(&'static str, usize)>,
}

/// What did not hold.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) property: String,
    pub(crate) what: String,
}

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
    most: BTreeMap<&'static str, usize>,
    violations: Vec<(u64, Violation)>,
}

impl Total {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.nanos += u128::from(outcome.span);
        self.inputs += outcome.inputs;
        // Any order gives the same, so that the number of threads does not matter.
        self.hash = self.hash.wrapping_add(outcome.hash.wrapping_mul(outcome.seed | 1));
        self.coverage.merge(&outcome.coverage);
        self.take_most(outcome.most);
        self.violations.extend(outcome.violation.map(|violation| (outcome.seed, violation)));
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.nanos += other.nanos;
        self.inputs += other.inputs;
        self.hash = self.hash.wrapping_add(other.hash);
        self.coverage.merge(&other.coverage);
        self.take_most(other.most);
        self.violations.extend(other.violations);
    }

    fn take_most(&mut self, most: impl IntoIterator<Item = (&'static str, usize)>) {
        for (what, count) in most {
            let known = self.most.entry(what).or_default();
            *known = count.max(*known);
        }
    }
}

/// Runs them all; false if anything is amiss.
pub(crate) fn run(simulation: &Simulation, options: &Options) -> bool {
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
                work(simulation, &next, end, &enough, options, &mut own);
                if let Ok(mut total) = total.lock() {
                    total.merge(own);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_default();
    report(simulation, options, total, now().saturating_sub(started))
}

/// Takes seeds until there are none left.
fn work(
    simulation: &Simulation,
    next: &AtomicU64,
    end: u64,
    enough: &AtomicBool,
    options: &Options,
    total: &mut Total,
) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || enough.load(Ordering::Relaxed) {
            return;
        }
        let outcome = (simulation.run)(seed, false);
        // One in a hundred passes twice: the same seed must give the same trace.
        if seed.is_multiple_of(101)
            && outcome.violation.is_none()
            && (simulation.run)(seed, false).hash != outcome.hash
        {
            let what = "the same seed gave another trace".to_owned();
            total.violations.push((seed, Violation { property: "Determinism".to_owned(), what }));
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

fn report(simulation: &Simulation, options: &Options, mut total: Total, took: Duration) -> bool {
    total.violations.sort_by_key(|(seed, ..)| *seed);
    let fleet = (simulation.together)();
    let name = simulation.name;
    let mut missing = Vec::new();
    if !options.brief {
        for (what, count) in total.coverage.iter() {
            println!("{count:>12}  {what}");
        }
        for (what, count) in &total.most {
            println!("{count:>12}  {what}");
        }
        println!("{:>12}  inputs handled", total.inputs);
        println!("trace hash {:016x}", total.hash);
        if total.seeds >= ENOUGH_FOR_ALL {
            missing = total.coverage.missing(simulation.essential);
        }
    }
    for what in &missing {
        println!("never happened: {what}");
    }
    if let Some(violation) = &fleet {
        println!("the fleet violates {}: {}", violation.property, violation.what);
    }
    for (seed, Violation { property, what }) in &total.violations {
        println!("seed {seed} violates {property}: {what}");
        println!("    replay: cargo xtask sim {name} --seed {seed} --trace");
    }
    let hours = total.nanos as f64 / 3.6e12;
    let speed = hours * 3_600.0 / took.as_secs_f64().max(1e-6);
    println!(
        "{name}: {} seeds, {hours:.0} virtual hours in {:.1} s ({speed:.0} times real time), {} violations",
        total.seeds,
        took.as_secs_f64(),
        total.violations.len() + usize::from(fleet.is_some()),
    );
    fleet.is_none() && total.violations.is_empty() && missing.is_empty()
}

/// Prints the trace of one seed.
pub(crate) fn trace(simulation: &Simulation, seed: u64) -> bool {
    let outcome = (simulation.run)(seed, true);
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("trace hash {:016x}", outcome.hash);
    match outcome.violation {
        Some(violation) => {
            println!("seed {seed} violates {}: {}", violation.property, violation.what);
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
