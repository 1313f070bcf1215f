//! The callers that wait, and how long each does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Caller;
use crate::Demand;
use crate::time::{Deadline, Moment, Now};

/// Everybody who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Callers {
    waiting: BTreeMap<Caller, Waiting>,
    /// When somebody stops waiting, and who. All are timers, so the monotonic clock orders them.
    ends: BTreeSet<(Moment, Caller)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) demand: Demand,
    /// When the caller's own patience ends.
    pub(super) patience: Deadline,
    /// When it takes the token there is, although a newer one is on its way.
    pub(super) settles: Option<Deadline>,
}

impl Waiting {
    fn ends(self, caller: Caller) -> impl Iterator<Item = (Moment, Caller)> {
        [Some(self.patience), self.settles].into_iter().flatten().map(move |end| (end.moment(), caller))
    }
}

impl Callers {
    pub(super) fn add(&mut self, caller: Caller, waiting: Waiting) {
        self.ends.extend(waiting.ends(caller));
        self.waiting.insert(caller, waiting);
    }

    pub(super) fn remove(&mut self, caller: Caller) -> Option<Waiting> {
        let waiting = self.waiting.remove(&caller)?;
        for end in waiting.ends(caller) {
            self.ends.remove(&end);
        }
        Some(waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When somebody stops waiting.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.ends.first().map(|(moment, _)| Deadline::at(*moment))
    }

    /// Takes everybody out, in the order in which they came; who must wait on is added again.
    pub(super) fn take(&mut self) -> Vec<(Caller, Waiting)> {
        self.ends.clear();
        core::mem::take(&mut self.waiting).into_iter().collect()
    }

    /// Takes out those who have waited long enough, as [`take`](Self::take) does.
    pub(super) fn take_impatient(&mut self, now: Now) -> Vec<(Caller, Waiting)> {
        let mut impatient = Vec::new();
        while let Some((moment, caller)) = self.ends.first().copied()
            && moment <= now.mono
        {
            self.ends.pop_first();
            impatient.extend(self.remove(caller).map(|waiting| (caller, waiting)));
        }
        impatient
    }
}
