//! Work that has a limited time, on whatever runtime sleeps.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use auth_core::Error;

use crate::grant::Delay;

/// The outcome of `work`; after `limit` it is dropped, and the outcome is the error `late`. The time counts from when it has to
/// be waited for: what is ready at once needs no timer.
pub(crate) async fn within<T>(
    delay: &dyn Delay,
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
    late: impl Fn() -> Error,
) -> Result<T, Error> {
    let mut work = pin!(work);
    let mut alarm = None;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(outcome),
        Poll::Pending => {
            let alarm = alarm.get_or_insert_with(|| delay.sleep(limit));
            alarm.as_mut().poll(context).map(|()| Err(late()))
        }
    })
    .await
}
