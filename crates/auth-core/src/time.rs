//! Time as an argument: wall and monotonic readings taken together, and deadlines on either.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A wall-clock instant in milliseconds since the Unix epoch.
///
/// Displays as RFC 3339 in UTC, for example `2024-05-15T10:30:05.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Midnight (UTC) of a day of the Gregorian calendar from 1970 on.
    pub(crate) const fn from_civil(year: u64, month: u64, day: u64) -> Self {
        Self(days_since_epoch(year, month, day) * 86_400_000)
    }

    /// The instant this long after the Unix epoch, rounded down to the millisecond: what a driver's clock reads.
    #[must_use]
    #[inline]
    pub const fn since_epoch(elapsed: Duration) -> Self {
        Self(millis(elapsed))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down; the unit of a JWT's `NumericDate` (RFC 7519 §2).
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// The instant `duration` later, saturating at the end of time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time from `earlier` to this instant, zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds_of_day = self.as_secs() % 86_400;
        let (year, month, day) = civil_date(self.as_secs() / 86_400);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            seconds_of_day / 3_600,
            seconds_of_day / 60 % 60,
            seconds_of_day % 60,
            self.0 % 1_000,
        )
    }
}

impl core::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads the form that `Display` writes, and no other.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).ok_or(InvalidTimestamp)?;
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| digits.parse::<u64>().ok()).flatten().ok_or(InvalidTimestamp)
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(InvalidTimestamp);
        }
        let seconds = (number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?;
        let read = Self(Self::from_civil(year, month, day).0 + seconds * 1_000 + number(20, 23)?);
        // What reads differently when it is written was no such text: a 31st of February, an hour 25, another separator.
        let same = alloc::string::ToString::to_string(&read) == text;
        same.then_some(read).ok_or(InvalidTimestamp)
    }
}

/// A text that is not `YYYY-MM-DDThh:mm:ss.mmmZ`, nor, where that is read, another of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTimestamp;

impl fmt::Display for InvalidTimestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a time reads YYYY-MM-DDThh:mm:ss.mmmZ, from 1970 on")
    }
}

impl core::error::Error for InvalidTimestamp {}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alloc::string::String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A monotonic instant: the time since an origin that its driver chose once.
///
/// Moments of two drivers do not compare; that is why a [`Token`](crate::Token) carries durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The origin itself.
    pub const ORIGIN: Self = Self(Duration::ZERO);

    /// The moment `elapsed` after the origin.
    #[must_use]
    #[inline]
    pub const fn since_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time since the origin.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.0
    }
}

/// One reading of both clocks, taken together by a driver.
///
/// The two disagree after a suspend (the monotonic clock stands still on Linux) and after somebody sets the
/// wall clock; a [`Deadline`] on both has passed as soon as either says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a driver builds it, and a third clock would be a new design")]
pub struct Now {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// What the monotonic clock says.
    pub mono: Moment,
}

impl Now {
    /// A deadline `after` from now on the monotonic clock alone: for backoff and timeouts, which a jump of the
    /// wall clock must not fire.
    #[must_use]
    pub fn timer(self, after: Duration) -> Deadline {
        Deadline { mono: Moment(self.mono.0.saturating_add(after)), wall: None }
    }

    /// A deadline `after` from now on both clocks: for lifetimes, which neither a suspend nor a clock set
    /// back may extend.
    #[must_use]
    pub fn expiry(self, after: Duration) -> Deadline {
        Deadline { wall: Some(self.wall.saturating_add(after)), ..self.timer(after) }
    }
}

/// A point in time that has passed when either of its clocks says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    mono: Moment,
    wall: Option<Timestamp>,
}

impl Deadline {
    /// Whether the deadline has passed.
    #[must_use]
    #[inline]
    pub fn passed(&self, now: Now) -> bool {
        now.mono >= self.mono || self.wall.is_some_and(|wall| now.wall >= wall)
    }

    /// The time left, by the clock that leaves less; zero once passed.
    #[must_use]
    pub fn remaining(&self, now: Now) -> Duration {
        let mono = self.mono.0.saturating_sub(now.mono.0);
        self.wall.map_or(mono, |wall| mono.min(wall.saturating_since(now.wall)))
    }

    /// The one of two deadlines that leaves less time.
    #[must_use]
    pub fn earlier(self, other: Self, now: Now) -> Self {
        if other.remaining(now) < self.remaining(now) { other } else { self }
    }

    /// The deadline at a moment of the monotonic clock alone.
    pub(crate) const fn at(moment: Moment) -> Self {
        Self { mono: moment, wall: None }
    }

    /// When it passes by the monotonic clock.
    pub(crate) const fn moment(self) -> Moment {
        self.mono
    }

    /// The same deadline with no more left by the wall clock than by the monotonic one: for one that was made before the
    /// wall clock was set back, so that a suspend still shows.
    #[must_use]
    pub fn reset(self, now: Now) -> Self {
        let left = self.mono.0.saturating_sub(now.mono.0);
        Self { wall: self.wall.map(|wall| wall.min(now.wall.saturating_add(left))), ..self }
    }

    /// The same deadline after the wall clock was set: with as much left at `now` as there would have been at `expected`,
    /// which is `now` by a wall clock that had gone on. A timer, which looks at no wall clock, stays as it is.
    #[must_use]
    pub fn moved(self, expected: Now, now: Now) -> Self {
        if self.wall.is_some() { now.expiry(self.remaining(expected)) } else { self }
    }

    /// The deadline that passes as soon as either of the two does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let wall = match (self.wall, other.wall) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self { mono: self.mono.min(other.mono), wall }
    }
}

/// Without the 128 bits of [`Duration::as_millis`]: readers of a cached token come by here.
const fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis() as u64)
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Eras of 400 years begin on 1 March, so that the leap day is the last of its year.
const fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The inverse of [`civil_date`].
const fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn at(wall_ms: u64, mono_ms: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(wall_ms),
            mono: Moment::since_origin(Duration::from_millis(mono_ms)),
        }
    }

    #[test]
    fn timestamps_read_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_715_769_005_123, "2024-05-15T10:30:05.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn an_expiry_passes_when_the_machine_slept_through_it() {
        let expiry = at(0, 0).expiry(Duration::from_secs(60));
        assert!(!expiry.passed(at(59_999, 59_999)));
        assert!(expiry.passed(at(7_200_000, 1_000)), "the monotonic clock stood still during a suspend");
    }

    #[test]
    fn an_expiry_passes_although_the_wall_clock_was_set_back() {
        let expiry = at(3_600_000, 0).expiry(Duration::from_secs(60));
        assert!(expiry.passed(at(0, 60_000)));
    }

    #[test]
    fn a_suspend_shows_although_the_wall_clock_was_set_back_before_it() {
        let minute = Duration::from_secs(60);
        let expiry = at(3_600_000, 0).expiry(10 * minute);
        // After a minute the wall clock is set back by an hour, and then the computer sleeps for an hour.
        let (noticed, woken) = (at(60_000, 60_000), at(3_660_000, 60_000));
        assert!(!expiry.passed(woken), "this is why");
        assert!(expiry.reset(noticed).passed(woken));
        assert_eq!(expiry.reset(noticed).remaining(noticed), 9 * minute);
    }

    #[test]
    fn a_suspend_that_was_seen_still_counts_after_the_wall_clock_was_set_back() {
        // Ten minutes to go, and nine of them asleep; then the wall clock is set back by an hour.
        let expiry = at(7_200_000, 0).expiry(Duration::from_secs(600));
        let (expected, now) = (at(7_740_000, 0), at(4_140_000, 0));
        assert_eq!(expiry.moved(expected, now).remaining(now), Duration::from_secs(60));
        let timer = at(0, 0).timer(Duration::from_secs(600));
        assert_eq!(timer.moved(expected, now), timer);
    }

    #[test]
    fn either_of_two_deadlines_passes_when_the_first_does_on_whatever_clock() {
        let timer_or_expiry =
            at(0, 0).timer(Duration::from_secs(60)).or(at(0, 0).expiry(Duration::from_secs(90)));
        assert!(!timer_or_expiry.passed(at(59_999, 59_999)));
        assert!(timer_or_expiry.passed(at(0, 60_000)));
        assert!(timer_or_expiry.passed(at(90_000, 0)));
        assert!(!timer_or_expiry.passed(at(60_000, 0)), "the timer does not look at the wall clock");
    }

    #[test]
    fn a_timer_ignores_the_wall_clock() {
        let timer = at(0, 0).timer(Duration::from_secs(60));
        assert!(!timer.passed(at(86_400_000, 1_000)));
        assert!(timer.passed(at(0, 60_000)));
    }

    #[test]
    fn a_time_is_read_as_it_is_written_and_nothing_else_is_a_time() {
        for text in ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "9999-12-31T00:00:00.001Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        let strange = [
            "2023-02-29T00:00:00.000Z",
            "2024-01-01T24:00:00.000Z",
            "2024-01-01T00:00:00Z",
            "2024-01-01 00:00:00.000Z",
            "2024-13-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "2024-01-01T00:00:00.000+00:00",
            "",
            "2024-01-0\u{e9}T00:00:00.00",
        ];
        for text in strange {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
