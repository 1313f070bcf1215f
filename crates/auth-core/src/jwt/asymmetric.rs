//! RSA, ECDSA and Ed25519, through jsonwebtoken as the primitive and nothing else.
//!
//! jsonwebtoken finds its cryptography in a variable of the process, and panics at first use when a program enables both of
//! its back ends. So the back end is named here, and its functions are called directly: what other crates enable or install
//! makes no difference. It is aws-lc-rs: several times as fast as the other, and it brings no second generation of the hash
//! crates.

use alloc::sync::Arc;
use alloc::vec::Vec;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm as Primitive, DecodingKey};

use super::{Algorithm, InvalidKey, PublicKey, SignatureBackend, VerifySignature};

/// The backend for RS256 to RS512, PS256 to PS512, ES256, ES384 and EdDSA.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asymmetric;

impl SignatureBackend for Asymmetric {
    fn load(&self, key: &PublicKey) -> Result<Arc<dyn VerifySignature>, InvalidKey> {
        let key = match key {
            PublicKey::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
            PublicKey::P256 { x, y } => {
                let point = uncompressed(x, y);
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| InvalidKey::Point)?;
                DecodingKey::from_ec_der(&point)
            }
            PublicKey::P384 { x, y } => {
                let point = uncompressed(x, y);
                ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point).map_err(|_| InvalidKey::Point)?;
                DecodingKey::from_ec_der(&point)
            }
            PublicKey::Ed25519 { x } => {
                ParsedPublicKey::new(&ED25519, x).map_err(|_| InvalidKey::Point)?;
                DecodingKey::from_ed_der(x)
            }
        };
        Ok(Arc::new(Loaded(key)))
    }
}

struct Loaded(DecodingKey);

impl VerifySignature for Loaded {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let Some(primitive) = primitive(algorithm) else { return false };
        (DEFAULT_PROVIDER.verifier_factory)(&primitive, &self.0)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

const fn primitive(algorithm: Algorithm) -> Option<Primitive> {
    Some(match algorithm {
        Algorithm::Rs256 => Primitive::RS256,
        Algorithm::Rs384 => Primitive::RS384,
        Algorithm::Rs512 => Primitive::RS512,
        Algorithm::Ps256 => Primitive::PS256,
        Algorithm::Ps384 => Primitive::PS384,
        Algorithm::Ps512 => Primitive::PS512,
        Algorithm::Es256 => Primitive::ES256,
        Algorithm::Es384 => Primitive::ES384,
        Algorithm::EdDsa => Primitive::EdDSA,
        // Our own (`hmac`): jsonwebtoken takes an empty key.
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
    })
}

/// A point as SEC 1 §2.3.3 writes it.
fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}
