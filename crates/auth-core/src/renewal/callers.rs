//! The callers that wait, and how long each does.

use alloc::collections::BTreeMap;

use super::Caller;
use crate::Demand;
use crate::time::{Deadline, Now};

/// Everybody who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Callers {
    waiting: BTreeMap<Caller, Waiting>,
    /// The first at which one of them stops waiting; possibly of one that has gone.
    next: Option<Deadline>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) demand: Demand,
    /// When the caller's own patience ends.
    pub(super) patience: Deadline,
    /// When it takes the token there is, although a newer one is on its way.
    pub(super) settles: Option<Deadline>,
}

impl Callers {
    pub(super) fn add(&mut self, caller: Caller, waiting: Waiting) {
        self.next = first(self.next, waiting);
        self.waiting.insert(caller, waiting);
    }

    pub(super) fn remove(&mut self, caller: Caller) {
        self.waiting.remove(&caller);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The longest waiting caller.
    pub(super) fn first(&self) -> Option<Waiting> {
        self.waiting.values().next().copied()
    }

    /// When somebody stops waiting.
    pub(super) const fn deadline(&self) -> Option<Deadline> {
        self.next
    }

    /// Takes everybody out, in the order in which they came; who must wait on is added again.
    pub(super) fn take(&mut self) -> BTreeMap<Caller, Waiting> {
        self.next = None;
        core::mem::take(&mut self.waiting)
    }

    pub(super) fn has_run_out(&self, now: Now) -> bool {
        self.next.is_some_and(|next| next.passed(now))
    }
}

fn first(next: Option<Deadline>, waiting: Waiting) -> Option<Deadline> {
    [next, Some(waiting.patience), waiting.settles].into_iter().flatten().reduce(Deadline::or)
}
