//! How much happened when: columns over a time whose length is known only at its end.

use auth_core::time::Timestamp;

use super::tone::Tone;

/// Columns of equal width. When there are too many of them, neighbours become one.
#[derive(Debug)]
pub(super) struct Rates {
    step: usize,
    /// The number of the first column, counted from the epoch in columns.
    first: u64,
    pub(super) columns: Vec<Column>,
}

/// What happened in one column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Column {
    /// How many events, by tone.
    pub(super) events: [u64; 4],
    /// How many more connections a server has at its end than at its beginning.
    pub(super) joined: i64,
}

/// The most columns: what a telephone can show.
const MOST: usize = 120;

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// The widths of columns in milliseconds, each a multiple of the one before.
const WIDTHS: [u64; 15] = [
    SECOND,
    2 * SECOND,
    10 * SECOND,
    30 * SECOND,
    60 * SECOND,
    300 * SECOND,
    900 * SECOND,
    1_800 * SECOND,
    HOUR,
    6 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
    3_640 * DAY,
];

impl Rates {
    pub(super) const fn new() -> Self {
        Self { step: 0, first: 0, columns: Vec::new() }
    }

    /// The width of a column in milliseconds.
    pub(super) const fn width(&self) -> u64 {
        WIDTHS[self.step]
    }

    /// When a column begins.
    pub(super) const fn begin(&self, column: usize) -> Timestamp {
        Timestamp::from_millis(self.first.saturating_add(column as u64).saturating_mul(self.width()))
    }

    pub(super) fn take(&mut self, at: Timestamp, tone: Tone, joined: i64) {
        if self.columns.is_empty() {
            self.first = at.as_millis() / self.width();
        }
        // A clock that was set back before the beginning counts as the beginning.
        let mut place = (at.as_millis() / self.width()).saturating_sub(self.first);
        while place >= MOST as u64 && self.step + 1 < WIDTHS.len() {
            self.widen();
            place = (at.as_millis() / self.width()).saturating_sub(self.first);
        }
        let place = usize::try_from(place).unwrap_or(MOST).min(MOST - 1);
        if self.columns.len() <= place {
            self.columns.resize(place + 1, Column::default());
        }
        let column = &mut self.columns[place];
        column.events[tone as usize] += 1;
        column.joined += joined;
    }

    /// How many connections a server has at the end of each column; nothing if it is no server's log.
    pub(super) fn connected(&self) -> Vec<u64> {
        if self.columns.iter().all(|column| column.joined == 0) {
            return Vec::new();
        }
        let mut now = 0;
        let mut lowest = 0;
        let running: Vec<i64> = self
            .columns
            .iter()
            .map(|column| {
                now += column.joined;
                lowest = lowest.min(now);
                now
            })
            .collect();
        // A log that begins in the middle sees some go that it has not seen come.
        running.iter().map(|count| (count - lowest).unsigned_abs()).collect()
    }

    fn widen(&mut self) {
        let factor = WIDTHS[self.step + 1] / WIDTHS[self.step];
        let first = self.first / factor;
        let mut wider: Vec<Column> = Vec::new();
        for (place, column) in (self.first..).zip(&self.columns) {
            let place = usize::try_from(place / factor - first).unwrap_or(0);
            wider.resize(wider.len().max(place + 1), Column::default());
            for (sum, count) in wider[place].events.iter_mut().zip(column.events) {
                *sum += count;
            }
            wider[place].joined += column.joined;
        }
        (self.step, self.first, self.columns) = (self.step + 1, first, wider);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_has_few_columns_and_none_is_lost() {
        let mut rates = Rates::new();
        for minute in 0..100_000 {
            rates.take(Timestamp::from_millis(minute * 60_000 + 7), Tone::Good, 0);
        }
        let total: u64 = rates.columns.iter().map(|column| column.events[0]).sum();
        assert_eq!((total, rates.width()), (100_000, 7 * DAY / 7));
        assert!(rates.columns.len() <= MOST, "{}", rates.columns.len());
    }

    #[test]
    fn a_clock_that_jumps_to_the_end_of_time_and_back_is_survived() {
        let mut rates = Rates::new();
        for at in [1_000_000_000, u64::MAX, 0, 1_000_000_001] {
            rates.take(Timestamp::from_millis(at), Tone::Bad, 0);
        }
        assert_eq!(rates.columns.iter().map(|column| column.events[3]).sum::<u64>(), 4);
    }

    #[test]
    fn a_log_that_begins_in_the_middle_never_counts_below_zero() {
        let mut rates = Rates::new();
        for (second, joined) in [(0, -1), (1, -1), (2, 1), (3, 1), (4, 1)] {
            rates.take(Timestamp::from_millis(second * SECOND), Tone::Good, joined);
        }
        assert_eq!(rates.connected(), [1, 0, 1, 2, 3]);
    }
}
