//! The clocks of a trail, which is a driver.
#![expect(clippy::disallowed_methods, reason = "this is the clock of the trail's driver")]

use std::time::{Instant, SystemTime};

use auth_core::time::{Moment, Now, Timestamp};

/// What the wall clock says.
pub(super) fn wall() -> Timestamp {
    Timestamp::since_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Reads both clocks.
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Now {
        Now { wall: wall(), mono: Moment::since_origin(self.0.elapsed()) }
    }
}
