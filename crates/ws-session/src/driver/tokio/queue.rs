//! What was put down to be sent: as many messages, and as many bytes of them, as may be on their way.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::task::coop::consume_budget;

use super::ledger::Outgoing;
use crate::driver::Unsent;
use crate::outbox::{Limit, Overflow};

/// Messages of all senders, in the order in which they came. One lock serves what is put down together and what is taken together.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Held by whoever is the next to have room, of those who wait for it.
    turn: tokio::sync::Mutex<()>,
    /// Told to them.
    freed: Notify,
    most: Used,
    overflow: Overflow,
}

struct State {
    waiting: VecDeque<Outgoing>,
    /// What waits here, where the oldest of it leave.
    here: Used,
    /// What waits, or was taken and is not settled yet.
    used: Used,
    /// How many wait for their turn: nobody overtakes them.
    queued: usize,
    driver: Option<Waker>,
    /// Of the requests that wait, or were taken, nobody wants some any more.
    given_up: bool,
    closed: bool,
    /// Nothing was put down since the driver last found nothing.
    at_rest: bool,
}

/// How many messages there is room for at rest.
const KEPT: usize = 32;

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    messages: usize,
    bytes: usize,
}

/// The driver's end: what is put down when it is gone comes back at once.
pub(super) struct Taking(pub(super) Arc<Queue>);

/// The room of messages, until it is dropped.
pub(super) struct Room {
    queue: Arc<Queue>,
    used: Used,
}

/// One of those who wait for their turn.
struct Queued<'a>(&'a Queue);

impl Queue {
    pub(super) fn new(limit: Limit, overflow: Overflow) -> Self {
        let most = Used { messages: limit.messages.max(1), bytes: limit.bytes.max(1) };
        let (waiting, here, used) = (VecDeque::new(), Used::default(), Used::default());
        let state = State {
            waiting,
            here,
            used,
            queued: 0,
            driver: None,
            given_up: false,
            closed: false,
            at_rest: false,
        };
        let state = Mutex::new(state);
        Self { state, turn: tokio::sync::Mutex::default(), freed: Notify::new(), most, overflow }
    }

    /// Puts a message down, when there is room for it if that is waited for.
    pub(super) async fn put(self: &Arc<Self>, outgoing: Outgoing) -> Result<(), (Outgoing, Unsent)> {
        // Whoever always has something to put down lets others of its runtime have their turn, the driver among them.
        consume_budget().await;
        let mut outgoing = match self.try_put(outgoing, false) {
            Err((outgoing, Unsent::QueueFull)) if self.overflow == Overflow::Wait => outgoing,
            done => return done,
        };
        self.state().queued += 1;
        let _queued = Queued(self);
        let _turn = self.turn.lock().await;
        loop {
            outgoing = match self.try_put(outgoing, true) {
                Err((outgoing, Unsent::QueueFull)) => outgoing,
                done => return done,
            };
            self.freed.notified().await;
        }
    }

    fn try_put(
        self: &Arc<Self>,
        mut outgoing: Outgoing,
        is_its_turn: bool,
    ) -> Result<(), (Outgoing, Unsent)> {
        // One that is larger than all that may wait takes all of it.
        let bytes = outgoing.parcel.message.len().min(self.most.bytes);
        let mut state = self.state();
        if state.closed {
            return Err((outgoing, Unsent::Ended));
        }
        let mut leaving = Vec::new();
        if self.overflow == Overflow::DropOldest {
            // What the driver took before is older: it sees to that when it takes the rest.
            while state.here.messages >= self.most.messages
                || (state.here.messages > 0 && state.here.bytes + bytes > self.most.bytes)
            {
                let Some(oldest) = state.waiting.pop_front() else { break };
                state.here.messages -= 1;
                state.here.bytes -= oldest.parcel.message.len().min(self.most.bytes);
                leaving.push(oldest);
            }
            state.here.messages += 1;
            state.here.bytes += bytes;
        } else {
            let used = Used { messages: state.used.messages + 1, bytes: state.used.bytes + bytes };
            let has_room = used.messages <= self.most.messages && used.bytes <= self.most.bytes;
            if !has_room || (state.queued > 0 && !is_its_turn) {
                return Err((outgoing, Unsent::QueueFull));
            }
            state.used = used;
            let queue = Arc::clone(self);
            outgoing.parcel.room = Some(Room { queue, used: Used { messages: 1, bytes } });
        }
        state.waiting.push_back(outgoing);
        let driver = state.driver.take();
        drop(state);
        leaving.into_iter().for_each(Outgoing::dropped);
        driver.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Nobody wants a request any more that has not gone out: the driver is to forget it, and give its room to others.
    pub(super) fn given_up(&self) {
        let mut state = self.state();
        state.given_up = true;
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Nobody may put anything down any more, whoever waits neither.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.freed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taking {
    /// Takes all that was put down, into an empty queue, and says whether requests were given up; registers for more where there was
    /// nothing.
    pub(super) fn take(&self, into: &mut VecDeque<Outgoing>, cx: Option<&Context<'_>>) -> Poll<bool> {
        let mut state = self.0.state();
        std::mem::swap(&mut state.waiting, into);
        state.here = Used::default();
        let given_up = std::mem::take(&mut state.given_up);
        if given_up || !into.is_empty() {
            state.at_rest = false;
            return Poll::Ready(given_up);
        }
        // Bursts that follow each other share their room.
        if std::mem::replace(&mut state.at_rest, true) && state.waiting.capacity().max(into.capacity()) > KEPT
        {
            (state.waiting, *into) = (VecDeque::new(), VecDeque::new());
        }
        if let Some(cx) = cx {
            state.driver = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.0.close();
        // Dropped without the lock: each has room to give back.
        let left = std::mem::take(&mut self.0.state().waiting);
        drop(left);
    }
}

impl Room {
    /// Adds that of another message, for both to be given back at once.
    pub(super) fn join(&mut self, mut other: Self) {
        let Used { messages, bytes } = std::mem::take(&mut other.used);
        self.used.messages += messages;
        self.used.bytes += bytes;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.used.messages == 0 {
            return;
        }
        let mut state = self.queue.state();
        state.used.messages -= self.used.messages;
        state.used.bytes -= self.used.bytes;
        let is_waited_for = state.queued > 0;
        drop(state);
        if is_waited_for {
            self.queue.freed.notify_one();
        }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.state().queued -= 1;
        // The next has its turn to look whether there is room.
        self.0.freed.notify_one();
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state: _, turn: _, freed: _, most, overflow } = self;
        formatter
            .debug_struct("Queue")
            .field("most", most)
            .field("overflow", overflow)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue: _, used } = self;
        formatter.debug_struct("Room").field("used", used).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::driver::tokio::ledger::{Parcel, Whose};

    #[tokio::test]
    async fn a_burst_leaves_no_memory_behind() {
        let queue = Arc::new(Queue::new(Limit::USUAL, Overflow::Wait));
        let (taking, mut taken) = (Taking(Arc::clone(&queue)), VecDeque::new());
        let whose = || Whose::Sender(oneshot::channel().0);
        for _ in 0..2 {
            for _ in 0..256 {
                let parcel = Parcel { message: "x".into(), whose: whose(), room: None };
                assert!(queue.put(Outgoing { parcel, question: None }).await.is_ok());
            }
            assert!(taking.take(&mut taken, None).is_ready());
            taken.clear();
            assert!(taking.take(&mut taken, None).is_pending());
            assert!(taken.capacity().max(queue.state().waiting.capacity()) >= 256, "more may come");
        }
        assert!(taking.take(&mut taken, None).is_pending());
        assert_eq!((taken.capacity(), queue.state().waiting.capacity()), (0, 0));
    }
}
