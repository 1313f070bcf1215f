//! JSON Web Tokens (RFC 7519): a strict reader, and HS256 (RFC 7518 §3.2) to verify and to mint.
//!
//! What was read without a key is [`Unverified`], what a key vouched for is [`Verified`]; the types differ, so
//! that one can't be taken for the other.

mod claims;
mod hs256;

use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

pub use self::claims::Claims;
pub use self::hs256::{Hs256Key, WeakKey};
use crate::json::from_object;
use crate::{Error, ErrorKind};

/// The longest token that is looked at, in bytes. Servers commonly refuse a header of 8 KiB.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// Claims that nobody vouched for: good for local decisions such as a scope check, never for access.
#[derive(Debug, Clone)]
pub struct Unverified<T>(T);

impl<T> Unverified<T> {
    /// The claims, at the reader's own risk.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Claims whose signature verified and whose times are right.
#[derive(Debug, Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The claims.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Whether a text has the three segments of a compact JWS. An opaque token has not, and is no error.
#[must_use]
pub fn looks_like_jwt(token: &str) -> bool {
    token.split('.').count() == 3
}

/// Reads the claims of a token without verifying it.
///
/// # Errors
///
/// [`ErrorKind::InvalidToken`] when the token is no compact JWS of a JSON object.
pub fn read(token: &str) -> Result<Unverified<Claims>, Error> {
    let parts = Parts::split(token)?;
    parts.header()?;
    parts.claims().map(Unverified)
}

/// The three segments of a compact JWS (RFC 7515 §7.1), still encoded.
struct Parts<'a> {
    /// Header and payload with the dot between them: what is signed.
    signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: alloc::string::String,
    /// Presence is enough: no critical extension is understood here (RFC 7515 §4.1.11).
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, Error> {
        if token.len() > LONGEST_TOKEN {
            return Err(invalid("the token is longer than 16 KiB"));
        }
        let malformed = || invalid("the token is not three base64url segments");
        let (signing_input, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(malformed)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err(malformed());
        }
        Ok(Self { signing_input, header, payload, signature })
    }

    fn header(&self) -> Result<Header, Error> {
        let header: Header = from_object(&decode(self.header)?)
            .map_err(|_| invalid("the token's header is not a JSON object with one alg"))?;
        if header.crit {
            return Err(invalid("the token's header has critical extensions that are not understood"));
        }
        Ok(header)
    }

    fn claims(&self) -> Result<Claims, Error> {
        from_object(&decode(self.payload)?)
            .map_err(|_| invalid("the token's payload is not a JSON object with claims of the right types"))
    }
}

fn decode(segment: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| invalid("a segment of the token is not base64url"))
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidToken, message)
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests;
