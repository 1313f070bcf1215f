//! Events on their way from a session to whoever follows it: bounded, so that nobody slow holds up the session.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::SessionEvent;
use crate::machine::State;

/// The events of a session from the moment on at which this was asked for, the first of which says where the session stands then.
///
/// Up to 256 wait here. Beyond that the oldest are dropped, and [`SessionEvent::Missed`] says how many. It ends when the session has
/// ended, behind the event that says so.
#[derive(Debug)]
pub struct Events(Arc<Mutex<Queue>>);

/// The session's end of all channels.
#[derive(Debug)]
pub(in crate::driver) struct Publisher(Arc<Mutex<Hub>>);

/// Makes channels, for as long as anybody wants to.
#[derive(Debug, Clone)]
pub(in crate::driver) struct Subscribing(Arc<Mutex<Hub>>);

#[derive(Debug)]
struct Hub {
    /// Where the session stands.
    current: SessionEvent,
    ended: bool,
    queues: Vec<Arc<Mutex<Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<SessionEvent>,
    missed: u64,
    ended: bool,
    waker: Option<Waker>,
}

/// How many events wait for their reader.
const WAITING: usize = 256;

impl Publisher {
    pub(in crate::driver) fn new() -> Self {
        let current =
            SessionEvent::State { state: State::Initialized, reason: None, attempt: 1, retry_in: None };
        Self(Arc::new(Mutex::new(Hub { current, ended: false, queues: Vec::new() })))
    }

    pub(in crate::driver) fn subscribing(&self) -> Subscribing {
        Subscribing(Arc::clone(&self.0))
    }

    pub(in crate::driver) fn publish(&self, event: &SessionEvent) {
        let mut hub = lock(&self.0);
        if let SessionEvent::State { .. } = event {
            hub.current = event.clone();
        }
        // The session's end is the only other owner.
        hub.queues.retain(|queue| Arc::strong_count(queue) > 1);
        for queue in &hub.queues {
            wake(queue, |queue| queue.push(event.clone()));
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut hub = lock(&self.0);
        hub.ended = true;
        for queue in hub.queues.drain(..) {
            wake(&queue, |queue| queue.ended = true);
        }
    }
}

impl Subscribing {
    pub(in crate::driver) fn events(&self) -> Events {
        let mut hub = lock(&self.0);
        let mut queue = Queue { ended: hub.ended, ..Queue::default() };
        queue.push(hub.current.clone());
        let queue = Arc::new(Mutex::new(queue));
        if !hub.ended {
            hub.queues.push(Arc::clone(&queue));
        }
        Events(queue)
    }
}

impl Queue {
    fn push(&mut self, event: SessionEvent) {
        if self.events.len() == WAITING {
            self.events.pop_front();
            self.missed = self.missed.saturating_add(1);
        }
        self.events.push_back(event);
    }

    fn pop(&mut self) -> Option<SessionEvent> {
        match std::mem::take(&mut self.missed) {
            0 => self.events.pop_front(),
            count => Some(SessionEvent::Missed { count }),
        }
    }
}

impl Events {
    /// The next event; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = SessionEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        let mut queue = lock(&self.0);
        match queue.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn wake(queue: &Mutex<Queue>, change: impl FnOnce(&mut Queue)) {
    let waker = {
        let mut queue = lock(queue);
        change(&mut queue);
        queue.waker.take()
    };
    // Outside of the lock: a waker may run anything.
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing can panic while it is held.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(count: u64) -> SessionEvent {
        SessionEvent::Missed { count }
    }

    fn taken(events: &mut Events) -> Vec<String> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        while let Poll::Ready(Some(event)) = Pin::new(&mut *events).poll_next(&mut cx) {
            taken.push(match event {
                SessionEvent::Missed { count } => count.to_string(),
                SessionEvent::State { state, .. } => state.to_string(),
                other => format!("{other:?}"),
            });
        }
        taken
    }

    #[test]
    fn events_that_nobody_takes_are_dropped_and_counted() {
        let publisher = Publisher::new();
        let mut slow = publisher.subscribing().events();
        // Told apart by their numbers.
        (1_000..1_000 + WAITING as u64 + 9).for_each(|number| publisher.publish(&missed(number)));
        let taken = taken(&mut slow);
        assert_eq!(taken.len(), WAITING + 1);
        assert_eq!((taken[0].as_str(), taken[1].as_str()), ("10", "1009"));
    }

    #[test]
    fn each_channel_begins_with_where_the_session_stands_and_ends_with_it() {
        let publisher = Publisher::new();
        let subscribing = publisher.subscribing();
        publisher.publish(&SessionEvent::State {
            state: State::Connected,
            reason: None,
            attempt: 1,
            retry_in: None,
        });
        let mut early = subscribing.events();
        publisher.publish(&missed(7));
        drop(publisher);
        let mut late = subscribing.events();
        assert_eq!(
            (taken(&mut early), taken(&mut late)),
            (vec!["connected".into(), "7".into()], vec!["connected".to_owned()])
        );
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut early).poll_next(&mut cx), Poll::Ready(None)));
        assert!(matches!(Pin::new(&mut late).poll_next(&mut cx), Poll::Ready(None)));
    }

    #[test]
    fn a_channel_that_was_dropped_costs_nothing() {
        let publisher = Publisher::new();
        drop(publisher.subscribing().events());
        publisher.publish(&missed(1));
        assert!(lock(&publisher.0).queues.is_empty());
    }
}
