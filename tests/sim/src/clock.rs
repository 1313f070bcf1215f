//! The clocks of a host, over the true time that only the simulation knows.

use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};

/// True time: nanoseconds since the beginning of the run.
pub(crate) type At = u64;

pub(crate) const MILLI: At = 1_000_000;
pub(crate) const SECOND: At = 1_000 * MILLI;
pub(crate) const MINUTE: At = 60 * SECOND;
pub(crate) const HOUR: At = 60 * MINUTE;
pub(crate) const DAY: At = 24 * HOUR;

/// What the calendar says when a run begins.
const EPOCH: u64 = 1_800_000_000_000;

/// Two clocks, either of which may be fooled.
#[derive(Debug)]
pub(crate) struct Clocks {
    /// The true time.
    pub(crate) at: At,
    /// By how many milliseconds the wall clock is wrong.
    wrong: i64,
    /// By how many millionths it goes too fast.
    drift: i64,
    /// How long the monotonic clock stood still.
    slept: At,
    /// When the host wakes up; in the past if it is awake.
    pub(crate) asleep_until: At,
    /// When the wall clock was last set, in either direction.
    pub(crate) stepped: Option<At>,
    /// When it was set back.
    backs: Vec<At>,
    /// When the host last went to sleep.
    pub(crate) suspended: Option<At>,
}

impl Clocks {
    pub(crate) fn new(wrong: i64) -> Self {
        Self {
            at: 0,
            wrong,
            drift: 0,
            slept: 0,
            asleep_until: 0,
            stepped: None,
            backs: Vec::new(),
            suspended: None,
        }
    }

    /// The same clocks, of which the wall clock goes too fast by so many millionths.
    pub(crate) fn drifting(self, drift: i64) -> Self {
        Self { drift, ..self }
    }

    /// What a process reads; each has an origin of its own.
    pub(crate) fn now(&self, process: usize) -> Now {
        let mono = self.at - self.slept + (process as u64 + 1) * 1_234_567_891;
        let drifted = (self.at / MILLI) as i64 * self.drift / 1_000_000;
        let wall = (EPOCH + self.at / MILLI).saturating_add_signed(self.wrong + drifted);
        Now { wall: Timestamp::from_millis(wall), mono: Moment::since_origin(Duration::from_nanos(mono)) }
    }

    /// What a server reads whose clock is `offset` milliseconds off.
    pub(crate) const fn server(at: At, offset: i64) -> u64 {
        (EPOCH + at / MILLI).saturating_add_signed(offset)
    }

    /// Sets the wall clock.
    pub(crate) fn step(&mut self, millis: i64) {
        self.wrong += millis;
        self.stepped = Some(self.at);
        if millis < 0 {
            self.backs.push(self.at);
        }
    }

    /// Puts the host to sleep.
    pub(crate) const fn suspend(&mut self, length: At) {
        self.asleep_until = self.at + length;
        self.slept += length;
        self.suspended = Some(self.at);
    }

    /// Whether the wall clock was set back from `since` to `until`.
    pub(crate) fn set_back_between(&self, since: At, until: At) -> bool {
        self.backs.iter().any(|at| (since..=until).contains(at))
    }

    /// Whether the host slept since `since`.
    pub(crate) fn suspended_since(&self, since: At) -> bool {
        self.suspended.is_some_and(|at| at >= since)
    }

    /// Whether a wall clock that was set back since `since` may have hidden a suspend.
    pub(crate) fn hidden_between(&self, since: At) -> bool {
        self.suspended_since(since) && self.set_back_between(since, self.at)
    }

    /// Whether nothing happened to either clock since `since`.
    pub(crate) fn undisturbed_since(&self, since: At) -> bool {
        self.stepped.is_none_or(|at| at < since) && self.suspended.is_none_or(|at| at < since)
    }
}

/// A length of true time as the machine's own type.
pub(crate) const fn duration(length: At) -> Duration {
    Duration::from_nanos(length)
}

/// The machine's type as a length of true time.
pub(crate) fn length(duration: Duration) -> At {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
