//! What is known of the server's clock: what it said, and when.

use core::time::Duration;

use crate::time::{Now, Timestamp};

/// The server's clock, as one of its answers told it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerClock {
    said: Timestamp,
    heard: Now,
}

impl ServerClock {
    pub(super) const fn new(said: Timestamp, heard: Now) -> Self {
        Self { said, heard }
    }

    /// What it says now: the later of what our two clocks make of it, since a token must not be taken for alive because one
    /// of them stood still or was set back.
    pub(super) fn time(&self, now: Now) -> Timestamp {
        let mono = now.mono.elapsed().saturating_sub(self.heard.mono.elapsed());
        self.said.saturating_add(mono.max(now.wall.saturating_since(self.heard.wall)))
    }

    /// How far it was ahead of the wall clock when it was heard, in milliseconds.
    pub(super) fn offset_ms(&self) -> i64 {
        let ahead = self.said.saturating_since(self.heard.wall);
        let behind = self.heard.wall.saturating_since(self.said);
        signed(ahead) - signed(behind)
    }
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;

    fn at(wall_s: u64, mono_s: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(wall_s * 1_000),
            mono: Moment::since_origin(Duration::from_secs(mono_s)),
        }
    }

    #[test]
    fn the_servers_time_goes_on_by_whichever_clock_went_further() {
        let clock = ServerClock::new(Timestamp::from_millis(1_300_000), at(1_000, 0));
        assert_eq!(clock.offset_ms(), 300_000);
        assert_eq!(clock.time(at(1_010, 10)).as_secs(), 1_310);
        assert_eq!(clock.time(at(4_600, 10)).as_secs(), 4_900, "a suspend");
        assert_eq!(clock.time(at(0, 10)).as_secs(), 1_310, "the wall clock was set back");
    }

    #[test]
    fn a_server_may_be_behind() {
        assert_eq!(ServerClock::new(Timestamp::from_millis(700_000), at(1_000, 0)).offset_ms(), -300_000);
    }
}
