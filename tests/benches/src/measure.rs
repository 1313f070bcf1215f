//! Measuring two routines in many short batches by turns, so that a slow moment of the machine hits both.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::case::Routine;

/// What two routines cost, as medians.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Nanoseconds a time, or what was counted.
    pub(crate) ours: f64,
    pub(crate) baseline: f64,
    /// The median of the ratios within each round, which is steadier than the ratio of the medians.
    pub(crate) ratio: f64,
    /// Allocations a time, those that grow one included.
    pub(crate) allocations: f64,
    pub(crate) baseline_allocations: f64,
}

impl Measured {
    /// Quantities that were counted, which takes no rounds.
    pub(crate) fn counted(ours: f64, baseline: f64) -> Self {
        Self { ours, baseline, ratio: ours / baseline, allocations: 0.0, baseline_allocations: 0.0 }
    }

    /// What both sides cost in each round, and what each allocates at a time.
    pub(crate) fn of_rounds(rounds: &[(f64, f64)], (allocations, baseline_allocations): (f64, f64)) -> Self {
        Self {
            ours: median(rounds.iter().map(|(ours, _)| *ours)),
            baseline: median(rounds.iter().map(|(_, baseline)| *baseline)),
            ratio: median(rounds.iter().map(|(ours, baseline)| ours / baseline)),
            allocations,
            baseline_allocations,
        }
    }
}

/// How long a batch is at least: long beside the clock's grain, short beside the moods of a shared machine.
const BATCH: Duration = Duration::from_millis(1);

/// How many batches of each.
const ROUNDS: usize = 101;

pub(crate) fn measure(ours: &mut Routine, baseline: &mut Routine) -> Measured {
    let (our_times, baseline_times) = (calibrate(ours), calibrate(baseline));
    let mut rounds: Vec<(f64, f64)> = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        // By turns first and second: what one leaves in the caches is no constant favour.
        rounds.push(if round % 2 == 0 {
            let ours = nanoseconds(ours, our_times);
            (ours, nanoseconds(baseline, baseline_times))
        } else {
            let baseline = nanoseconds(baseline, baseline_times);
            (nanoseconds(ours, our_times), baseline)
        });
    }
    Measured::of_rounds(&rounds, (allocations(ours, our_times), allocations(baseline, baseline_times)))
}

/// How often the routine has to run for a batch; it warms up by the way.
fn calibrate(routine: &mut Routine) -> u64 {
    let mut times = 1;
    while time(routine, times) < BATCH {
        times *= 2;
    }
    times
}

fn nanoseconds(routine: &mut Routine, times: u64) -> f64 {
    time(routine, times).as_secs_f64() * 1e9 / times as f64
}

fn time(routine: &mut Routine, times: u64) -> Duration {
    let start = now();
    routine(times);
    now() - start
}

fn allocations(routine: &mut Routine, times: u64) -> f64 {
    let region = Region::new(ALLOCATOR);
    routine(times);
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / times as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "to measure is to read a clock; it is read nowhere else")]
fn now() -> Instant {
    Instant::now()
}
