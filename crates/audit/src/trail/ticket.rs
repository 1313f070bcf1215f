//! Waiting for what the writer does, on any runtime and on a plain thread.

use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// What came of it, or why nothing did: a lowercase fragment.
pub(crate) type Outcome = Result<(), Cow<'static, str>>;

/// A place where one outcome is left, and one task waits for it.
#[derive(Default)]
pub(crate) struct Ticket(Mutex<State>);

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Ticket {
    /// A ticket for each side. Whoever waits may go away; that changes nothing for the other side.
    pub(super) fn new() -> (Pledge, Arc<Self>) {
        let ticket = Arc::new(Self::default());
        (Pledge(Arc::clone(&ticket)), ticket)
    }

    /// Waits for the outcome.
    pub(super) async fn outcome(&self) -> Outcome {
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &state.outcome {
                Some(outcome) => Poll::Ready(outcome.clone()),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// The writer's side of a ticket. Dropped without an outcome, it leaves an error: nobody waits for ever.
pub(crate) struct Pledge(Arc<Ticket>);

impl Pledge {
    /// Leaves the outcome.
    pub(super) fn settle(self, outcome: Outcome) {
        self.leave(outcome);
    }

    fn leave(&self, outcome: Outcome) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.outcome.is_none() {
            state.outcome = Some(outcome);
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        self.leave(Err(Cow::Borrowed("the trail has stopped; look for what it logged before")));
    }
}

/// Wakes a task. Wakers are of the caller's making: one that panics must not take the writer with it.
pub(super) fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        tracing::warn!("a waker panicked, and its task may wait for ever");
    }
}

/// Waits for a future on this thread.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
