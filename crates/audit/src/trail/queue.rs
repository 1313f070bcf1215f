//! The one queue between those who observe and the thread that writes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::ticket::Pledge;
use crate::entry::{DropReason, Event, SegmentReason, TrailEvent};
use crate::log::{Item, Mode};

/// A bounded queue, whose memory is taken once.
pub(super) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    /// How many items there may be.
    capacity: usize,
    /// How many there may be for one more that is only of best effort.
    best_effort: usize,
}

struct State {
    items: VecDeque<Item>,
    orders: Vec<(Order, Pledge)>,
    /// Those who wait for room.
    waiting: Vec<Waker>,
    /// Dropped since the last item was accepted.
    missed: u64,
    counts: QueueCounts,
    sleeping: bool,
    closed: bool,
}

/// What came to the queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct QueueCounts {
    pub(super) observed: u64,
    pub(super) dropped: u64,
}

/// Something that the writer is asked to do after all that is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// To say when all of it is on the disk.
    Flush,
    /// To begin a new segment.
    Segment(SegmentReason),
}

/// What became of an item that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// It is in the queue.
    Queued,
    /// There is no room.
    Full,
    /// Nothing is accepted any more.
    Closed,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(4);
        Self {
            state: Mutex::new(State {
                items: room(capacity),
                orders: Vec::new(),
                waiting: Vec::new(),
                missed: 0,
                counts: QueueCounts::default(),
                sleeping: false,
                closed: false,
            }),
            work: Condvar::new(),
            capacity,
            best_effort: capacity - capacity / 4,
        }
    }

    /// Queues an item, or counts it as dropped.
    pub(super) fn offer(&self, item: Item) {
        let mut state = self.lock();
        state.counts.observed += 1;
        match self.push(&mut state, &mut Some(item)) {
            Offered::Queued => self.notify(state),
            Offered::Full => {
                state.counts.dropped += 1;
                state.missed += 1;
            }
            Offered::Closed => state.counts.dropped += 1,
        }
    }

    /// Queues an item, or leaves it and has the caller woken when there is room. After the close it counts as dropped.
    pub(super) fn offer_or_wait(&self, item: &mut Option<Item>, waker: &Waker) -> Offered {
        let mut state = self.lock();
        let offered = self.push(&mut state, item);
        match offered {
            Offered::Queued => {
                state.counts.observed += 1;
                self.notify(state);
            }
            Offered::Full => state.waiting.push(waker.clone()),
            Offered::Closed => {
                state.counts.observed += 1;
                state.counts.dropped += 1;
            }
        }
        offered
    }

    /// Counts an event that waited for room, and whose caller waits no more.
    pub(super) fn count_given_up(&self) {
        let mut state = self.lock();
        state.counts.observed += 1;
        state.counts.dropped += 1;
        state.missed += 1;
        self.notify(state);
    }

    /// Has the writer do something.
    pub(super) fn order(&self, order: Order, pledge: Pledge) {
        let mut state = self.lock();
        // After the close the pledge is dropped, which says so.
        if !state.closed {
            state.orders.push((order, pledge));
            self.notify(state);
        }
    }

    /// Accepts nothing any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.notify(state);
    }

    pub(super) fn counts(&self) -> QueueCounts {
        self.lock().counts
    }

    /// Takes all that is queued, in exchange for the empty `items`; waits for it, or for `patience` at most. Says whether
    /// more may come.
    pub(super) fn take(
        &self,
        items: &mut VecDeque<Item>,
        orders: &mut Vec<(Order, Pledge)>,
        patience: Option<Duration>,
    ) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() && state.orders.is_empty() && state.missed == 0 && !state.closed {
            state.sleeping = true;
            match patience {
                None => state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.work.wait_timeout(state, patience);
                    let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    state = guard;
                    if timeout.timed_out() {
                        break;
                    }
                }
            }
        }
        state.sleeping = false;
        std::mem::swap(&mut state.items, items);
        std::mem::swap(&mut state.orders, orders);
        if let Some(gap) = state.gap() {
            let at = items.back().map_or_else(super::clock::wall, |last| last.at);
            items.push_back(Item::new(at, None, gap, Mode::BestEffort));
        }
        let open = !state.closed;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        open
    }

    /// As many items as a queue has room for.
    pub(super) fn room(&self) -> VecDeque<Item> {
        room(self.capacity)
    }

    fn push(&self, state: &mut State, item: &mut Option<Item>) -> Offered {
        if state.closed {
            return Offered::Closed;
        }
        let Some(next) = item.take_if(|item| {
            let only = item.mode == Mode::BestEffort;
            state.items.len() < if only { self.best_effort } else { self.capacity }
        }) else {
            return Offered::Full;
        };
        if let Some(gap) = state.gap() {
            state.items.push_back(Item::new(next.at, None, gap, Mode::BestEffort));
        }
        state.items.push_back(next);
        Offered::Queued
    }

    /// Wakes the writer, if it sleeps.
    fn notify(&self, mut state: MutexGuard<'_, State>) {
        let sleeping = std::mem::take(&mut state.sleeping);
        drop(state);
        if sleeping {
            self.work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What says in the log where events are missing.
    fn gap(&mut self) -> Option<Event> {
        let count = std::mem::take(&mut self.missed);
        let reason = DropReason::QueueFull;
        (count > 0).then_some(Event::Trail(TrailEvent::RecordsDropped { count, reason }))
    }
}

/// Room for the items, and for what reports the gaps between them.
fn room(capacity: usize) -> VecDeque<Item> {
    VecDeque::with_capacity(capacity + capacity / 4 + 1)
}
