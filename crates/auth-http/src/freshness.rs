//! The seam to time and randomness, for requests that must never be the same twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use auth_core::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where signed requests have their time and their unique names from. With the feature `manager` there is
/// `SystemFreshness`.
///
/// ```
/// use auth_core::time::Timestamp;
/// use auth_http::freshness::Freshness;
///
/// struct OfATest;
///
/// impl Freshness for OfATest {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_millis(1_700_000_000_000)
///     }
///
///     fn random(&self) -> [u8; 32] {
///         [7; 32] // of a secure source, in earnest
///     }
/// }
/// ```
pub trait Freshness: Send + Sync {
    /// The local time, for when the server's is not known.
    fn now(&self) -> Timestamp;

    /// Bytes of a secure random source.
    fn random(&self) -> [u8; 32];
}

/// Freshness, corrected by what servers said of the time: a machine whose clock is wrong signs nothing that is too old.
#[derive(Clone)]
pub(crate) struct Corrected {
    freshness: Arc<dyn Freshness>,
    /// How far the server's clock is ahead of the local one, in milliseconds.
    ahead: Arc<AtomicI64>,
}

/// Below this, what a reply says of the time is its own age: `Date` has whole seconds.
const SMALLEST_ERROR_MS: i64 = 2_000;
/// No clock that TLS works with is wrong by more.
const LARGEST_ERROR_MS: i64 = 24 * 60 * 60 * 1_000;

impl Corrected {
    pub(crate) fn new(freshness: Arc<dyn Freshness>) -> Self {
        Self { freshness, ahead: Arc::default() }
    }

    /// The server's time: as the caller knows it, else as a reply has told it, else the local one.
    pub(crate) fn now(&self, known: Option<Timestamp>) -> Timestamp {
        known.unwrap_or_else(|| {
            let local = self.freshness.now().as_millis();
            Timestamp::from_millis(local.saturating_add_signed(self.ahead.load(Ordering::Relaxed)))
        })
    }

    /// Takes in what a reply says of the time, be it a success or not.
    pub(crate) fn heard(&self, said: Option<Timestamp>) {
        let Some(said) = said else { return };
        let signed = |time: Timestamp| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let ahead = signed(said).saturating_sub(signed(self.freshness.now()));
        match ahead.saturating_abs() {
            0..SMALLEST_ERROR_MS => self.ahead.store(0, Ordering::Relaxed),
            SMALLEST_ERROR_MS..=LARGEST_ERROR_MS => self.ahead.store(ahead, Ordering::Relaxed),
            _ => {}
        }
    }

    /// A name that no other token has (`jti`): 128 random bits.
    pub(crate) fn token_id(&self) -> String {
        let random = self.freshness.random();
        let (bytes, _) = random.split_at(16);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The clock of the standard library, and the operating system's randomness.
#[cfg(feature = "manager")]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFreshness;

#[cfg(feature = "manager")]
impl Freshness for SystemFreshness {
    fn now(&self) -> Timestamp {
        crate::manager::wall()
    }

    fn random(&self) -> [u8; 32] {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixed;

    #[test]
    fn a_clock_that_is_wrong_is_corrected_by_what_a_server_says() {
        let local = Fixed::new();
        let corrected = Corrected::new(Arc::clone(&local) as _);
        let at = |seconds: u64| Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000);
        assert_eq!(corrected.now(None), at(0));
        for (said, now) in [(300, 300), (100_000, 300), (1, 0), (86_400, 86_400)] {
            corrected.heard(Some(at(said)));
            assert_eq!(corrected.now(None), at(now), "{said}");
        }
        corrected.heard(Some(at(300)));
        corrected.heard(None);
        local.millis.fetch_add(5_000, Ordering::Relaxed);
        assert_eq!(corrected.clone().now(None), at(305), "time goes on");
        assert_eq!(corrected.now(Some(at(7))), at(7), "who knows better is believed");
        corrected.heard(Some(Timestamp::from_millis(1_700_000_000_000 - 295_000)));
        assert_eq!(corrected.now(None).as_millis(), 1_700_000_000_000 - 295_000, "a server may be behind");
    }
}
