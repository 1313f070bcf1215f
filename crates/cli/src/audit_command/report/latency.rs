//! How long things took: few columns for the eye, many for the percentiles.

use std::time::Duration;

/// A distribution of lengths of time.
#[derive(Debug)]
pub(super) struct Histogram {
    /// How many, by the columns that are shown.
    pub(super) columns: [u64; COLUMNS],
    /// How many, by buckets that are at most a sixteenth wide.
    fine: Vec<u64>,
    pub(super) count: u64,
    pub(super) longest: Duration,
}

/// Where the columns end, in milliseconds; the last is open.
const ENDS: [u64; COLUMNS - 1] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

pub(super) const COLUMNS: usize = 15;

impl Histogram {
    pub(super) const fn new() -> Self {
        Self { columns: [0; COLUMNS], fine: Vec::new(), count: 0, longest: Duration::ZERO }
    }

    pub(super) fn take(&mut self, length: Duration) {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        self.columns[ENDS.iter().take_while(|end| millis >= **end).count()] += 1;
        let bucket = bucket(millis);
        if self.fine.len() <= bucket {
            self.fine.resize(bucket + 1, 0);
        }
        self.fine[bucket] += 1;
        self.count += 1;
        self.longest = self.longest.max(length);
    }

    /// What so many of a thousand are not above, to a sixteenth.
    pub(super) fn percentile(&self, thousandths: u64) -> Duration {
        let wanted = (self.count * thousandths).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.fine.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_millis(highest(bucket)).min(self.longest);
            }
        }
        self.longest
    }

    /// What a column holds, such as `20 to 50 ms`.
    pub(super) fn range(column: usize) -> String {
        let end = |place: usize| super::text::lasting(Duration::from_millis(ENDS[place]));
        match column {
            0 => "below 1 ms".to_owned(),
            last if last == COLUMNS - 1 => format!("{} and more", end(COLUMNS - 2)),
            column => format!("{} to {}", end(column - 1), end(column)),
        }
    }

    /// What stands below the left edge of a column, where something does.
    pub(super) const fn label(column: usize) -> Option<&'static str> {
        match column {
            1 => Some("1 ms"),
            4 => Some("10 ms"),
            7 => Some("100 ms"),
            10 => Some("1 s"),
            13 => Some("10 s"),
            _ => None,
        }
    }
}

/// The bucket of a value: its four highest bits and their place.
fn bucket(millis: u64) -> usize {
    if millis < 32 {
        return millis as usize;
    }
    let shift = 63 - millis.leading_zeros() - 4;
    (shift as usize) * 16 + (millis >> shift) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    if bucket < 32 {
        return bucket as u64;
    }
    let shift = bucket / 16 - 1;
    let lowest = (bucket as u64 - shift as u64 * 16) << shift;
    lowest + ((1_u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_sixteenth() {
        let mut histogram = Histogram::new();
        for millis in 1..=10_000 {
            histogram.take(Duration::from_millis(millis));
        }
        for (thousandths, exact) in [(500, 5_000.0), (950, 9_500.0), (990, 9_900.0), (1_000, 10_000.0)] {
            let measured = histogram.percentile(thousandths).as_millis() as f64;
            assert!((measured / exact - 1.0).abs() <= 1.0 / 16.0, "{thousandths}: {measured}");
        }
        assert_eq!(histogram.columns.iter().sum::<u64>(), 10_000);
        assert_eq!(histogram.columns[3], 5, "from 5 to 9 ms");
    }

    #[test]
    fn every_bucket_holds_its_highest_value_and_the_next_one_follows() {
        for millis in (0..5_000).chain([u64::MAX / 2, u64::MAX - 1, u64::MAX]) {
            let bucket = bucket(millis);
            assert!(highest(bucket) >= millis);
            assert_eq!(super::bucket(highest(bucket)), bucket);
        }
    }

    #[test]
    fn nothing_measured_has_a_percentile_all_the_same() {
        assert_eq!(Histogram::new().percentile(500), Duration::ZERO);
    }
}
