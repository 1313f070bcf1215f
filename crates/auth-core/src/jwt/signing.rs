//! The seam to whatever holds a private key: a file's key, or a hardware module.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Algorithm, Draft, HmacKey, PublicKey};
use crate::{Error, Secret};

/// Signs under one key. [`HmacKey`] does, and with the feature `asymmetric` so does `SigningKey`; implement it for a key that
/// never leaves its hardware.
///
/// ```
/// use auth_core::jwt::{Algorithm, Draft, PublicKey, SignJws};
/// use auth_core::{Error, ErrorKind};
///
/// struct Module;
/// # impl Module { fn ask(&self, _: &[u8]) -> Option<Vec<u8>> { Some(vec![7; 64]) } }
///
/// impl SignJws for Module {
///     fn algorithm(&self) -> Algorithm {
///         Algorithm::Es256
///     }
///
///     fn key_id(&self) -> Option<&str> {
///         Some("slot-7")
///     }
///
///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
///         let unavailable = || Error::new(ErrorKind::Transport, "the module does not answer; see its log");
///         self.ask(message).ok_or_else(unavailable).map_err(Error::without_effect)
///     }
/// }
///
/// assert_eq!(Draft::new().with_issuer("me").signed_by(&Module)?.expose().split('.').count(), 3);
/// # Ok::<(), Error>(())
/// ```
pub trait SignJws: Send + Sync {
    /// The one algorithm that the key is used with.
    fn algorithm(&self) -> Algorithm;

    /// Its name, which stands in the header of what it signs; none by default.
    fn key_id(&self) -> Option<&str> {
        None
    }

    /// Its public half, where it has one that may be shown: DPoP needs it. None by default.
    fn public_key(&self) -> Option<PublicKey> {
        None
    }

    /// Signs `message` as a JWS does (RFC 7518 §3): for ECDSA both numbers in full length, not DER.
    ///
    /// It is called on whatever thread runs the grant: what takes longer than a millisecond should be asked beforehand, or on
    /// a thread of its own.
    ///
    /// # Errors
    ///
    /// Any kind; nothing has been sent then, so it should be marked [`without_effect`](Error::without_effect).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error>;
}

impl SignJws for HmacKey {
    fn algorithm(&self) -> Algorithm {
        Self::algorithm(self)
    }

    fn key_id(&self) -> Option<&str> {
        Self::key_id(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(Self::sign(self, message))
    }
}

impl Draft {
    /// The token that `key` makes of these claims.
    ///
    /// # Errors
    ///
    /// Those of [`SignJws::sign`].
    pub fn signed_by(&self, key: &dyn SignJws) -> Result<Secret, Error> {
        let mut token = self.signing_input(key.algorithm(), key.key_id());
        let signature = key.sign(token.as_bytes())?;
        append_signature(&mut token, &signature);
        Ok(Secret::from(token))
    }

    /// Header and payload with the dot between them.
    pub(super) fn signing_input(&self, algorithm: Algorithm, key_id: Option<&str>) -> String {
        let mut token = String::with_capacity(512);
        URL_SAFE_NO_PAD.encode_string(self.header(algorithm, key_id), &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(self.payload(), &mut token);
        token
    }
}

pub(super) fn append_signature(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}
