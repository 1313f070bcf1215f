//! The clock of the tokio drivers of this crate.

use std::time::SystemTime;

use auth_core::time::{Moment, Now, Timestamp};
use tokio::time::Instant;

/// Reads both clocks together. The monotonic one is tokio's, so that a paused runtime pauses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { wall: Timestamp::since_epoch(wall), mono: Moment::since_origin(self.origin.elapsed()) }
    }
}
