//! JSON Web Tokens (RFC 7519): a strict reader, a verifier, and a minter.
//!
//! What was read without a key is [`Unverified`], what a key vouched for is [`Verified`]; the types differ, so that one
//! can't be taken for the other. The reader is our own, because a token that two programs read differently is an attack:
//! two members of one name, unused bits, padding, deep nesting and numbers out of range are refused, each with its own
//! [`Rejection`]. The algorithm comes from the key: a token that says another is refused.
//!
//! HMAC is built in. RSA, ECDSA and Ed25519 come with the feature `asymmetric`, or from a [`SignatureBackend`] and a [`SignJws`]
//! of your own.

mod algorithm;
#[cfg(feature = "asymmetric")]
mod asymmetric;
mod claims;
mod compact;
mod draft;
mod header;
mod hmac;
mod jwk;
mod key;
mod key_set;
mod rejection;
mod signing;
#[cfg(feature = "asymmetric")]
mod signing_key;
mod thumbprint;
mod verifier;
mod weak;

pub use self::algorithm::Algorithm;
#[cfg(feature = "asymmetric")]
pub use self::asymmetric::Asymmetric;
pub use self::claims::Claims;
pub use self::compact::LONGEST_TOKEN;
use self::compact::Segments;
pub use self::draft::Draft;
use self::header::Header;
pub use self::hmac::{HmacKey, WeakKey};
pub use self::key::{InvalidKey, PublicKey, SignatureBackend, SymmetricOnly, VerifySignature};
pub use self::key_set::KeySet;
pub use self::rejection::Rejection;
pub use self::signing::SignJws;
#[cfg(feature = "asymmetric")]
pub use self::signing_key::SigningKey;
pub use self::verifier::{DangerousVerifier, Verifier};

/// What nobody vouched for: good for local decisions such as a scope check, never for access.
#[derive(Debug, Clone)]
pub struct Unverified<T>(T);

impl<T> Unverified<T> {
    /// The content, at the reader's own risk.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Unverified<Claims> {
    /// The claims, at the reader's own risk.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.0
    }
}

/// What a key vouched for, and whose claims are as expected.
#[derive(Debug, Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The content.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Verified<Claims> {
    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.0
    }
}

/// Whether a text has the three segments of a compact JWS. An opaque token has not, and is no error.
#[must_use]
pub fn looks_like_jwt(token: &str) -> bool {
    token.split('.').count() == 3
}

/// Reads the claims of a token without verifying it: the form, the header and the types of the claims are checked, the
/// signature and the times are not.
///
/// # Errors
///
/// The first [`Rejection`] that applies.
pub fn read(token: &str) -> Result<Unverified<Claims>, Rejection> {
    let segments = Segments::split_token(token)?;
    Header::read(&segments)?;
    let claims = Claims::read(&segments)?;
    compact::decode(segments.signature)?;
    Ok(Unverified(claims))
}

/// Reads the header of a token, as JSON, without verifying it.
///
/// # Errors
///
/// The first [`Rejection`] that applies.
pub fn read_header(token: &str) -> Result<Unverified<alloc::string::String>, Rejection> {
    let header = Header::read(&Segments::split(token)?)?;
    Ok(Unverified(header.as_json().into()))
}

/// Verifies the form and the signature of a compact JWS, and looks at nothing else: its payload may be any bytes, and none.
/// For a token, use a [`Verifier`].
///
/// # Errors
///
/// The first [`Rejection`] that applies.
pub fn verify_signature(jws: &str, keys: &KeySet) -> Result<(), Rejection> {
    let segments = Segments::split(jws)?;
    let header = Header::read(&segments)?;
    compact::decode(segments.payload)?;
    keys.check_signature(&segments, &header)
}

#[cfg(test)]
mod tests;
