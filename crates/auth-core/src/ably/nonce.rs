//! The nonce of a token request: what makes it good for one use.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// An unguessable text of 16 to 256 printable ASCII characters (RSA9c), different for each token request.
///
/// This crate draws no randomness: [`from_random`](Self::from_random) takes the bytes of a secure source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// The fewest characters (RSA9c).
    pub const SHORTEST: usize = 16;
    /// The most characters that are read: whoever verifies has to remember each one.
    pub const LONGEST: usize = 256;

    /// A nonce that somebody else chose.
    ///
    /// # Errors
    ///
    /// [`InvalidNonce`] when it is too short, too long, or not printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidNonce> {
        let text = text.into();
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.len()) {
            return Err(InvalidNonce::Length);
        }
        if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(InvalidNonce::Character);
        }
        Ok(Self(text))
    }

    /// A nonce of 32 hexadecimal digits from 16 bytes, which must come from a secure random source.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xf)]);
        Self(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect())
    }

    /// The text, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = InvalidNonce;

    fn from_str(text: &str) -> Result<Self, InvalidNonce> {
        Self::new(text)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text is no nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNonce {
    /// It has fewer than 16 or more than 256 characters.
    #[error("a nonce has 16 to 256 characters")]
    Length,
    /// It has a character that is not printable ASCII.
    #[error("a nonce is printable ASCII")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa9c_fewer_than_sixteen_characters_are_refused() {
        assert_eq!(Nonce::new("012345678901234"), Err(InvalidNonce::Length));
        assert!(Nonce::new("0123456789012345").is_ok());
        assert!(Nonce::new("a".repeat(256)).is_ok());
        assert_eq!(Nonce::new("a".repeat(257)), Err(InvalidNonce::Length));
        assert_eq!(Nonce::new("0123456789\n012345"), Err(InvalidNonce::Character));
    }

    #[test]
    fn random_bytes_become_hexadecimal() {
        assert_eq!(Nonce::from_random([0x0f; 16]).as_str(), "0f".repeat(16));
    }
}
