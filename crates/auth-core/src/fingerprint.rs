//! A name for a token that gives nothing of it away: a keyed hash, short enough to read.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Secret;
use crate::mac::keyed;

/// The key under which tokens are named. Whoever holds it can tell whether a record speaks of a token they
/// hold too; nobody can turn a name back into a token.
#[derive(Clone)]
pub struct FingerprintKey(Arc<Zeroizing<[u8; 32]>>);

impl FingerprintKey {
    /// A key from 32 bytes, which should come from a secure random source.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Arc::new(Zeroizing::new(key)))
    }

    /// The name of `token` under this key.
    #[must_use]
    pub fn fingerprint(&self, token: &Secret) -> Fingerprint {
        let mut mac: Hmac<Sha256> = keyed(&**self.0);
        mac.update(token.expose().as_bytes());
        let mut name = [0; 8];
        name.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        Fingerprint(name)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FingerprintKey(…)")
    }
}

/// The name of a token: the first 64 bits of its HMAC-SHA-256, displayed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 8]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = (text.len() == 16 && !text.starts_with('+'))
            .then(|| u64::from_str_radix(&text, 16).ok())
            .flatten();
        number
            .map(|number| Self(number.to_be_bytes()))
            .ok_or_else(|| serde::de::Error::custom("a fingerprint is 16 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_fingerprint_is_hmac_sha_256_cut_to_64_bits() {
        // Computed with `openssl dgst -sha256 -mac HMAC`.
        let key = FingerprintKey::new([0x0b; 32]);
        assert_eq!(key.fingerprint(&Secret::from("Hi There")).to_string(), "198a607eb44bfbc6");
    }

    #[test]
    fn another_key_gives_another_name() {
        let token = Secret::from("token");
        let names = [1, 2].map(|byte| FingerprintKey::new([byte; 32]).fingerprint(&token));
        assert_ne!(names[0], names[1]);
    }
}
