//! The header of a JWS (RFC 7515 §4): what it says is checked, and none of it chooses the algorithm.

use alloc::string::String;

use super::compact::{Segments, decode};
use super::{Algorithm, Rejection};
use crate::json::strict::{Document, Value, names};

/// What a header says.
#[derive(Debug, Clone)]
pub(super) struct Header {
    document: Document,
    pub(super) algorithm: Algorithm,
}

/// The longest `kid` that is looked up, in bytes, in a token and in a key.
pub(super) const LONGEST_KEY_ID: usize = 256;

/// Names that the specifications define: a critical extension must not be one of them (RFC 7515 §4.1.11).
const REGISTERED: [&str; 11] =
    ["alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit"];

impl Header {
    pub(super) fn read(segments: &Segments<'_>) -> Result<Self, Rejection> {
        let document = Document::parse(decode(segments.header)?).map_err(Rejection::of_header)?;
        let algorithm = match document.get("alg") {
            Some(Value::Text(name)) if name.eq_ignore_ascii_case("none") => {
                return Err(Rejection::AlgorithmNone);
            }
            Some(Value::Text(name)) => Algorithm::named(name).ok_or(Rejection::AlgorithmUnknown)?,
            Some(_) => return Err(Rejection::AlgorithmNotText),
            None => return Err(Rejection::AlgorithmMissing),
        };
        let header = Self { document, algorithm };
        header.check_critical()?;
        match header.document.get("kid") {
            None => {}
            Some(Value::Text(key_id)) if key_id.len() <= LONGEST_KEY_ID => {}
            Some(_) => return Err(Rejection::KeyIdInvalid),
        }
        match header.document.get("typ") {
            None | Some(Value::Text(_)) => Ok(header),
            Some(_) => Err(Rejection::TypeNotText),
        }
    }

    /// The header as JSON.
    pub(super) fn as_json(&self) -> &str {
        self.document.as_str()
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.document.text("kid")
    }

    pub(super) fn token_type(&self) -> Option<&str> {
        self.document.text("typ")
    }

    /// The rejection of a signature that does not verify.
    pub(super) fn unverified(&self) -> Rejection {
        let has = |name| self.document.get(name).is_some();
        match () {
            () if has("jwk") || has("x5c") => Rejection::EmbeddedKey,
            () if has("jku") || has("x5u") => Rejection::RemoteKey,
            () => Rejection::Signature,
        }
    }

    /// No extension is understood, so a well-formed `crit` is refused too; what differs is the reason.
    fn check_critical(&self) -> Result<(), Rejection> {
        let critical = match self.document.get("crit") {
            // Without `crit`, `b64` would be ignored by whoever does not know it, and obeyed by the others.
            None if self.document.get("b64").is_some() => return Err(Rejection::UnencodedPayload),
            None => return Ok(()),
            Some(Value::Array(array)) => names(array).ok_or(Rejection::CriticalMalformed)?,
            Some(_) => return Err(Rejection::CriticalMalformed),
        };
        let malformed =
            |name: &String| REGISTERED.contains(&name.as_str()) || self.document.get(name).is_none();
        if critical.is_empty() || critical.iter().any(malformed) {
            return Err(Rejection::CriticalMalformed);
        }
        if critical.iter().any(|name| name == "b64") {
            return Err(Rejection::UnencodedPayload);
        }
        Err(Rejection::CriticalUnknown)
    }
}
