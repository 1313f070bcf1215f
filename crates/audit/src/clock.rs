//! The clocks of this crate's drivers, the trail and its outlets.
#![expect(clippy::disallowed_methods, reason = "this is the clock of the drivers")]

use std::time::{Instant, SystemTime};

use auth_core::time::{Moment, Now, Timestamp};

/// What the wall clock says.
pub(crate) fn wall() -> Timestamp {
    Timestamp::since_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Reads both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: wall(), mono: Moment::since_origin(self.0.elapsed()) }
    }
}
