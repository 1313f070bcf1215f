//! How often a client may ask for a token: a bucket that refills at a steady rate.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use auth_core::time::{Moment, Now};

/// A rate limit: one request each `interval`, and up to `burst` at once after a quiet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    interval: Duration,
    burst: u32,
    starts_empty: bool,
}

impl RateLimit {
    /// A limit of one request each `interval` with bursts of up to `burst`, at least one.
    #[must_use]
    pub const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst: if burst == 0 { 1 } else { burst }, starts_empty: false }
    }

    /// Lets nobody in before one interval has passed: a gateway that was restarted is spared the rush of clients
    /// that lost their connections together.
    #[must_use]
    pub const fn starting_empty(self) -> Self {
        Self { starts_empty: true, ..self }
    }
}

/// The bucket of one client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throttle {
    limit: RateLimit,
    /// When the bucket would have been full, had it never been drawn from: moves ahead with each request.
    full_at: Moment,
}

impl Throttle {
    pub(crate) fn new(limit: RateLimit, now: Now) -> Self {
        let empty_for =
            if limit.starts_empty { limit.interval.saturating_mul(limit.burst) } else { Duration::ZERO };
        Self { limit, full_at: Moment::since_origin(now.mono.elapsed().saturating_add(empty_for)) }
    }

    /// Whether nothing has been drawn from it for long enough that it is as good as new.
    pub(crate) fn is_full(&self, now: Now) -> bool {
        self.full_at <= now.mono
    }

    /// Takes one request out of the bucket, or says how long to wait for it.
    pub(crate) fn admit(&mut self, now: Now) -> Result<(), Duration> {
        let full_at = self.full_at.elapsed().max(now.mono.elapsed()).saturating_add(self.limit.interval);
        let depth = self.limit.interval.saturating_mul(self.limit.burst);
        let wait = full_at.saturating_sub(now.mono.elapsed()).saturating_sub(depth);
        if wait.is_zero() {
            self.full_at = Moment::since_origin(full_at);
            Ok(())
        } else {
            Err(wait)
        }
    }
}

/// A bucket for each of those whom the gateway knows.
#[derive(Debug)]
pub(crate) struct Throttles<Name> {
    fresh: Throttle,
    by_name: HashMap<Name, Throttle>,
}

impl<Name: Eq + Hash> Throttles<Name> {
    pub(crate) fn new(limit: RateLimit, now: Now) -> Self {
        Self { fresh: Throttle::new(limit, now), by_name: HashMap::new() }
    }

    /// Takes one request out of a bucket. A name must be one that is configured: each costs memory.
    pub(crate) fn admit(&mut self, now: Now, name: Name) -> Result<(), Duration> {
        self.by_name.entry(name).or_insert(self.fresh).admit(now)
    }
}

/// Buckets for names that strangers choose: as many as there are, however many names. Now and then two names share one, and
/// nobody can tell beforehand which.
#[derive(Debug)]
pub(crate) struct HashedThrottles {
    buckets: Vec<Throttle>,
    secret: RandomState,
}

/// How many buckets there are for the names of strangers.
const BUCKETS: usize = 4_096;

impl HashedThrottles {
    pub(crate) fn new(limit: RateLimit, now: Now) -> Self {
        Self { buckets: vec![Throttle::new(limit, now); BUCKETS], secret: RandomState::new() }
    }

    /// Takes one request out of the bucket of a name.
    pub(crate) fn admit(&mut self, now: Now, name: &str) -> Result<(), Duration> {
        let hash = usize::try_from(self.secret.hash_one(name) % BUCKETS as u64).unwrap_or_default();
        self.buckets.get_mut(hash).map_or(Ok(()), |bucket| bucket.admit(now))
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Timestamp;

    use super::*;

    fn at(millis: u64) -> Now {
        Now { wall: Timestamp::from_millis(0), mono: Moment::since_origin(Duration::from_millis(millis)) }
    }

    #[test]
    fn a_burst_is_admitted_and_then_one_each_interval() {
        let mut throttle = Throttle::new(RateLimit::new(Duration::from_secs(1), 3), at(0));
        for _ in 0..3 {
            assert_eq!(throttle.admit(at(0)), Ok(()));
        }
        assert_eq!(throttle.admit(at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.admit(at(400)), Err(Duration::from_millis(600)));
        assert_eq!(throttle.admit(at(1_000)), Ok(()));
        assert_eq!(throttle.admit(at(1_000)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn an_empty_start_lets_nobody_in_for_one_interval() {
        let limit = RateLimit::new(Duration::from_secs(1), 5).starting_empty();
        let mut throttle = Throttle::new(limit, at(0));
        assert_eq!(throttle.admit(at(5)), Err(Duration::from_millis(995)));
        assert_eq!(throttle.admit(at(1_000)), Ok(()));
    }

    #[test]
    fn names_that_strangers_choose_have_a_bucket_each_and_cost_no_memory() {
        let mut throttles = HashedThrottles::new(RateLimit::new(Duration::from_secs(1), 1), at(0));
        assert_eq!(throttles.admit(at(0), "alice"), Ok(()));
        assert_eq!(throttles.admit(at(0), "alice"), Err(Duration::from_secs(1)));
        let others = (0..1_000).filter(|number| throttles.admit(at(0), &number.to_string()).is_ok()).count();
        assert!(others > 500, "{others}");
        assert_eq!(throttles.buckets.len(), BUCKETS);
    }

    #[test]
    fn a_quiet_time_fills_the_bucket_no_further_than_the_burst() {
        let mut throttle = Throttle::new(RateLimit::new(Duration::from_secs(1), 2), at(0));
        let admitted = (0..10).filter(|_| throttle.admit(at(3_600_000)).is_ok()).count();
        assert_eq!(admitted, 2);
    }
}
