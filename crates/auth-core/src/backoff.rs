//! Waiting between attempts: exponential, capped, and jittered after the cap so that a fleet spreads out.

use core::time::Duration;

/// Exponential backoff with full jitter.
///
/// The delay after `n` failures is uniform between [`floor`](Self::with_floor) and `min(cap, base × 2ⁿ)`. The
/// jitter is drawn after the cap: a client that clamps last makes a whole fleet retry at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    floor: Duration,
}

impl Backoff {
    /// A backoff whose first delay is at most `base` and whose longest is at most `cap`, with a floor of a
    /// tenth of `base`. Both are raised to 1 ms: a backoff of nothing is a tight loop.
    #[must_use]
    pub const fn new(base: Duration, cap: Duration) -> Self {
        let (base, cap) = (at_least_a_millisecond(base), at_least_a_millisecond(cap));
        Self { base, cap, floor: Duration::from_nanos(base.as_nanos() as u64 / 10) }
    }

    /// The shortest delay there is; zero would allow a tight loop, so it is raised to 1 ms.
    #[must_use]
    pub fn with_floor(self, floor: Duration) -> Self {
        Self { floor: floor.max(Duration::from_millis(1)), ..self }
    }

    /// The delay after `failures` consecutive failures, counting from zero for the first.
    pub fn delay(&self, failures: u32, jitter: &mut Jitter) -> Duration {
        let longest = self.longest(failures);
        jitter.between(self.floor.min(longest), longest)
    }

    /// The longest that [`delay`](Self::delay) can be: for whoever is alone, and need not be spread out.
    #[must_use]
    pub fn longest(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// A delay between half and all of what has grown: where it bounds a rate, so that no draw undercuts the bound.
    pub fn pause(&self, failures: u32, jitter: &mut Jitter) -> Duration {
        let longest = self.longest(failures);
        jitter.between(longest / 2, longest)
    }

    /// As [`pause`](Self::pause), and never shorter than the server's `advice`, see [`delay_after`](Self::delay_after).
    pub fn pause_after(&self, advice: Duration, failures: u32, jitter: &mut Jitter) -> Duration {
        spread_above(self.pause(failures, jitter), advice, jitter)
    }

    /// The delay when the server named one itself: never shorter than `advice` (bounded by
    /// [`LONGEST_ADVICE`]), and spread upwards by up to a tenth of it, at most 5 s.
    pub fn delay_after(&self, advice: Duration, failures: u32, jitter: &mut Jitter) -> Duration {
        spread_above(self.delay(failures, jitter), advice, jitter)
    }
}

fn spread_above(delay: Duration, advice: Duration, jitter: &mut Jitter) -> Duration {
    let advice = advice.min(LONGEST_ADVICE);
    let spread = (advice / 10).min(Duration::from_secs(5));
    delay.max(advice).saturating_add(jitter.between(Duration::ZERO, spread))
}

const fn at_least_a_millisecond(duration: Duration) -> Duration {
    if duration.as_nanos() < 1_000_000 { Duration::from_millis(1) } else { duration }
}

/// The longest wait that a server's `Retry-After` may impose: five minutes.
///
/// A larger value is as often a mistake as a wish, and a client that obeys it is down until somebody looks.
pub const LONGEST_ADVICE: Duration = Duration::from_secs(300);

/// A small deterministic generator for jitter, seeded by the driver.
///
/// It is SplitMix64: enough to spread a fleet, and of no use for secrets.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// The generator that `seed` determines. Equal seeds give equal delays, which is what simulations need.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A duration drawn uniformly from `low` to `high`, in nanoseconds; `low` when the range is empty.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX - 1);
        // Multiply and keep the high half: unbiased enough for jitter, and without a division.
        let offset = (u128::from(self.next()) * (u128::from(span) + 1)) >> 64;
        low + Duration::from_nanos(offset as u64)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

    #[test]
    fn delays_stay_between_the_floor_and_the_cap() {
        let mut jitter = Jitter::seeded(1);
        for failures in [0, 1, 5, 6, 31, 32, u32::MAX] {
            for _ in 0..1_000 {
                let delay = BACKOFF.delay(failures, &mut jitter);
                assert!(delay >= Duration::from_millis(50), "{failures}: {delay:?}");
                assert!(delay <= Duration::from_secs(30), "{failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn a_backoff_of_nothing_is_no_tight_loop() {
        let nothing = Backoff::new(Duration::ZERO, Duration::ZERO).with_floor(Duration::ZERO);
        assert!(nothing.delay(5, &mut Jitter::seeded(1)) >= Duration::from_millis(1));
    }

    #[test]
    fn jitter_survives_the_cap() {
        let delays: BTreeSet<_> =
            (0..1_000).map(|seed| BACKOFF.delay(20, &mut Jitter::seeded(seed))).collect();
        assert!(delays.len() > 990, "a fleet at the cap must not retry in step");
        let (shortest, longest) = (delays.first().unwrap(), delays.last().unwrap());
        assert!(*longest - *shortest > Duration::from_secs(27));
    }

    #[test]
    fn a_servers_advice_is_a_lower_bound_with_a_limit() {
        let mut jitter = Jitter::seeded(3);
        for _ in 0..1_000 {
            let delay = BACKOFF.delay_after(Duration::from_secs(60), 0, &mut jitter);
            assert!(delay >= Duration::from_secs(60) && delay <= Duration::from_secs(65));
            let delay = BACKOFF.delay_after(Duration::from_secs(1_000_000_000), 0, &mut jitter);
            assert!(delay >= LONGEST_ADVICE && delay <= LONGEST_ADVICE + Duration::from_secs(5));
        }
    }

    #[test]
    fn a_pause_is_never_shorter_than_half_of_what_has_grown() {
        let mut jitter = Jitter::seeded(4);
        for failures in [0, 3, 40] {
            for _ in 0..1_000 {
                let pause = BACKOFF.pause(failures, &mut jitter);
                let longest = BACKOFF.longest(failures);
                assert!(pause >= longest / 2 && pause <= longest, "{failures}: {pause:?}");
            }
        }
        assert!(BACKOFF.pause_after(Duration::from_secs(60), 0, &mut jitter) >= Duration::from_secs(60));
    }

    #[test]
    fn equal_seeds_give_equal_delays() {
        let delays = |seed| {
            let mut jitter = Jitter::seeded(seed);
            (0..8).map(|failures| BACKOFF.delay(failures, &mut jitter)).collect::<Vec<_>>()
        };
        assert_eq!(delays(9), delays(9));
        assert_ne!(delays(9), delays(10));
    }
}
