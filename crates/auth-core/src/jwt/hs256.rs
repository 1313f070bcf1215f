//! HMAC-SHA-256 over a compact JWS: the algorithm comes from the key, never from the token.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Claims, Parts, Verified, decode, invalid};
use crate::time::Now;
use crate::{Error, Secret};

/// A key for HS256.
#[derive(Clone)]
pub struct Hs256Key(Arc<Zeroizing<alloc::vec::Vec<u8>>>);

impl Hs256Key {
    /// A key from at least 32 bytes (RFC 7518 §3.2), which should come from a secure random source.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when there are fewer.
    pub fn new(key: &[u8]) -> Result<Self, WeakKey> {
        if key.len() < 32 {
            return Err(WeakKey);
        }
        Ok(Self(Arc::new(Zeroizing::new(key.to_vec()))))
    }

    /// Mints a token with these claims.
    ///
    /// # Panics
    ///
    /// Never in practice: claims are strings and numbers, which always serialize.
    #[must_use]
    #[expect(clippy::expect_used, reason = "claims are strings and numbers, which always serialize")]
    pub fn mint(&self, claims: &Claims) -> Secret {
        let payload = serde_json::to_vec(claims).expect("claims serialize");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let mut token = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&token).finalize().into_bytes());
        token.push('.');
        token.push_str(&signature);
        Secret::from(token)
    }

    /// Verifies a token: signature first, then `exp` (required), `nbf` and `iat` with `leeway` on each.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken), with the reason in its text.
    pub fn verify(&self, token: &str, now: Now, leeway: Duration) -> Result<Verified<Claims>, Error> {
        let parts = Parts::split(token)?;
        if parts.header()?.alg != "HS256" {
            return Err(invalid("the token is not signed with HS256, which its key requires"));
        }
        self.mac(parts.signing_input)
            .verify_slice(&decode(parts.signature)?)
            .map_err(|_| invalid("the token's signature does not verify"))?;
        let claims = parts.claims()?;
        let latest = now.wall.saturating_add(leeway);
        match claims.exp {
            None => return Err(invalid("the token has no exp")),
            Some(exp) if exp.saturating_add(leeway) <= now.wall => {
                return Err(invalid("the token has expired"));
            }
            Some(_) => {}
        }
        if claims.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(invalid("the token is not valid yet"));
        }
        if claims.iat.is_some_and(|iat| iat > latest) {
            return Err(invalid("the token was issued in the future; check the clocks"));
        }
        Ok(Verified(claims))
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        mac
    }
}

impl fmt::Debug for Hs256Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hs256Key(…)")
    }
}

/// A key shorter than the hash it is used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WeakKey;

impl fmt::Display for WeakKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an HS256 key needs at least 32 random bytes (RFC 7518 §3.2)")
    }
}

impl core::error::Error for WeakKey {}
