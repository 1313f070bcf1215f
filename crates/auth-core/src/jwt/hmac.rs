//! HMAC keys for HS256, HS384 and HS512 (RFC 7518 §3.2): they verify, and they mint.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{Algorithm, Draft, VerifySignature};
use crate::Secret;

/// A symmetric key for one algorithm.
#[derive(Clone)]
pub struct HmacKey {
    algorithm: HmacAlgorithm,
    bytes: Arc<Zeroizing<Vec<u8>>>,
    key_id: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HmacAlgorithm {
    Hs256,
    Hs384,
    Hs512,
}

impl HmacKey {
    /// A key for HS256 from at least 32 bytes, which should come from a secure random source.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer bytes than the hash has (RFC 7518 §3.2).
    pub fn hs256(bytes: &[u8]) -> Result<Self, WeakKey> {
        Self::strong(HmacAlgorithm::Hs256, bytes)
    }

    /// A key for HS384 from at least 48 bytes.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer.
    pub fn hs384(bytes: &[u8]) -> Result<Self, WeakKey> {
        Self::strong(HmacAlgorithm::Hs384, bytes)
    }

    /// A key for HS512 from at least 64 bytes.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer.
    pub fn hs512(bytes: &[u8]) -> Result<Self, WeakKey> {
        Self::strong(HmacAlgorithm::Hs512, bytes)
    }

    /// A key for HS256 of any length: Ably chooses the secrets of its keys, and signs JWTs with their text.
    pub(crate) fn of_any_length(bytes: &[u8]) -> Self {
        Self::new(HmacAlgorithm::Hs256, bytes)
    }

    /// The same key under a name, which stands in the header of what it mints.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Arc<str>>) -> Self {
        Self { key_id: Some(key_id.into()), ..self }
    }

    /// The algorithm that it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm.public()
    }

    /// Its name.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Mints a token: signs the claims of `draft`.
    #[must_use]
    pub fn mint(&self, draft: &Draft) -> Secret {
        let mut token = String::with_capacity(512);
        URL_SAFE_NO_PAD.encode_string(draft.header(self.algorithm(), self.key_id()), &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(draft.payload(), &mut token);
        let signature = self.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Secret::from(token)
    }

    fn strong(algorithm: HmacAlgorithm, bytes: &[u8]) -> Result<Self, WeakKey> {
        if bytes.len() < algorithm.hash_length() {
            return Err(WeakKey { needed: algorithm.hash_length() });
        }
        Ok(Self::new(algorithm, bytes))
    }

    fn new(algorithm: HmacAlgorithm, bytes: &[u8]) -> Self {
        Self { algorithm, bytes: Arc::new(Zeroizing::new(bytes.to_vec())), key_id: None }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        mac_of(self.algorithm(), &self.bytes, message)
    }
}

impl VerifySignature for HmacKey {
    /// Compares in constant time.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            _ if algorithm != self.algorithm() => return false,
            HmacAlgorithm::Hs256 => mac::<Hmac<Sha256>>(&self.bytes, message).verify_slice(signature),
            HmacAlgorithm::Hs384 => mac::<Hmac<Sha384>>(&self.bytes, message).verify_slice(signature),
            HmacAlgorithm::Hs512 => mac::<Hmac<Sha512>>(&self.bytes, message).verify_slice(signature),
        };
        verified.is_ok()
    }
}

/// The MAC of a message; none for an algorithm that is no HMAC.
pub(super) fn mac_of(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Hs256 => mac::<Hmac<Sha256>>(key, message).finalize().into_bytes().to_vec(),
        Algorithm::Hs384 => mac::<Hmac<Sha384>>(key, message).finalize().into_bytes().to_vec(),
        Algorithm::Hs512 => mac::<Hmac<Sha512>>(key, message).finalize().into_bytes().to_vec(),
        _ => Vec::new(),
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac<M: hmac::Mac + hmac::KeyInit>(key: &[u8], message: &[u8]) -> M {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac
}

impl HmacAlgorithm {
    const fn public(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::Hs256,
            Self::Hs384 => Algorithm::Hs384,
            Self::Hs512 => Algorithm::Hs512,
        }
    }

    const fn hash_length(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
        }
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, bytes: _, key_id } = self;
        formatter
            .debug_struct("HmacKey")
            .field("algorithm", algorithm)
            .field("key_id", key_id)
            .finish_non_exhaustive()
    }
}

/// A key shorter than the hash it is used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key needs at least {needed} random bytes for this algorithm (RFC 7518 §3.2)")]
#[non_exhaustive]
pub struct WeakKey {
    /// How many bytes it needs.
    pub needed: usize,
}
