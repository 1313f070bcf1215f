//! One future for all who wait for it: whichever of them is polled gets it on, and none of them owns it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::waiting::{Place, Waiting, WakeAll};

/// A future whose outcome is for many. It is polled without a lock held, so that a program's code inside it may do what
/// it likes, and once for each time that it wakes, however many wait.
pub(crate) struct SharedFuture<T> {
    state: Mutex<State<T>>,
    signal: Arc<Signal>,
}

struct State<T> {
    stage: Stage<T>,
    callers: usize,
    abandoned: bool,
}

enum Stage<T> {
    Waiting(Pin<Box<dyn Future<Output = T> + Send>>),
    /// A caller is polling it.
    Polling,
    Panicked,
    Done(T),
}

/// What the future wakes. All are woken, as any of them may be dropped before it is polled; the first to come polls.
struct Signal {
    /// It has not been polled since it woke.
    woken: AtomicBool,
    waiting: Arc<Waiting>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.waiting.wake_all();
    }
}

impl<T: Clone> SharedFuture<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        let state = State { stage: Stage::Waiting(Box::pin(future)), callers: 0, abandoned: false };
        let signal = Signal { woken: AtomicBool::new(true), waiting: Arc::default() };
        Arc::new(Self { state: Mutex::new(state), signal: Arc::new(signal) })
    }

    /// Whether it is under way with nobody waiting: all who did were dropped, and what it waits for may be long gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.state().callers == 0
    }

    /// Whether it ever was, before its outcome was there.
    pub(crate) fn was_abandoned(&self) -> bool {
        self.state().abandoned
    }

    /// Waits with the others.
    pub(crate) fn outcome(self: &Arc<Self>) -> Outcome<T> {
        self.state().callers += 1;
        Outcome { shared: Arc::clone(self), place: self.signal.waiting.place() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome, for one of those who wait: `None` if the future panicked, or if it waits for itself.
pub(crate) struct Outcome<T: Clone> {
    shared: Arc<SharedFuture<T>>,
    place: Place,
}

impl<T: Clone> Future for Outcome<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { shared, place } = &*self;
        let signal = &shared.signal;
        let waker = Waker::from(Arc::clone(signal));
        // Dropped after the lock: whoever is woken may poll at once.
        let mut ended_here = WakeAll::nobody();
        let mut state = shared.state();
        match &state.stage {
            Stage::Done(outcome) => return Poll::Ready(Some(outcome.clone())),
            Stage::Panicked => return Poll::Ready(None),
            // Polled from within itself: it would wait for ever.
            Stage::Polling if context.waker().will_wake(&waker) => return Poll::Ready(None),
            Stage::Polling | Stage::Waiting(_) => {}
        }
        // Listed before looking: a wake between the two is not missed.
        place.wait(context.waker());
        if matches!(state.stage, Stage::Polling) || !signal.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let Stage::Waiting(mut future) = std::mem::replace(&mut state.stage, Stage::Polling) else {
            return Poll::Pending;
        };
        drop(state);
        ended_here.arm(&signal.waiting);
        let mut polling = Polling(Some(shared));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        polling.0 = None;
        let mut state = shared.state();
        match polled {
            Poll::Pending => {
                state.stage = Stage::Waiting(future);
                // If it woke while it was polled, those who have come since do not know.
                if !signal.woken.load(Ordering::Acquire) {
                    ended_here.disarm();
                }
                Poll::Pending
            }
            Poll::Ready(outcome) => {
                state.stage = Stage::Done(outcome.clone());
                Poll::Ready(Some(outcome))
            }
        }
    }
}

impl<T: Clone> Drop for Outcome<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.callers -= 1;
        state.abandoned |= state.callers == 0 && !matches!(state.stage, Stage::Done(_));
    }
}

/// Notes that the future panicked, unless it is disarmed.
struct Polling<'a, T: Clone>(Option<&'a SharedFuture<T>>);

impl<T: Clone> Drop for Polling<'_, T> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.state().stage = Stage::Panicked;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    fn gated() -> (oneshot::Sender<u8>, Arc<SharedFuture<u8>>) {
        let (open, gate) = oneshot::channel();
        (open, SharedFuture::new(async move { gate.await.unwrap_or_default() }))
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn all_who_wait_get_the_same_outcome_and_late_comers_too() {
        let (open, shared) = gated();
        let (one, two) = (shared.outcome(), shared.outcome());
        open.send(7).unwrap();
        assert_eq!(tokio::join!(one, two), (Some(7), Some(7)));
        assert_eq!(shared.outcome().await, Some(7));
    }

    fn poll(outcome: &mut Outcome<u8>, waker: &Arc<Counting>) -> Poll<Option<u8>> {
        Pin::new(outcome).poll(&mut Context::from_waker(&Waker::from(Arc::clone(waker))))
    }

    #[test]
    fn when_the_one_who_was_woken_is_dropped_another_gets_it_on() {
        let (open, shared) = gated();
        let (mut one, mut two, mut late) = (shared.outcome(), shared.outcome(), shared.outcome());
        let wakers = [Arc::new(Counting::default()), Arc::new(Counting::default())];
        assert!(poll(&mut one, &wakers[0]).is_pending());
        assert!(poll(&mut two, &wakers[1]).is_pending());
        open.send(7).unwrap();
        assert_eq!(wakers.each_ref().map(|waker| waker.0.load(Ordering::Relaxed)), [1, 1]);
        drop(one);
        // It comes when all have been woken, and none has been polled.
        assert_eq!(poll(&mut late, &wakers[0]), Poll::Ready(Some(7)));
        assert_eq!(poll(&mut two, &wakers[1]), Poll::Ready(Some(7)));
        drop((two, late));
        assert!(shared.is_abandoned() && !shared.was_abandoned());
    }

    #[test]
    fn a_wake_during_a_poll_reaches_those_who_came_during_it() {
        let (own, came): (Arc<Mutex<Option<Outcome<u8>>>>, _) =
            (Arc::default(), Arc::new(Counting::default()));
        let (inside, waker) = (Arc::clone(&own), Arc::clone(&came));
        let shared = SharedFuture::new(std::future::poll_fn(move |context| {
            context.waker().wake_by_ref();
            if let Some(other) = inside.lock().unwrap().as_mut() {
                assert!(poll(other, &waker).is_pending());
            }
            Poll::Pending
        }));
        *own.lock().unwrap() = Some(shared.outcome());
        let mut first = shared.outcome();
        assert!(poll(&mut first, &Arc::default()).is_pending());
        drop(first);
        assert_eq!(came.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn one_poll_follows_each_wake_however_many_wait() {
        let (polls, inner) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let (count, kept) = (Arc::clone(&polls), Arc::clone(&inner));
        let shared: Arc<SharedFuture<u8>> = SharedFuture::new(std::future::poll_fn(move |context| {
            *kept.lock().unwrap() = Some(context.waker().clone());
            count.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }));
        let mut callers: Vec<_> =
            (0..100).map(|_| (shared.outcome(), Arc::new(Counting::default()))).collect();
        for wakes in 1..4 {
            for (outcome, waker) in &mut callers {
                assert!(poll(outcome, waker).is_pending());
            }
            assert_eq!(polls.load(Ordering::Relaxed), wakes);
            inner.lock().unwrap().take().unwrap().wake();
            assert!(callers.iter().all(|(_, waker)| waker.0.load(Ordering::Relaxed) == wakes));
        }
        for (outcome, waker) in &mut callers {
            assert!(poll(outcome, waker).is_pending());
        }
        callers.truncate(1);
        assert_eq!(shared.signal.waiting.count(), 1, "who is gone is forgotten");
    }

    #[tokio::test]
    async fn a_panic_ends_it_for_all() {
        let first = AtomicBool::new(true);
        let shared: Arc<SharedFuture<u8>> = SharedFuture::new(std::future::poll_fn(move |_| {
            assert!(!first.swap(false, Ordering::Relaxed), "on purpose");
            Poll::Pending
        }));
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut outcome = shared.outcome();
            let _ = Pin::new(&mut outcome).poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(polled.is_err());
        assert_eq!(shared.outcome().await, None);
    }

    #[tokio::test]
    async fn one_that_waits_for_itself_ends() {
        let own: Arc<Mutex<Option<Arc<SharedFuture<u8>>>>> = Arc::default();
        let inside = Arc::clone(&own);
        let shared = SharedFuture::new(async move {
            let shared = inside.lock().unwrap().take().unwrap();
            shared.outcome().await.unwrap_or(9)
        });
        *own.lock().unwrap() = Some(Arc::clone(&shared));
        assert_eq!(shared.outcome().await, Some(9));
    }
}
