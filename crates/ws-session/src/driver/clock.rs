//! The clocks of the drivers.

use std::time::{Duration, SystemTime};

use auth_core::time::{Moment, Now, Timestamp};

/// Both clocks at once: `elapsed` is what a driver's monotonic one says.
#[expect(clippy::disallowed_methods, reason = "this is the drivers' wall clock")]
pub(super) fn now(elapsed: Duration) -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { wall: Timestamp::since_epoch(wall), mono: Moment::since_origin(elapsed) }
}

/// The clock of drivers that have none of their own.
#[cfg(any(feature = "blocking", feature = "futures"))]
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: std::time::Instant,
}

#[cfg(any(feature = "blocking", feature = "futures"))]
impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the drivers' clock")]
    pub(super) fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the drivers' clock")]
    pub(super) fn now(&self) -> Now {
        now(self.origin.elapsed())
    }
}
