//! A name for a token that gives nothing of it away: a keyed hash, short enough to read.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

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

impl FromStr for FingerprintKey {
    type Err = InvalidFingerprintKey;

    /// Reads 64 hexadecimal digits, such as `openssl rand -hex 32` prints.
    ///
    /// ```
    /// use auth_core::Secret;
    /// use auth_core::fingerprint::FingerprintKey;
    ///
    /// let key: FingerprintKey = "0b".repeat(32).parse()?;
    /// assert_eq!(key.fingerprint(&Secret::from("Hi There")).to_string(), "198a607eb44bfbc6");
    /// # Ok::<(), auth_core::fingerprint::InvalidFingerprintKey>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, InvalidFingerprintKey> {
        // Decoded in its place, so that no copy is left that nobody wipes.
        let mut key = Arc::new(Zeroizing::new([0; 32]));
        let bytes = Arc::make_mut(&mut key);
        if text.len() != 2 * bytes.len() {
            return Err(InvalidFingerprintKey);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            for digit in digits {
                let digit = char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                *byte = *byte << 4 | digit.ok_or(InvalidFingerprintKey)?;
            }
        }
        Ok(Self(key))
    }
}

/// A text that is no fingerprint key. It says nothing of the text, which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidFingerprintKey;

impl fmt::Display for InvalidFingerprintKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a fingerprint key is 64 hexadecimal digits, such as openssl rand -hex 32 prints")
    }
}

impl core::error::Error for InvalidFingerprintKey {}

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

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_nothing_else() {
        let token = Secret::from("token");
        let upper: FingerprintKey = "0123456789ABCDEF".repeat(4).parse().unwrap();
        let lower: FingerprintKey = "0123456789abcdef".repeat(4).parse().unwrap();
        let mut bytes = [0; 32];
        let eight = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&eight));
        let expected = FingerprintKey::new(bytes).fingerprint(&token);
        assert_eq!([upper.fingerprint(&token), lower.fingerprint(&token)], [expected; 2]);
        for bad in ["".into(), "0b".repeat(31), "0b".repeat(31) + "0", "zz".repeat(32), "0b".repeat(33)] {
            assert_eq!(bad.parse::<FingerprintKey>().unwrap_err(), InvalidFingerprintKey, "{bad}");
        }
        let wide = "é".repeat(32);
        assert!(wide.len() == 64 && wide.parse::<FingerprintKey>().is_err());
    }
}
