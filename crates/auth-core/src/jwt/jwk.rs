//! One key as JSON (RFC 7517, RFC 7518 §6, RFC 8037): what it says of its own use is enforced, weak keys are refused.

use alloc::sync::Arc;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::header::LONGEST_KEY_ID;
use super::key::Key;
use super::weak;
use super::{Algorithm, InvalidKey, PublicKey, SignatureBackend};
use crate::json::strict::{Document, Value, names};

/// Reads a key. Without `alg`, the algorithms are those of its type: an RSA key does for RS and PS, a curve for the one that
/// belongs to it, a secret for the HMAC of the hashes that it is long enough for.
pub(super) fn read(jwk: &Document, backend: &dyn SignatureBackend) -> Result<Key, InvalidKey> {
    check_use(jwk, "verify")?;
    let key_id = key_id(jwk)?;
    match text(jwk, "kty")? {
        "oct" => secret(jwk, key_id),
        "RSA" => rsa(jwk, key_id, backend),
        "EC" | "OKP" => curve(jwk, key_id, backend),
        _ => Err(InvalidKey::Unsupported),
    }
}

/// `use` and `key_ops` (RFC 7517 §4.2 and §4.3). Both may be there; then both must allow it.
pub(super) fn check_use(jwk: &Document, operation: &str) -> Result<(), InvalidKey> {
    match jwk.get("use") {
        None | Some(Value::Text("sig")) => {}
        Some(_) => return Err(InvalidKey::Use),
    }
    let operations = match jwk.get("key_ops") {
        None => return Ok(()),
        Some(Value::Array(array)) => names(array).ok_or(InvalidKey::Operations)?,
        Some(_) => return Err(InvalidKey::Operations),
    };
    if operations.iter().any(|name| name == operation) { Ok(()) } else { Err(InvalidKey::Operations) }
}

/// The name of a key.
pub(super) fn key_id(jwk: &Document) -> Result<Option<Arc<str>>, InvalidKey> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(Value::Text(key_id)) if key_id.len() <= LONGEST_KEY_ID => Ok(Some(Arc::from(key_id))),
        Some(_) => Err(InvalidKey::KeyId),
    }
}

/// The algorithms of a key: the one that it names if its type has that, else all that its type has.
pub(super) fn algorithms(jwk: &Document, of_type: &[Algorithm]) -> Result<Vec<Algorithm>, InvalidKey> {
    match jwk.get("alg") {
        None => Ok(of_type.to_vec()),
        Some(Value::Text(name)) => match Algorithm::named(name) {
            Some(algorithm) if of_type.contains(&algorithm) => Ok(alloc::vec![algorithm]),
            Some(_) => Err(InvalidKey::Algorithm),
            None => Err(InvalidKey::AlgorithmUnknown),
        },
        Some(_) => Err(InvalidKey::Algorithm),
    }
}

fn secret(jwk: &Document, key_id: Option<Arc<str>>) -> Result<Key, InvalidKey> {
    let bytes = Zeroizing::new(bytes(jwk, "k", 4_096)?);
    Key::of_secret(&bytes, &algorithms(jwk, &Algorithm::HMAC)?, key_id)
}

/// Refuses what must not be published: shared secrets, and the private half of any key (RFC 7518 §6).
pub(super) fn check_public(jwk: &Document) -> Result<(), InvalidKey> {
    const PRIVATE: [&str; 8] = ["k", "d", "p", "q", "dp", "dq", "qi", "oth"];
    let published = PRIVATE.iter().any(|name| jwk.get(name).is_some());
    if published || jwk.get("kty") == Some(Value::Text("oct")) {
        Err(InvalidKey::PublicSecret)
    } else {
        Ok(())
    }
}

fn rsa(jwk: &Document, key_id: Option<Arc<str>>, backend: &dyn SignatureBackend) -> Result<Key, InvalidKey> {
    let algorithms = algorithms(jwk, &Algorithm::RSA)?;
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    weak::check_rsa(&modulus, &exponent)?;
    let signature_length = Some(modulus.len());
    let primitive = backend.load(&PublicKey::Rsa { modulus, exponent })?;
    Ok(Key { key_id, algorithms, signature_length, symmetric: false, primitive })
}

fn curve(
    jwk: &Document,
    key_id: Option<Arc<str>>,
    backend: &dyn SignatureBackend,
) -> Result<Key, InvalidKey> {
    let (algorithm, public) = point(jwk)?;
    let algorithms = algorithms(jwk, &[algorithm])?;
    let primitive = backend.load(&public)?;
    Ok(Key { key_id, algorithms, signature_length: None, symmetric: false, primitive })
}

/// The point that a key of a curve states, and the one algorithm of the curve.
pub(super) fn point(jwk: &Document) -> Result<(Algorithm, PublicKey), InvalidKey> {
    let coordinate = |name, length| exactly(jwk, name, length);
    Ok(match (text(jwk, "kty")?, text(jwk, "crv")?) {
        ("EC", "P-256") => {
            (Algorithm::Es256, PublicKey::P256 { x: coordinate("x", 32)?, y: coordinate("y", 32)? })
        }
        ("EC", "P-384") => {
            (Algorithm::Es384, PublicKey::P384 { x: coordinate("x", 48)?, y: coordinate("y", 48)? })
        }
        ("OKP", "Ed25519") => {
            let x = coordinate("x", 32)?;
            weak::check_ed25519(&x)?;
            (Algorithm::EdDsa, PublicKey::Ed25519 { x })
        }
        _ => return Err(InvalidKey::Unsupported),
    })
}

/// A member of exactly this many bytes.
pub(super) fn exactly(jwk: &Document, name: &str, length: usize) -> Result<Vec<u8>, InvalidKey> {
    let bytes = bytes(jwk, name, length)?;
    if bytes.len() == length { Ok(bytes) } else { Err(InvalidKey::Member) }
}

/// A big integer of an RSA key.
pub(super) fn number(jwk: &Document, name: &str) -> Result<Vec<u8>, InvalidKey> {
    bytes(jwk, name, 1_025).map(without_leading_zeros)
}

pub(super) fn text<'a>(jwk: &'a Document, name: &str) -> Result<&'a str, InvalidKey> {
    jwk.text(name).ok_or(InvalidKey::Member)
}

fn bytes(jwk: &Document, name: &str, longest: usize) -> Result<Vec<u8>, InvalidKey> {
    let bytes = URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| InvalidKey::Member)?;
    if bytes.len() > longest { Err(InvalidKey::TooLong) } else { Ok(bytes) }
}

/// Some issuers write the sign byte of their big integers.
fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
