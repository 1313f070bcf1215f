//! The clock of commands that run once.

use std::time::SystemTime;

use auth_core::time::{Moment, Now, Timestamp};

/// Reads the wall clock; a command that runs once needs no monotonic one.
#[expect(clippy::disallowed_methods, reason = "this is the clock of commands that run once")]
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { wall: Timestamp::since_epoch(wall), mono: Moment::ORIGIN }
}
