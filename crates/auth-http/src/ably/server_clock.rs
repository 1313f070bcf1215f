//! The server's clock, as one answer of it told, for as long as the local clocks can be trusted to have gone on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::time::{Now, Timestamp};

/// What is known of the server's clock (RSA10k). It goes on by the monotonic clock; after a suspend, or when somebody
/// has set the wall clock, nothing is known of it any more.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Option<Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    server: Timestamp,
    at: Now,
}

/// The local clocks may disagree by as much about the time that has passed: a wall clock is slewed a little at a time.
const TOLERANCE: Duration = Duration::from_secs(30);

impl ServerClock {
    /// Takes in what the server said just now.
    pub(super) fn heard(&self, server: Timestamp, now: Now) {
        *self.known() = Some(Known { server, at: now });
    }

    /// The server's time, if it is known.
    pub(super) fn now(&self, now: Now) -> Option<Timestamp> {
        let Known { server, at } = (*self.known())?;
        let passed = now.mono.elapsed().saturating_sub(at.mono.elapsed());
        let expected = at.wall.saturating_add(passed).as_millis();
        let apart = Duration::from_millis(expected.abs_diff(now.wall.as_millis()));
        (apart <= TOLERANCE).then(|| server.saturating_add(passed))
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Moment;

    use super::*;

    fn at(wall: u64, mono: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(wall * 1_000),
            mono: Moment::since_origin(Duration::from_secs(mono)),
        }
    }

    #[test]
    fn rsa10k_the_offset_is_kept_while_both_clocks_go_on() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(at(1_000, 0)), None);
        clock.heard(Timestamp::from_millis(5_000_000), at(1_000, 0));
        assert_eq!(clock.now(at(1_000, 0)), Some(Timestamp::from_millis(5_000_000)));
        assert_eq!(clock.now(at(4_600, 3_600)), Some(Timestamp::from_millis(8_600_000)));
        assert_eq!(clock.now(at(4_620, 3_600)), Some(Timestamp::from_millis(8_600_000)), "slewed");
    }

    #[test]
    fn after_a_suspend_or_a_set_clock_it_is_not_known() {
        let clock = ServerClock::default();
        clock.heard(Timestamp::from_millis(5_000_000), at(1_000, 0));
        assert_eq!(clock.now(at(8_000, 60)), None, "slept");
        assert_eq!(clock.now(at(500, 60)), None, "set back");
    }
}
