//! HMAC keys for HS256, HS384 and HS512 (RFC 7518 §3.2): they verify, and they mint.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

use super::signing::append_signature;
use super::{Algorithm, Draft, VerifySignature};
use crate::Secret;
use crate::mac::keyed;

/// A symmetric key for one algorithm.
#[derive(Clone)]
pub struct HmacKey {
    keyed: Arc<Keyed>,
    key_id: Option<Arc<str>>,
}

/// The hash with the key already in it, wiped when dropped: each use begins with a copy, and saves the two blocks that
/// the key takes.
enum Keyed {
    Hs256(Hmac<Sha256>),
    Hs384(Hmac<Sha384>),
    Hs512(Hmac<Sha512>),
}

impl HmacKey {
    /// A key for HS256 from at least 32 bytes, which should come from a secure random source.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer bytes than the hash has (RFC 7518 §3.2).
    pub fn hs256(bytes: &[u8]) -> Result<Self, WeakKey> {
        Self::strong(32, bytes, |bytes| Keyed::Hs256(keyed(bytes)))
    }

    /// A key for HS384 from at least 48 bytes.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer.
    pub fn hs384(bytes: &[u8]) -> Result<Self, WeakKey> {
        Self::strong(48, bytes, |bytes| Keyed::Hs384(keyed(bytes)))
    }

    /// A key for HS512 from at least 64 bytes.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer.
    pub fn hs512(bytes: &[u8]) -> Result<Self, WeakKey> {
        Self::strong(64, bytes, |bytes| Keyed::Hs512(keyed(bytes)))
    }

    /// A key for HS256 whose secret, of whatever length, is in the hash already: Ably chooses the secrets of its keys, and
    /// signs JWTs with their text.
    pub(crate) fn of_keyed(keyed: Hmac<Sha256>) -> Self {
        Self::new(Keyed::Hs256(keyed))
    }

    /// The same key under a name, which stands in the header of what it mints.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Arc<str>>) -> Self {
        Self { key_id: Some(key_id.into()), ..self }
    }

    /// The algorithm that it is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match &*self.keyed {
            Keyed::Hs256(_) => Algorithm::Hs256,
            Keyed::Hs384(_) => Algorithm::Hs384,
            Keyed::Hs512(_) => Algorithm::Hs512,
        }
    }

    /// Its name.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Mints a token: signs the claims of `draft`.
    #[must_use]
    pub fn mint(&self, draft: &Draft) -> Secret {
        let mut token = draft.signing_input(self.algorithm(), self.key_id());
        let signature = self.sign(token.as_bytes());
        append_signature(&mut token, &signature);
        Secret::from(token)
    }

    fn strong(needed: usize, bytes: &[u8], keyed: fn(&[u8]) -> Keyed) -> Result<Self, WeakKey> {
        if bytes.len() < needed { Err(WeakKey { needed }) } else { Ok(Self::new(keyed(bytes))) }
    }

    fn new(keyed: Keyed) -> Self {
        Self { keyed: Arc::new(keyed), key_id: None }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &*self.keyed {
            Keyed::Hs256(mac) => mac.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Keyed::Hs384(mac) => mac.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Keyed::Hs512(mac) => mac.clone().chain_update(message).finalize().into_bytes().to_vec(),
        }
    }
}

impl VerifySignature for HmacKey {
    /// Compares in constant time.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match (&*self.keyed, algorithm) {
            (Keyed::Hs256(mac), Algorithm::Hs256) => {
                mac.clone().chain_update(message).verify_slice(signature)
            }
            (Keyed::Hs384(mac), Algorithm::Hs384) => {
                mac.clone().chain_update(message).verify_slice(signature)
            }
            (Keyed::Hs512(mac), Algorithm::Hs512) => {
                mac.clone().chain_update(message).verify_slice(signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keyed: _, key_id } = self;
        formatter
            .debug_struct("HmacKey")
            .field("algorithm", &self.algorithm())
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
