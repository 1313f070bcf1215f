//! The keys of signed notes, in the text forms that golang.org/x/mod/sumdb/note gave them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use auth_core::Secret;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, Signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Why a text or a name makes no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The name is empty, or has a space, a plus sign or a control character.
    #[error(
        "the name of a key must not be empty, and may have neither spaces nor plus signs nor control characters"
    )]
    Name,
    /// The text has not the form of a verifier key.
    #[error("a verifier key has the form name+8 hexadecimal digits+base64")]
    VerifierForm,
    /// The text has not the form of a signing key.
    #[error("a signing key has the form PRIVATE+KEY+name+8 hexadecimal digits+base64")]
    SigningForm,
    /// It is a key of another kind than Ed25519.
    #[error("the key is not of the kind Ed25519, the only one that signs audit logs")]
    Kind,
    /// The number in the text is not that of the key: something was mistyped or cut off.
    #[error("the key's number does not match the key; copy it again, from beginning to end")]
    Number,
}

/// The kind of key that is Ed25519, as the first byte of what is encoded.
const ED25519: u8 = 1;

/// The key that signs checkpoints: Ed25519, with a name. Its `Debug` does not show it.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    text: Secret,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key named `name` that is made from 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        let seed = Zeroizing::new(seed);
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::SigningForm)?;
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| KeyError::SigningForm)?;
        let verifier = VerifierKey::new(name, public_key);
        let mut bytes = Zeroizing::new([ED25519; 33]);
        bytes[1..].copy_from_slice(&*seed);
        let encoded = Zeroizing::new(STANDARD.encode(*bytes));
        let text = Secret::from(format!("{PRIVATE}{name}+{:08x}+{}", verifier.id, *encoded));
        Ok(Self { pair: Arc::new(pair), text, verifier })
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// The form that [`FromStr`] reads, for the one file that keeps it.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        self.text.clone()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    pub(super) const fn id(&self) -> u32 {
        self.verifier.id
    }

    pub(super) fn signature(&self, text: &[u8]) -> Signature {
        self.pair.sign(text)
    }
}

const PRIVATE: &str = "PRIVATE+KEY+";

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix(PRIVATE).ok_or(KeyError::SigningForm)?;
        let (name, number, seed) = parse(text).map_err(|error| error.of(KeyError::SigningForm))?;
        let key = Self::from_seed(name, *seed)?;
        if key.id() == number { Ok(key) } else { Err(KeyError::Number) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: _, text: _, verifier } = self;
        write!(formatter, "SigningKey({}+{:08x}+…)", verifier.name, verifier.id)
    }
}

/// The key that verifies checkpoints: public. Its text form is that of [`Display`](fmt::Display).
///
/// ```
/// use audit::checkpoint::VerifierKey;
///
/// let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// let key = text.parse::<VerifierKey>()?;
/// assert_eq!((key.name(), key.to_string()), ("PeterNeumann", text.to_owned()));
/// # Ok::<(), audit::checkpoint::KeyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: Box<str>,
    id: u32,
    public_key: [u8; 32],
}

impl VerifierKey {
    fn new(name: &str, public_key: [u8; 32]) -> Self {
        let named = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]);
        let digest: [u8; 32] = named.chain_update(public_key).finalize().into();
        let [first, second, third, fourth, ..] = digest;
        Self { name: name.into(), id: u32::from_be_bytes([first, second, third, fourth]), public_key }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number: which of several keys of one name it is.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    pub(super) const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, number, public_key) = parse(text).map_err(|error| error.of(KeyError::VerifierForm))?;
        let key = Self::new(name, *public_key);
        if key.id == number { Ok(key) } else { Err(KeyError::Number) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [ED25519; 33];
        key[1..].copy_from_slice(&self.public_key);
        write!(formatter, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

/// Whether a key may be named so: C2SP signed-note, and no control characters, which no note may have.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| !char.is_whitespace() && char != '+' && !char.is_control())
}

/// What is wrong with either kind of text.
enum Wrong {
    Form,
    Error(KeyError),
}

impl Wrong {
    fn of(self, form: KeyError) -> KeyError {
        match self {
            Self::Form => form,
            Self::Error(error) => error,
        }
    }
}

/// Reads `name+number+base64`: the name, the number and the 32 bytes of a key.
fn parse(text: &str) -> Result<(&str, u32, Zeroizing<[u8; 32]>), Wrong> {
    // Base64 may have plus signs, a name has none.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(digits), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Wrong::Form);
    };
    let number = u32::from_str_radix(digits, 16).map_err(|_| Wrong::Form)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| Wrong::Form)?);
    if format!("{number:08x}") != digits {
        return Err(Wrong::Form);
    }
    if !is_name(name) {
        return Err(Wrong::Error(KeyError::Name));
    }
    match key.split_first() {
        Some((&ED25519, bytes)) => {
            let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| Wrong::Form)?;
            Ok((name, number, Zeroizing::new(bytes)))
        }
        _ => Err(Wrong::Error(KeyError::Kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    /// Each part of `text`, and `text` with each byte one greater.
    fn mangled(text: &str) -> Vec<String> {
        let parts = (0..text.len()).flat_map(|from| (from + 1..=text.len()).map(move |to| from..to));
        let parts = parts.filter(|part| part.len() < text.len()).map(|part| text[part].to_owned());
        let changed = (0..text.len()).map(|position| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[position] += 1;
            String::from_utf8(bytes).unwrap()
        });
        parts.chain(changed).collect()
    }

    #[test]
    fn a_mangled_verifier_key_is_refused() {
        assert!(PUBLIC.parse::<VerifierKey>().is_ok(), "the control");
        for text in mangled(PUBLIC) {
            assert!(text.parse::<VerifierKey>().is_err(), "{text}");
        }
        // Of a wrong length, and of an unknown kind, each with the number that goes with it; from the tests of Go.
        let long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
        let unknown = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(long.parse::<VerifierKey>(), Err(KeyError::VerifierForm));
        assert_eq!(unknown.parse::<VerifierKey>(), Err(KeyError::Kind));
    }

    #[test]
    fn a_mangled_signing_key_is_refused() {
        assert!(PRIVATE.parse::<SigningKey>().is_ok(), "the control");
        for text in mangled(PRIVATE) {
            assert!(text.parse::<SigningKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_that_would_break_a_note_is_refused() {
        for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b", "a\u{7f}"] {
            assert_eq!(SigningKey::from_seed(name, [1; 32]).err(), Some(KeyError::Name), "{name:?}");
        }
        assert!(SigningKey::from_seed("audit.example.com/log", [1; 32]).is_ok(), "the control");
    }

    #[test]
    fn no_way_of_formatting_shows_a_signing_key() {
        let key = PRIVATE.parse::<SigningKey>().unwrap();
        for text in [format!("{key:?}"), format!("{key:#?}"), format!("{:?}", Some(&key))] {
            assert_eq!(text.matches("SigningKey(PeterNeumann+c74f20a3+…)").count(), 1, "{text}");
            assert!(!text.contains("AYEK") && !text.contains("129"), "{text}");
        }
    }
}
