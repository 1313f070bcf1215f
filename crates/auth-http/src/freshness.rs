//! The seam to time and randomness, for requests that must never be the same twice.

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

/// A name that no other token has (`jti`): 128 random bits.
pub(crate) fn token_id(freshness: &dyn Freshness) -> String {
    let random = freshness.random();
    let (bytes, _) = random.split_at(16);
    URL_SAFE_NO_PAD.encode(bytes)
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
