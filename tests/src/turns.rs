//! A token manager's driver that runs only while a test lets it, on a runtime with real sockets and files.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use auth_http::manager::Driver;

/// A driver that takes turns with whatever the test polls.
pub struct Turns {
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl Turns {
    /// A driver that was not polled yet.
    #[must_use]
    pub fn new(driver: Driver) -> Self {
        Self { driver: Box::pin(driver.run()), ended: false }
    }

    /// Runs the driver until `future` is ready, and not one poll longer.
    ///
    /// # Panics
    ///
    /// When that takes longer than 20 s.
    #[expect(clippy::panic, reason = "a test that waits in vain has failed")]
    pub async fn until<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let ready = poll_fn(|context| {
            self.poll(context);
            future.as_mut().poll(context)
        });
        match tokio::time::timeout(Duration::from_secs(20), ready).await {
            Ok(output) => output,
            Err(_) => panic!("waited in vain for 20 s"),
        }
    }

    /// Polls `future` and the driver by turns, whenever something wakes either, until there were `polls` of them or `future`
    /// is ready.
    pub async fn take<T>(&mut self, future: Pin<&mut impl Future<Output = T>>, polls: usize) -> Option<T> {
        let mut future = future;
        let mut taken = 0;
        poll_fn(|context| {
            for drives in [false, true] {
                if taken == polls {
                    return Poll::Ready(None);
                }
                taken += 1;
                if drives {
                    self.poll(context);
                } else if let Poll::Ready(output) = future.as_mut().poll(context) {
                    return Poll::Ready(Some(output));
                }
            }
            if taken == polls { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        if !self.ended {
            self.ended = self.driver.as_mut().poll(context).is_ready();
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turns").field("ended", &self.ended).finish_non_exhaustive()
    }
}
