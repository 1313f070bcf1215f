//! All deadlines of a session in one table, so that none is lost and the next is a minimum.

use auth_core::time::{Deadline, Now};

/// Why the machine will look at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The source has not handed out a token.
    Fetch,
    /// The upgrade has taken too long.
    Open,
    /// The server has not answered the credential.
    Answer,
    /// The next attempt is due.
    Backoff,
    /// The credential of the live connection should be renewed.
    Renew,
    /// The credential of the live connection expires.
    Expiry,
    /// The connection has been up long enough to forget earlier failures.
    Stable,
    /// The server has not answered the close.
    Close,
}

impl Timer {
    /// In the order in which they are looked at: an expiry before the renewal that it makes pointless.
    const ALL: [Self; 8] = [
        Self::Fetch,
        Self::Open,
        Self::Answer,
        Self::Close,
        Self::Expiry,
        Self::Renew,
        Self::Stable,
        Self::Backoff,
    ];
}

/// The table: at most one deadline for each reason.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Deadline>; Timer::ALL.len()]);

impl Timers {
    /// Sets a deadline in the place of the one there was; `None` clears it.
    pub(super) fn set(&mut self, timer: Timer, deadline: Option<Deadline>) {
        self.0[timer as usize] = deadline;
    }

    /// Sets a deadline unless there is one already.
    pub(super) fn arm(&mut self, timer: Timer, deadline: Deadline) {
        self.0[timer as usize].get_or_insert(deadline);
    }

    /// Clears all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes one timer whose deadline has passed.
    pub(super) fn take_passed(&mut self, now: Now) -> Option<Timer> {
        let passed = |timer: &&Timer| self.0[**timer as usize].is_some_and(|deadline| deadline.passed(now));
        let timer = *Timer::ALL.iter().find(passed)?;
        self.0[timer as usize] = None;
        Some(timer)
    }

    /// The deadline that comes first, as seen from `now`.
    pub(super) fn next(&self, now: Now) -> Option<Deadline> {
        self.0.iter().flatten().copied().reduce(|first, other| first.earlier(other, now))
    }
}
