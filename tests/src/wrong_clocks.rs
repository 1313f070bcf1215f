//! Clocks that err: virtual time as it truly passes, and what a computer makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};
use auth_http::manager::{Sleep, Timer};
use tokio::time::Instant;

/// The two clocks of a computer, on the paused time of tokio; clones are the same computer.
///
/// The wall clock can be set wrong. The monotonic clock, and with it every sleep, stands still while the computer is
/// suspended, and true time goes on.
#[derive(Debug, Clone)]
pub struct WrongClocks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Instant,
    suspended_ms: AtomicU64,
    /// How far the wall clock is ahead of true time.
    wall_error_ms: AtomicI64,
}

/// When the computer was started, in truth.
const BEGINNING: Timestamp = Timestamp::from_millis(1_700_000_000_000);

impl WrongClocks {
    /// Clocks that are right so far.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn start() -> Self {
        Self(Arc::new(Inner {
            origin: Instant::now(),
            suspended_ms: AtomicU64::new(0),
            wall_error_ms: AtomicI64::new(0),
        }))
    }

    /// The time as it truly is.
    #[must_use]
    pub fn truth(&self) -> Timestamp {
        let suspended = Duration::from_millis(self.0.suspended_ms.load(Ordering::SeqCst));
        BEGINNING.saturating_add(self.awake().saturating_add(suspended))
    }

    /// How long the computer has been awake.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn awake(&self) -> Duration {
        self.0.origin.elapsed()
    }

    /// Sets the wall clock this many seconds forward, or back.
    pub fn set_wall(&self, forward_s: i64) {
        self.0.wall_error_ms.fetch_add(forward_s * 1_000, Ordering::SeqCst);
    }

    /// The computer sleeps through this time.
    pub fn suspend(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.0.suspended_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Timer for WrongClocks {
    fn now(&self) -> Now {
        let error = self.0.wall_error_ms.load(Ordering::SeqCst);
        let wall = self.truth().as_millis().saturating_add_signed(error);
        Now { wall: Timestamp::from_millis(wall), mono: Moment::since_origin(self.awake()) }
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
