//! The clock of this driver.

use std::time::{Instant, SystemTime};

use auth_core::time::{Moment, Now, Timestamp};

/// Reads both clocks together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { wall: Timestamp::since_epoch(wall), mono: Moment::since_origin(self.origin.elapsed()) }
    }
}
