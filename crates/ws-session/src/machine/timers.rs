//! All deadlines of a session in one table, so that none is lost and the next is a minimum.

use auth_core::time::{Deadline, Now};

/// Why the machine will look at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The source has not handed out a token for an attempt.
    Fetch,
    /// The upgrade has taken too long.
    Open,
    /// The server has not answered the credential of an attempt.
    Answer,
    /// The next attempt is due.
    Backoff,
    /// The credential of the live connection should be renewed.
    Renew,
    /// The source has not handed out a token for a renewal in band.
    RenewalFetch,
    /// The server has not answered the credential of a renewal in band.
    RenewalAnswer,
    /// The credential of the live connection expires.
    Expiry,
    /// The connection has been up long enough to forget earlier failures.
    Stable,
    /// It is time to see whether anything was heard of the live connection.
    Silence,
    /// The connection that was replaced has not ended.
    Retire,
    /// The server has not answered the close, nor taken anything that goes out before it.
    Close,
    /// There has been no connection for so long that the session is suspended.
    Suspend,
}

impl Timer {
    /// In the order in which they are looked at: an expiry before the renewal that it makes pointless.
    const ALL: [Self; 13] = [
        Self::Close,
        Self::Retire,
        Self::Expiry,
        Self::Fetch,
        Self::Open,
        Self::Answer,
        Self::RenewalFetch,
        Self::RenewalAnswer,
        Self::Silence,
        Self::Renew,
        Self::Stable,
        Self::Suspend,
        Self::Backoff,
    ];

    /// Those of an attempt.
    const OF_ATTEMPT: [Self; 4] = [Self::Fetch, Self::Open, Self::Answer, Self::Backoff];

    /// Those of the live connection.
    const OF_LIVE: [Self; 6] =
        [Self::Renew, Self::RenewalFetch, Self::RenewalAnswer, Self::Expiry, Self::Stable, Self::Silence];
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

    pub(super) fn get(&self, timer: Timer) -> Option<Deadline> {
        self.0[timer as usize]
    }

    pub(super) fn clear_attempt(&mut self) {
        Timer::OF_ATTEMPT.into_iter().for_each(|timer| self.set(timer, None));
    }

    pub(super) fn clear_live(&mut self) {
        Timer::OF_LIVE.into_iter().for_each(|timer| self.set(timer, None));
    }

    /// Clears all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The wall clock was set back: no deadline leaves more by it than by the monotonic one.
    pub(super) fn wall_set_back(&mut self, now: Now) {
        for deadline in self.0.iter_mut().flatten() {
            *deadline = deadline.reset(now);
        }
    }

    /// Takes one timer whose deadline has passed.
    pub(super) fn take_passed(&mut self, now: Now) -> Option<Timer> {
        let passed = |timer: &&Timer| self.0[**timer as usize].is_some_and(|deadline| deadline.passed(now));
        let timer = *Timer::ALL.iter().find(passed)?;
        self.0[timer as usize] = None;
        Some(timer)
    }

    /// The deadline that passes as soon as any does: after a sleep that need not be the one that came first before it.
    pub(super) fn next(&self) -> Option<Deadline> {
        self.0.iter().flatten().copied().reduce(Deadline::or)
    }
}
