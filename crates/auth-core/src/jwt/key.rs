//! What a key is to a verifier: a name, the algorithms that it may be used with, and the primitive that checks a signature.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{Algorithm, HmacKey};

/// Checks signatures under one key. Implement it to bring your own cryptography, such as a browser's.
pub trait VerifySignature: Send + Sync {
    /// Whether `signature` is the one of `message` under this key and `algorithm`, which is one that the key is for. Must
    /// not panic, whatever the signature is.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool;
}

/// Makes verifiers of public keys. Without one ([`SymmetricOnly`]) a set has HMAC keys only; the feature `asymmetric` has
/// one ([`Asymmetric`](super::Asymmetric)).
pub trait SignatureBackend {
    /// A verifier under this key, whose numbers have the right sizes.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Unsupported`] when there is no such primitive here, [`InvalidKey::Point`] when the numbers are known
    /// to be no point of the curve.
    fn load(&self, key: &PublicKey) -> Result<Arc<dyn VerifySignature>, InvalidKey>;
}

/// The backend that has no public keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct SymmetricOnly;

impl SignatureBackend for SymmetricOnly {
    fn load(&self, _key: &PublicKey) -> Result<Arc<dyn VerifySignature>, InvalidKey> {
        Err(InvalidKey::Unsupported)
    }
}

/// A public key, as its JWK states it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// Modulus and exponent, big-endian, without leading zeros; 2048 to 8192 bits, an odd exponent of at least 65537.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The exponent.
        exponent: Vec<u8>,
    },
    /// A point of P-256: two numbers of 32 bytes, big-endian.
    P256 {
        /// The first coordinate.
        x: Vec<u8>,
        /// The second coordinate.
        y: Vec<u8>,
    },
    /// A point of P-384: two numbers of 48 bytes, big-endian.
    P384 {
        /// The first coordinate.
        x: Vec<u8>,
        /// The second coordinate.
        y: Vec<u8>,
    },
    /// A point of Ed25519, encoded in 32 bytes (RFC 8032 §5.1.2).
    Ed25519 {
        /// The point.
        x: Vec<u8>,
    },
}

/// A key that a verifier uses.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) key_id: Option<Arc<str>>,
    pub(super) algorithms: Vec<Algorithm>,
    /// For RSA, where the algorithm does not decide it.
    pub(super) signature_length: Option<usize>,
    pub(super) symmetric: bool,
    pub(super) primitive: Arc<dyn VerifySignature>,
}

impl Key {
    /// One secret, as the key of each of these algorithms that it is long enough for.
    pub(super) fn of_secret(
        secret: &[u8],
        algorithms: &[Algorithm],
        key_id: Option<Arc<str>>,
    ) -> Result<Self, InvalidKey> {
        let strong = |algorithm: &Algorithm| match algorithm {
            Algorithm::Hs256 => HmacKey::hs256(secret).ok(),
            Algorithm::Hs384 => HmacKey::hs384(secret).ok(),
            Algorithm::Hs512 => HmacKey::hs512(secret).ok(),
            _ => None,
        };
        let keys = SharedSecret(algorithms.iter().filter_map(strong).collect());
        let algorithms: Vec<Algorithm> = keys.0.iter().map(HmacKey::algorithm).collect();
        if algorithms.is_empty() {
            return Err(InvalidKey::Weak);
        }
        Ok(Self { key_id, algorithms, signature_length: None, symmetric: true, primitive: Arc::new(keys) })
    }
}

/// One secret under several algorithms.
struct SharedSecret(Vec<HmacKey>);

impl VerifySignature for SharedSecret {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|key| key.verify(algorithm, message, signature))
    }
}

impl From<HmacKey> for Key {
    fn from(key: HmacKey) -> Self {
        Self {
            key_id: key.key_id().map(Arc::from),
            algorithms: alloc::vec![key.algorithm()],
            signature_length: None,
            symmetric: true,
            primitive: Arc::new(key),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_id, algorithms, signature_length: _, symmetric: _, primitive: _ } = self;
        formatter
            .debug_struct("Key")
            .field("key_id", key_id)
            .field("algorithms", algorithms)
            .finish_non_exhaustive()
    }
}

/// Why a key, or a set of keys, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It is not JSON, no object, too long, or has two members of one name.
    #[error("the key is not a JSON object with one value for each member (RFC 7517)")]
    Malformed,
    /// `kty`, or a member that its type needs, is missing or no string of base64url.
    #[error("the key lacks a member that its kty needs, or one is not base64url")]
    Member,
    /// `kty`, `crv` or the primitive that it needs is not supported.
    #[error("keys of this kind (kty, crv) are not supported here")]
    Unsupported,
    /// `use` says that the key is not for signatures.
    #[error("the key is not for signatures (use)")]
    Use,
    /// `key_ops` does not have `verify`, or `sign` for a private key, or names an operation twice.
    #[error("the key is not for this use (key_ops)")]
    Operations,
    /// `alg` is not an algorithm for this kind of key.
    #[error("the alg of the key is not one for its kty and crv")]
    Algorithm,
    /// `alg` is not a signature algorithm that is known here.
    #[error("the alg of the key is no signature algorithm that is supported")]
    AlgorithmUnknown,
    /// `kid` is no string of at most 256 bytes.
    #[error("the kid of the key is not a string of at most 256 bytes")]
    KeyId,
    /// It is too short, or its numbers are known to be weak.
    #[error("the key is too weak for its algorithm; make a new one")]
    Weak,
    /// It is longer than any key in use.
    #[error("the key is longer than any that is in use")]
    TooLong,
    /// It is no point of its curve, or one of those that verify anything. (Whether a point is on Ed25519 shows only when it is
    /// used: one that is not verifies nothing.)
    #[error("the key is no usable point of its curve")]
    Point,
    /// The private half does not belong to the public half, or a part of it to another.
    #[error("the parts of the private key do not belong together; export it again")]
    Mismatch,
    /// Two keys of a set have one `kid`: which is meant, nobody can tell.
    #[error("two keys of the set have one kid")]
    DuplicateKeyId,
    /// A set has both public keys and shared secrets.
    #[error("the set mixes public keys with shared secrets")]
    MixedSet,
    /// A set that was fetched from a public place has a shared secret or a private key.
    #[error("a public set has a shared secret or a private key in it, which is no secret then")]
    PublicSecret,
    /// A set has more keys than [`KeySet::MOST`](super::KeySet::MOST).
    #[error("the set has more than 64 keys")]
    TooMany,
    /// A set has no key at all.
    #[error("the set has no key")]
    NoKeys,
}

impl InvalidKey {
    /// Whether the key may be in order, but is not for verifying signatures here.
    pub(super) const fn is_for_something_else(self) -> bool {
        matches!(self, Self::AlgorithmUnknown | Self::Unsupported | Self::Use | Self::Operations)
    }

    /// A short name for records and metrics, such as `duplicate_key_id`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Member => "member",
            Self::Unsupported => "unsupported",
            Self::Use => "use",
            Self::Operations => "operations",
            Self::Algorithm => "algorithm",
            Self::AlgorithmUnknown => "algorithm_unknown",
            Self::KeyId => "key_id",
            Self::Weak => "weak",
            Self::TooLong => "too_long",
            Self::Point => "point",
            Self::Mismatch => "mismatch",
            Self::DuplicateKeyId => "duplicate_key_id",
            Self::MixedSet => "mixed_set",
            Self::PublicSecret => "public_secret",
            Self::TooMany => "too_many",
            Self::NoKeys => "no_keys",
        }
    }
}
