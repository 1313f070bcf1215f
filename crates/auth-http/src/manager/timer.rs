//! Time for the token manager: both clocks, and a way to sleep that the driver's runtime has.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use auth_core::time::{Moment, Now, Timestamp};

/// What the driver needs of a runtime: its clocks, and its sleep.
///
/// On tokio there is [`TokioTimer`](super::TokioTimer); for another runtime, implement it over a [`StdClock`]:
///
/// ```
/// use std::time::Duration;
///
/// use auth_core::time::Now;
/// use auth_http::manager::{Sleep, StdClock, Timer};
/// # async fn sleep_of_the_runtime(_: Duration) {}
///
/// struct MyTimer(StdClock);
///
/// impl Timer for MyTimer {
///     fn now(&self) -> Now {
///         self.0.now()
///     }
///
///     fn sleep(&self, duration: Duration) -> Sleep {
///         Box::pin(sleep_of_the_runtime(duration))
///     }
/// }
/// ```
pub trait Timer: Send + Sync + 'static {
    /// Both clocks, read together. Readers of a cached token call it each time.
    fn now(&self) -> Now;

    /// A future that is ready after `duration`, which is 30 s at most. If it is ready earlier, the driver sleeps again.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The future of [`Timer::sleep`].
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The clocks of the standard library, for a [`Timer`] of your own.
#[derive(Debug, Clone, Copy)]
pub struct StdClock {
    origin: Instant,
}

impl StdClock {
    /// Clocks whose origin is this moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Both clocks, read together.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub fn now(&self) -> Now {
        Now { wall: wall(), mono: Moment::since_origin(self.origin.elapsed()) }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
pub(crate) fn wall() -> Timestamp {
    Timestamp::since_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Tokio's clock and sleep: a paused runtime pauses both, the wall clock apart.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy)]
pub struct TokioTimer {
    origin: tokio::time::Instant,
}

#[cfg(feature = "tokio")]
impl TokioTimer {
    /// A timer whose origin is this moment. It needs no runtime before it sleeps.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub fn start() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

#[cfg(feature = "tokio")]
impl Timer for TokioTimer {
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    fn now(&self) -> Now {
        Now { wall: wall(), mono: Moment::since_origin(self.origin.elapsed()) }
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
