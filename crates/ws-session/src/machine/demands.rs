//! A server's wish for a fresh credential: followed at once where the last has served for a while, and with growing pauses where it is fresh.
//!
//! Each costs a token, and a server may have it once a second for ever. Whatever it says, it gets at most 400 an hour.

use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::backoff::{Backoff, Jitter};
use auth_core::observe::DelayReason;
use auth_core::time::{Moment, Now};

use super::Session;
use super::phase::Renewal;
use super::timers::Timer;

/// How long a credential is fresh: half of what it had left when it was accepted, within these. The longest is the longest pause too, so
/// that one whose lifetime nobody states, as short as twice that, is renewed in time however often it is asked for.
const FRESH: Duration = Duration::from_secs(15);
const LEAST: Duration = Duration::from_secs(1);

/// From a credential to the one that is asked for while it is fresh: half to all of a second at first. What the settings say of other waits
/// changes nothing here, so that no setting makes a loop.
const PAUSES: Backoff = Backoff::new(LEAST, FRESH);

/// After so long without a wish that came too soon, those before are forgotten.
const QUIET: Duration = Duration::from_secs(120);

/// The wishes that came too soon. They outlive the connection: a new one must not make them forgotten.
#[derive(Debug, Default)]
pub(super) struct Demands {
    hasty: u32,
    /// When the last of them came.
    last: Option<Moment>,
}

impl Demands {
    /// How old a fresh credential must become for the wish that comes now.
    fn pause(&mut self, now: Now, jitter: &mut Jitter) -> Duration {
        let quiet = |last: Moment| now.mono.elapsed().saturating_sub(last.elapsed()) >= QUIET;
        if self.last.replace(now.mono).is_none_or(quiet) {
            self.hasty = 0;
        }
        let pause = PAUSES.pause(self.hasty, jitter);
        self.hasty = self.hasty.saturating_add(1);
        pause
    }
}

impl Session {
    /// The server wants a fresh credential.
    pub(super) fn asked_to_renew(&mut self, now: Now) {
        let Some(live) = &mut self.live else { return };
        // What is under way, or failed and waits, comes when it comes.
        if !matches!(live.renewal, Renewal::Scheduled { .. }) || live.failures > 0 {
            return;
        }
        let age = now.mono.elapsed().saturating_sub(live.credential_since.mono.elapsed());
        let life = live.held.valid_for(now).map(|left| left.saturating_add(age));
        let fresh = life.map_or(FRESH, |life| (life / 2).clamp(LEAST, FRESH));
        if age >= fresh {
            return self.renewal_due(now);
        }
        // However often it says so, the wish that waits is one.
        if std::mem::replace(&mut live.asked, true) {
            return;
        }
        let wait = self.demands.pause(now, &mut self.jitter).min(fresh).saturating_sub(age);
        if wait.is_zero() {
            return self.renewal_due(now);
        }
        let due = now.timer(wait);
        let due = self.timers.get(Timer::Renew).map_or(due, |planned| planned.earlier(due, now));
        self.timers.set(Timer::Renew, Some(due));
        let (retry_in, valid_for) = (due.remaining(now), live.held.valid_for(now));
        // A moment is nothing to tell of.
        if retry_in > LEAST {
            let reason = DelayReason::TooSoon;
            let event = AuthEvent::RenewalDelayed { reason, retry_in, valid_for };
            self.outputs.push_back(super::Output::Event(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Timestamp;

    use super::*;

    fn at(seconds: u64) -> Now {
        let elapsed = Duration::from_secs(seconds);
        Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
    }

    #[test]
    fn pauses_grow_and_are_short_again_after_a_quiet_time() {
        let (mut demands, mut jitter) = (Demands::default(), Jitter::seeded(1));
        let mut now = 0;
        for longest in [1, 2, 4, 8, 15, 15, 15] {
            let pause = demands.pause(at(now), &mut jitter);
            let longest = Duration::from_secs(longest);
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
            now += 119;
        }
        assert!(demands.pause(at(now - 119 + 120), &mut jitter) <= LEAST);
    }

    #[test]
    fn equal_seeds_pause_equally() {
        let pauses = |seed| {
            let (mut demands, mut jitter) = (Demands::default(), Jitter::seeded(seed));
            (0..6).map(|second| demands.pause(at(second), &mut jitter)).collect::<Vec<_>>()
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }
}
