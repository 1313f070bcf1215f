//! One future for all who wait for it: whichever of them is polled gets it on, and none of them owns it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake as _, Waker};

use crate::waiting::{Waiting, WakeAll};

/// A future whose outcome is for many. It is polled without a lock held, so that a program's code inside it may do what
/// it likes.
pub(crate) struct SharedFuture<T> {
    state: Mutex<State<T>>,
    waiting: Arc<Waiting>,
}

struct State<T> {
    stage: Stage<T>,
    callers: usize,
}

enum Stage<T> {
    Waiting(Pin<Box<dyn Future<Output = T> + Send>>),
    /// A caller is polling it.
    Polling,
    Panicked,
    Done(T),
}

impl<T: Clone> SharedFuture<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        let state = State { stage: Stage::Waiting(Box::pin(future)), callers: 0 };
        Arc::new(Self { state: Mutex::new(state), waiting: Arc::default() })
    }

    /// Whether it is under way with nobody waiting: all who did were dropped, and what it waits for may be long gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.state().callers == 0
    }

    /// Waits with the others.
    pub(crate) fn outcome(self: &Arc<Self>) -> Outcome<T> {
        self.state().callers += 1;
        Outcome(Arc::clone(self))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome, for one of those who wait: `None` if the future panicked, or if it waits for itself.
pub(crate) struct Outcome<T: Clone>(Arc<SharedFuture<T>>);

impl<T: Clone> Future for Outcome<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let shared = &self.0;
        let waker = Waker::from(Arc::clone(&shared.waiting));
        // Dropped after the lock: whoever is woken may poll at once.
        let mut ended_here = WakeAll::nobody();
        let mut state = shared.state();
        let mut future = match &mut state.stage {
            Stage::Done(outcome) => return Poll::Ready(Some(outcome.clone())),
            Stage::Panicked => return Poll::Ready(None),
            // Polled from within itself: it would wait for ever.
            Stage::Polling if context.waker().will_wake(&waker) => return Poll::Ready(None),
            Stage::Polling => {
                shared.waiting.add(context.waker());
                return Poll::Pending;
            }
            stage @ Stage::Waiting(_) => match std::mem::replace(stage, Stage::Polling) {
                Stage::Waiting(future) => future,
                Stage::Done(_) | Stage::Panicked | Stage::Polling => return Poll::Ready(None),
            },
        };
        shared.waiting.add(context.waker());
        drop(state);
        ended_here.arm(&shared.waiting);
        let mut polling = Polling(Some(shared));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        polling.0 = None;
        let mut state = shared.state();
        match polled {
            Poll::Pending => {
                state.stage = Stage::Waiting(future);
                ended_here.disarm();
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
        self.0.state().callers -= 1;
        // If the future woke this one alone, another has to take its place.
        Arc::clone(&self.0.waiting).wake();
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

    impl std::task::Wake for Counting {
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

    #[test]
    fn when_the_one_who_was_woken_is_dropped_another_is_woken() {
        let (open, shared) = gated();
        let (mut one, mut two) = (shared.outcome(), shared.outcome());
        let wakers = [Arc::new(Counting::default()), Arc::new(Counting::default())];
        let poll = |outcome: &mut Outcome<u8>, waker: &Arc<Counting>| {
            Pin::new(outcome).poll(&mut Context::from_waker(&Waker::from(Arc::clone(waker))))
        };
        assert!(poll(&mut one, &wakers[0]).is_pending());
        open.send(7).unwrap();
        assert_eq!(wakers[0].0.load(Ordering::Relaxed), 1);
        // It comes while the first has been woken, and not been polled.
        shared.waiting.add(&Waker::from(Arc::clone(&wakers[1])));
        drop(one);
        assert_eq!(wakers[1].0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mut two, &wakers[1]), Poll::Ready(Some(7)));
        drop(two);
        assert!(shared.is_abandoned());
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
