//! Events on their way from a session to whoever follows it: bounded, so that nobody slow holds up the session.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use auth_core::time::{Moment, Now};
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
    /// Where the session stands, and since when.
    current: (Moment, SessionEvent),
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
        let current = (Moment::ORIGIN, current);
        Self(Arc::new(Mutex::new(Hub { current, ended: false, queues: Vec::new() })))
    }

    pub(in crate::driver) fn subscribing(&self) -> Subscribing {
        Subscribing(Arc::clone(&self.0))
    }

    pub(in crate::driver) fn publish(&self, now: Now, event: &SessionEvent) {
        let mut hub = lock(&self.0);
        if let SessionEvent::State { .. } = event {
            hub.current = (now.mono, event.clone());
        }
        let dropped = hub.take_dropped();
        let woken = hub.change(|queue| queue.push(event.clone()));
        drop(hub);
        drop(dropped);
        woken.into_iter().for_each(Waker::wake);
    }

    /// The session has ended: nothing more happens to it, however long it is held.
    pub(in crate::driver) fn end(&self) {
        let mut hub = lock(&self.0);
        hub.ended = true;
        let woken = hub.change(|queue| queue.ended = true);
        let ended = std::mem::take(&mut hub.queues);
        drop(hub);
        drop(ended);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end();
    }
}

impl Subscribing {
    pub(in crate::driver) fn events(&self, now: Now) -> Events {
        let mut hub = lock(&self.0);
        let dropped = hub.take_dropped();
        let mut queue = Queue { ended: hub.ended, ..Queue::default() };
        queue.push(hub.current(now));
        let queue = Arc::new(Mutex::new(queue));
        if !hub.ended {
            hub.queues.push(Arc::clone(&queue));
        }
        drop(hub);
        drop(dropped);
        Events(queue)
    }
}

/// A waker may run anything, when it is woken or dropped: neither is done while the hub is locked.
impl Hub {
    /// Where the session stands, as it is to be told now.
    fn current(&self, now: Now) -> SessionEvent {
        let (since, mut current) = self.current.clone();
        if let SessionEvent::State { retry_in: Some(left), .. } = &mut current {
            *left = left.saturating_sub(now.mono.elapsed().saturating_sub(since.elapsed()));
        }
        current
    }

    /// The queues that nobody reads any more: the session's end is their only other owner.
    fn take_dropped(&mut self) -> Vec<Arc<Mutex<Queue>>> {
        self.queues.extract_if(.., |queue| Arc::strong_count(queue) == 1).collect()
    }

    /// Changes each queue. Answers whom to wake.
    fn change(&self, change: impl Fn(&mut Queue)) -> Vec<Waker> {
        let changed = self.queues.iter().filter_map(|queue| {
            let mut queue = lock(queue);
            change(&mut queue);
            queue.waker.take()
        });
        changed.collect()
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

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing can panic while it is held.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use auth_core::time::Timestamp;

    use super::*;

    /// A moment, in seconds.
    fn at(seconds: u64) -> Now {
        let elapsed = Duration::from_secs(seconds);
        Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
    }

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
        let mut slow = publisher.subscribing().events(at(0));
        // Told apart by their numbers.
        (1_000..1_000 + WAITING as u64 + 9).for_each(|number| publisher.publish(at(0), &missed(number)));
        let taken = taken(&mut slow);
        assert_eq!(taken.len(), WAITING + 1);
        assert_eq!((taken[0].as_str(), taken[1].as_str()), ("10", "1009"));
    }

    #[test]
    fn each_channel_begins_with_where_the_session_stands_and_ends_with_it() {
        let publisher = Publisher::new();
        let subscribing = publisher.subscribing();
        publisher.publish(
            at(0),
            &SessionEvent::State { state: State::Connected, reason: None, attempt: 1, retry_in: None },
        );
        let mut early = subscribing.events(at(0));
        publisher.publish(at(0), &missed(7));
        drop(publisher);
        let mut late = subscribing.events(at(0));
        assert_eq!(
            (taken(&mut early), taken(&mut late)),
            (vec!["connected".into(), "7".into()], vec!["connected".to_owned()])
        );
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut early).poll_next(&mut cx), Poll::Ready(None)));
        assert!(matches!(Pin::new(&mut late).poll_next(&mut cx), Poll::Ready(None)));
    }

    #[test]
    fn a_channel_that_begins_during_a_wait_is_told_what_is_left_of_it() {
        let publisher = Publisher::new();
        let retry_in = Some(Duration::from_secs(30));
        let waits = SessionEvent::State { state: State::Disconnected, reason: None, attempt: 2, retry_in };
        publisher.publish(at(100), &waits);
        for (seconds, left) in [(100, 30), (129, 1), (140, 0)] {
            let mut events = publisher.subscribing().events(at(seconds));
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(Some(SessionEvent::State { retry_in, .. })) =
                Pin::new(&mut events).poll_next(&mut cx)
            else {
                panic!("it begins with the state")
            };
            assert_eq!(retry_in, Some(Duration::from_secs(left)), "{seconds}");
        }
    }

    #[test]
    fn channels_that_were_dropped_are_forgotten_though_nothing_happens() {
        let publisher = Publisher::new();
        let kept = publisher.subscribing().events(at(0));
        (0..10).for_each(|_| drop(publisher.subscribing().events(at(0))));
        assert_eq!(lock(&publisher.0).queues.len(), 2);
        drop(kept);
    }

    /// Does what a waker may do: whatever it likes, at once.
    struct Inline {
        subscribing: Subscribing,
        free: AtomicUsize,
    }

    impl Wake for Inline {
        fn wake(self: Arc<Self>) {
            let free = self.subscribing.0.try_lock().is_ok();
            self.free.fetch_add(usize::from(free), Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_is_woken_may_ask_for_another_channel_at_once() {
        let publisher = Publisher::new();
        let inline = Arc::new(Inline { subscribing: publisher.subscribing(), free: AtomicUsize::new(0) });
        let waker = Waker::from(Arc::clone(&inline));
        let mut events = publisher.subscribing().events(at(0));
        let mut wait = || {
            let mut cx = Context::from_waker(&waker);
            while Pin::new(&mut events).poll_next(&mut cx).is_ready() {}
        };
        wait();
        publisher.publish(at(0), &missed(1));
        wait();
        drop(publisher);
        assert_eq!(inline.free.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_channel_that_was_dropped_costs_nothing() {
        let publisher = Publisher::new();
        drop(publisher.subscribing().events(at(0)));
        publisher.publish(at(0), &missed(1));
        assert!(lock(&publisher.0).queues.is_empty());
    }
}
