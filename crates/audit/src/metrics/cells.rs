//! What is counted in: atomics alone, so that counting neither waits nor allocates.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// More than `MOST` at once is taken for that: one absurd duration must not turn the number over.
    pub(super) fn add(&self, count: u64) {
        const MOST: u64 = 1 << 48;
        self.0.fetch_add(count.min(MOST), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How values are spread over buckets.
#[derive(Debug)]
pub(super) struct Histogram {
    scale: &'static Scale,
    /// How many values are in each bucket, and in that after the last.
    counts: [Counter; MOST_BUCKETS + 1],
    sum: Counter,
}

const MOST_BUCKETS: usize = 15;

/// The buckets of a histogram.
#[derive(Debug)]
pub(super) struct Scale {
    /// The greatest value of each bucket; durations are in microseconds.
    pub(super) bounds: &'static [u64],
    /// How many of these make one of the unit that is shown.
    pub(super) per_unit: u64,
}

/// What a histogram has at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    /// The greatest value of each bucket, and how many values are not greater.
    pub(super) buckets: Vec<(f64, u64)>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

const MICROSECONDS: u64 = 1_000_000;

impl Scale {
    /// The buckets of OpenTelemetry's HTTP durations.
    pub(super) const REQUEST: Self = Self {
        bounds: &[
            5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
            5_000_000, 7_500_000, 10_000_000,
        ],
        per_unit: MICROSECONDS,
    };
    /// The buckets of OpenTelemetry's durations of long-lived connections.
    pub(super) const CONNECTION: Self = Self {
        bounds: &[
            10_000,
            20_000,
            50_000,
            100_000,
            200_000,
            500_000,
            1_000_000,
            2_000_000,
            5_000_000,
            10_000_000,
            30_000_000,
            60_000_000,
            120_000_000,
            300_000_000,
        ],
        per_unit: MICROSECONDS,
    };
    /// From a disk that only promises to one that is in trouble.
    pub(super) const SYNC: Self = Self {
        bounds: &[
            10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
            1_000_000,
        ],
        per_unit: MICROSECONDS,
    };
    /// From a store in memory to one that is given up: a client gives each access five seconds.
    pub(super) const STORE: Self = Self {
        bounds: &[
            100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
            2_500_000, 5_000_000,
        ],
        per_unit: MICROSECONDS,
    };
    /// From a connection that is closed at once to one whose client has time for another token: 10 s by default, and 30 s where
    /// an Ably key's owner allows it.
    pub(super) const REVOCATION: Self = Self {
        bounds: &[
            250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
            15_000_000, 60_000_000,
        ],
        per_unit: MICROSECONDS,
    };
    /// Records that were written at once.
    pub(super) const BATCH: Self =
        Self { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096], per_unit: 1 };
}

impl Histogram {
    pub(super) const fn new(scale: &'static Scale) -> Self {
        assert!(scale.bounds.len() <= MOST_BUCKETS, "there is a count for each bucket");
        Self { scale, counts: [const { Counter::new() }; MOST_BUCKETS + 1], sum: Counter::new() }
    }

    pub(super) fn took(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn record(&self, value: u64) {
        let bucket = self.scale.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.add(1);
        }
        self.sum.add(value);
    }

    #[expect(clippy::cast_precision_loss, reason = "sums and bounds are shown as decimal fractions")]
    pub(super) fn read(&self) -> Spread {
        let shown = |value: u64| value as f64 / self.scale.per_unit as f64;
        let mut count = 0;
        let mut counts = self.counts.iter().map(|bucket| {
            count += bucket.read();
            count
        });
        let buckets = self.scale.bounds.iter().map(|bound| shown(*bound)).zip(counts.by_ref()).collect();
        // What is greater than every bound is in the count alone.
        let count = counts.next().unwrap_or_default();
        Spread { buckets, count, sum: shown(self.sum.read()) }
    }
}
