//! One request for all who ask: it belongs to the cache, and whoever waits gets it on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use auth_core::time::Now;
use auth_core::{Error, ErrorKind};

use super::timing::{Step, Timing};
use super::{Clock, Terms};
use crate::waiting::{Place, Waiting, WakeAll};

/// A request under way.
pub(super) type Fetching<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// What is at hand, and the request for the next. A caller that is dropped takes nothing with it: the request stays, and
/// whoever else waits, or comes next, gets it on.
pub(super) struct Flight<T> {
    fetch: Box<dyn Fn() -> Fetching<T> + Send + Sync>,
    state: Mutex<State<T>>,
    waiting: Arc<Waiting>,
}

struct State<T> {
    timing: Timing<T>,
    fetching: Option<Fetching<T>>,
    /// How many requests have begun.
    begun: u64,
    /// How the last one that ended did.
    ended: Option<(u64, Result<Arc<T>, Error>)>,
}

impl<T: Send + Sync + 'static> Flight<T> {
    pub(super) fn new(fetch: Box<dyn Fn() -> Fetching<T> + Send + Sync>) -> Self {
        let state = State { timing: Timing::new(), fetching: None, begun: 0, ended: None };
        Self { fetch, state: Mutex::new(state), waiting: Arc::default() }
    }

    /// What to do for a caller: `Fetch` has the number of the request to wait for, which is under way then.
    pub(super) fn step(&self, now: Now, seen: Option<&Arc<T>>) -> Step<T, u64> {
        let mut state = self.state();
        match state.timing.step(now, seen) {
            Step::Serve(document) => Step::Serve(document),
            Step::Fail(error) => Step::Fail(error),
            Step::Fetch(()) => {
                if state.fetching.is_none() {
                    state.fetching = Some((self.fetch)());
                    state.begun += 1;
                }
                Step::Fetch(state.begun)
            }
        }
    }

    /// The outcome of a request.
    pub(super) async fn landed(&self, number: u64, clock: &Clock, terms: &Terms) -> Result<Arc<T>, Error> {
        let place = self.waiting.place();
        std::future::poll_fn(|context| self.poll(number, clock, terms, &place, context)).await
    }

    fn poll(
        &self,
        number: u64,
        clock: &Clock,
        terms: &Terms,
        place: &Place,
        context: &Context<'_>,
    ) -> Poll<Result<Arc<T>, Error>> {
        // Dropped after the lock: whoever is woken may poll at once.
        let mut ended_here = WakeAll::nobody();
        let mut state = self.state();
        if let Some((ended, outcome)) = &state.ended
            && *ended >= number
        {
            return Poll::Ready(outcome.clone());
        }
        // Taken out, so that a request that panics is gone, and wakes those who wait for it.
        let Some(mut fetching) = state.fetching.take() else {
            let error =
                Error::new(ErrorKind::Transport, "the request for the document panicked; see its message");
            return Poll::Ready(Err(error));
        };
        place.wait(context.waker());
        ended_here.arm(&self.waiting);
        let waker = Waker::from(Arc::clone(&self.waiting));
        match fetching.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                state.fetching = Some(fetching);
                ended_here.disarm();
                Poll::Pending
            }
            Poll::Ready(result) => {
                let now = clock();
                let outcome = match result {
                    Ok(document) => Ok(state.timing.fetched(now, terms, document)),
                    Err(error) => state.timing.failed(now, terms, error),
                };
                state.ended = Some((state.begun, outcome.clone()));
                Poll::Ready(outcome)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
