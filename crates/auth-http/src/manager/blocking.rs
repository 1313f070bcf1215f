//! The driver on a thread: no runtime at all, for programs whose HTTP client and store block anyway.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use auth_core::time::Now;

use super::driver::Driver;
use super::timer::{Sleep, StdClock, Timer};

/// What makes a [`TokenManager`](super::TokenManager) work without an executor: a loop that takes a thread of yours.
///
/// The futures of the grant and of the store are polled on that thread; they may block it, and must not need a runtime.
#[must_use = "the manager's callers wait until its driver runs"]
pub struct BlockingDriver(Driver);

impl BlockingDriver {
    pub(super) const fn new(driver: Driver) -> Self {
        Self(driver)
    }

    /// Runs until the last [`TokenManager`](super::TokenManager) is dropped, or one is shut down. The thread is parked
    /// while there is nothing to do.
    pub fn run(self) {
        let Self(mut driver) = self;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match driver.poll_input(&mut context) {
                Poll::Ready(input) => {
                    if driver.step(input).is_break() {
                        return;
                    }
                }
                Poll::Pending => match &driver.alarm {
                    Some(alarm) => thread::park_timeout(alarm.wakes.remaining(driver.timer.now())),
                    None => thread::park(),
                },
            }
        }
    }
}

impl fmt::Debug for BlockingDriver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(driver) = self;
        formatter.debug_tuple("BlockingDriver").field(driver).finish()
    }
}

/// Wakes the thread of the driver.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// The clock of the blocking driver, which parks its thread and never asks for a sleep.
pub(super) struct Parking(pub(super) StdClock);

impl Timer for Parking {
    fn now(&self) -> Now {
        self.0.now()
    }

    fn sleep(&self, _duration: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}
