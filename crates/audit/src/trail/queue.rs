//! The one queue between those who observe and the thread that writes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ticket::Pledge;
use crate::entry::{DropReason, Event, SegmentReason, TrailEvent};
use crate::log::{Item, Mode};

/// A bounded queue, whose memory is taken once; what its callers wait with is theirs.
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
    /// What waits for room, in its order: of each caller that waits one, and only while there is no room.
    waiting: BTreeMap<u64, Item>,
    /// How many waited so far.
    waited: u64,
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
    /// Dropped because there was no room, or whoever waited for it went away.
    pub(super) full: u64,
    /// Dropped because they came after the close.
    pub(super) closed: u64,
    /// All that were dropped, by the place of their mode.
    pub(super) by_mode: [u64; 3],
}

impl QueueCounts {
    pub(super) const fn dropped(self) -> u64 {
        self.full + self.closed
    }

    fn drop_full(&mut self, mode: Mode) {
        self.full += 1;
        self.by_mode[mode.place()] += 1;
    }

    fn drop_closed(&mut self, mode: Mode) {
        self.closed += 1;
        self.by_mode[mode.place()] += 1;
    }
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
    /// There is no room: it waits for it, under this number.
    Waits(u64),
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
                waiting: BTreeMap::new(),
                waited: 0,
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
        if state.closed {
            state.counts.drop_closed(item.mode);
        } else if self.has_room(&state, item.mode) {
            state.push(item);
            self.notify(state);
        } else {
            state.counts.drop_full(item.mode);
            state.missed += 1;
        }
    }

    /// Queues an item, or lets it wait for room, behind those that came before. After the close it counts as dropped.
    pub(super) fn offer_or_wait(&self, item: Item) -> Offered {
        let mut state = self.lock();
        state.counts.observed += 1;
        if state.closed {
            state.counts.drop_closed(item.mode);
            Offered::Closed
        } else if self.has_room(&state, item.mode) {
            state.push(item);
            self.notify(state);
            Offered::Queued
        } else {
            state.waited += 1;
            let number = state.waited;
            state.waiting.insert(number, item);
            Offered::Waits(number)
        }
    }

    /// Takes out an item that waits for room, because its caller waits no more; one that is queued stays there.
    pub(super) fn give_up(&self, number: u64) {
        let mut state = self.lock();
        if let Some(item) = state.waiting.remove(&number) {
            state.counts.drop_full(item.mode);
            state.missed += 1;
            self.notify(state);
            // Not before the lock is released: it tells its ticket.
            drop(item);
        }
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
        items.extend(state.gap());
        // Whoever waits comes before all that is offered from now on. At the end there is no next time.
        while (state.items.len() < self.capacity || state.closed)
            && let Some((_, item)) = state.waiting.pop_first()
        {
            if state.closed { items.push_back(item) } else { state.push(item) }
        }
        !state.closed
    }

    /// As many items as a queue has room for.
    pub(super) fn room(&self) -> VecDeque<Item> {
        room(self.capacity)
    }

    /// Whether one more of this mode may be queued. Where others wait there is none, for they would be queued.
    fn has_room(&self, state: &State, mode: Mode) -> bool {
        state.items.len() < if mode == Mode::BestEffort { self.best_effort } else { self.capacity }
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
    fn push(&mut self, item: Item) {
        let gap = self.gap();
        self.items.extend(gap);
        self.items.push_back(item);
    }

    /// What says in the log where events are missing. It is of now: the record beside it may tell of what happened long before.
    fn gap(&mut self) -> Option<Item> {
        let count = std::mem::take(&mut self.missed);
        let event = Event::Trail(TrailEvent::RecordsDropped { count, reason: DropReason::QueueFull });
        (count > 0).then(|| Item::new(crate::clock::wall(), None, event, Mode::BestEffort))
    }
}

/// Room for the items, and for what reports the gaps between them.
fn room(capacity: usize) -> VecDeque<Item> {
    VecDeque::with_capacity(capacity + capacity / 4 + 1)
}
