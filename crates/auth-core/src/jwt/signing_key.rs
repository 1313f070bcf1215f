//! Private keys for RSA, ECDSA and Ed25519 from a JWK or PEM, through aws-lc-rs as the primitive and nothing else.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Algorithm, InvalidKey, PublicKey, SignJws, jwk, weak};
use crate::json::strict::Document;
use crate::{Error, ErrorKind, Secret};

/// A private key for one algorithm, as strong as a verifier here would want it.
///
/// ECDSA and RSASSA-PSS draw their randomness inside the primitive, from the operating system.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    algorithm: Algorithm,
    public: PublicKey,
    key_id: Option<Arc<str>>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads a private JWK (RFC 7517, RFC 7518 §6): RSA with two primes, P-256, P-384 or Ed25519.
    ///
    /// Without `alg`, an RSA key signs by RS256, which every server takes; see [`with_algorithm`](Self::with_algorithm).
    ///
    /// # Errors
    ///
    /// [`InvalidKey`]: what `use`, `key_ops` and `alg` say is enforced as for verifying, weak keys are refused, and so are
    /// halves that do not belong together.
    pub fn from_jwk(json: &Secret) -> Result<Self, InvalidKey> {
        let mut document =
            Document::parse(json.expose().as_bytes().to_vec()).map_err(|_| InvalidKey::Malformed)?;
        let read = Self::read(&document);
        document.wipe();
        read
    }

    fn read(jwk: &Document) -> Result<Self, InvalidKey> {
        jwk::check_use(jwk, "sign")?;
        let (pair, of_type) = match jwk::text(jwk, "kty")? {
            "RSA" => (rsa(jwk)?, Algorithm::RSA.to_vec()),
            "EC" | "OKP" => curve(jwk)?,
            _ => return Err(InvalidKey::Unsupported),
        };
        let algorithm = *jwk::algorithms(jwk, &of_type)?.first().ok_or(InvalidKey::Algorithm)?;
        let key_id = jwk::key_id(jwk)?;
        Ok(Self { key_id, algorithm, ..Self::of(pair)? })
    }

    /// Reads a private key in PEM: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`), not
    /// encrypted.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Malformed`] when it is no such text, otherwise as for [`from_jwk`](Self::from_jwk).
    pub fn from_pem(pem: &Secret) -> Result<Self, InvalidKey> {
        let (label, der) = unarmored(pem.expose()).ok_or(InvalidKey::Malformed)?;
        let p256 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok();
        let p384 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, &der).ok();
        let ecdsa = || p256().or_else(p384).map(Pair::Ecdsa);
        let pair = match label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok().map(Pair::Rsa),
            "EC PRIVATE KEY" => ecdsa(),
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der)
                .ok()
                .map(Pair::Rsa)
                .or_else(|| Ed25519KeyPair::from_pkcs8(&der).ok().map(Pair::Ed25519))
                .or_else(ecdsa),
            _ => return Err(InvalidKey::Unsupported),
        };
        Self::of(pair.ok_or(InvalidKey::Unsupported)?)
    }

    /// A new key for ES256, the algorithm that servers know for proofs of possession. It is kept nowhere: what is bound to it
    /// is lost with it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misconfigured`] when the operating system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok();
        let key = pair.and_then(|pair| Self::of(Pair::Ecdsa(pair)).ok());
        key.ok_or_else(|| {
            let text = "no key could be generated; check the operating system's source of randomness";
            Error::new(ErrorKind::Misconfigured, text)
        })
    }

    /// The same key under a name, which stands in the header of what it signs.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Arc<str>>) -> Self {
        Self { key_id: Some(key_id.into()), ..self }
    }

    /// The same key for another algorithm of its kind: an RSA key signs by PS256 as well as by RS256.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Algorithm`] when it is not one for this kind of key.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let fits = match &*self.pair {
            Pair::Rsa(_) => Algorithm::RSA.contains(&algorithm),
            Pair::Ecdsa(_) | Pair::Ed25519(_) => algorithm == self.algorithm,
        };
        if fits { Ok(Self { algorithm, ..self }) } else { Err(InvalidKey::Algorithm) }
    }

    fn of(pair: Pair) -> Result<Self, InvalidKey> {
        let (algorithm, public) = match &pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let (modulus, exponent) = (key.modulus(), key.exponent());
                let modulus = modulus.big_endian_without_leading_zero().to_vec();
                let exponent = exponent.big_endian_without_leading_zero().to_vec();
                weak::check_rsa(&modulus, &exponent)?;
                (Algorithm::Rs256, PublicKey::Rsa { modulus, exponent })
            }
            Pair::Ecdsa(pair) => match pair.public_key().as_ref() {
                [4, point @ ..] if point.len() == 64 => {
                    let (x, y) = point.split_at(32);
                    (Algorithm::Es256, PublicKey::P256 { x: x.to_vec(), y: y.to_vec() })
                }
                [4, point @ ..] if point.len() == 96 => {
                    let (x, y) = point.split_at(48);
                    (Algorithm::Es384, PublicKey::P384 { x: x.to_vec(), y: y.to_vec() })
                }
                _ => return Err(InvalidKey::Unsupported),
            },
            Pair::Ed25519(pair) => {
                let x = pair.public_key().as_ref().to_vec();
                weak::check_ed25519(&x)?;
                (Algorithm::EdDsa, PublicKey::Ed25519 { x })
            }
        };
        Ok(Self { pair: Arc::new(pair), algorithm, public, key_id: None })
    }
}

impl SignJws for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    fn public_key(&self) -> Option<PublicKey> {
        Some(self.public.clone())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        let signature = match &*self.pair {
            Pair::Rsa(pair) => rsa_encoding(self.algorithm).and_then(|encoding| {
                let mut signature = alloc::vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }),
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        };
        signature.ok_or_else(|| {
            Error::new(ErrorKind::Misconfigured, "the private key does not sign; check that it is whole")
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: _, algorithm, public: _, key_id } = self;
        formatter
            .debug_struct("SigningKey")
            .field("algorithm", algorithm)
            .field("key_id", key_id)
            .finish_non_exhaustive()
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa => return None,
    })
}

fn rsa(jwk: &Document) -> Result<Pair, InvalidKey> {
    if jwk.get("oth").is_some() {
        return Err(InvalidKey::Unsupported);
    }
    let (n, e) = (jwk::number(jwk, "n")?, jwk::number(jwk, "e")?);
    weak::check_rsa(&n, &e)?;
    let private = |name| jwk::number(jwk, name).map(Zeroizing::new);
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d: private("d")?,
        p: private("p")?,
        q: private("q")?,
        dP: private("dp")?,
        dQ: private("dq")?,
        qInv: private("qi")?,
    };
    RsaKeyPair::from_components(&components).map(Pair::Rsa).map_err(|_| InvalidKey::Mismatch)
}

fn curve(jwk: &Document) -> Result<(Pair, Vec<Algorithm>), InvalidKey> {
    let private = |length| jwk::exactly(jwk, "d", length).map(Zeroizing::new);
    let (algorithm, public) = jwk::point(jwk)?;
    let ecdsa = |algorithm, d: Zeroizing<Vec<u8>>, x: &[u8], y: &[u8]| {
        let point = [&[4], x, y].concat();
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &d, &point).map(Pair::Ecdsa)
    };
    let pair = match &public {
        PublicKey::P256 { x, y } => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, private(32)?, x, y),
        PublicKey::P384 { x, y } => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, private(48)?, x, y),
        PublicKey::Ed25519 { x } => {
            Ed25519KeyPair::from_seed_and_public_key(&private(32)?, x).map(Pair::Ed25519)
        }
        PublicKey::Rsa { .. } => return Err(InvalidKey::Unsupported),
    };
    Ok((pair.map_err(|_| InvalidKey::Mismatch)?, alloc::vec![algorithm]))
}

/// The label and the bytes of the first private key in a PEM text (RFC 7468). Others may stand before it: `openssl ecparam`
/// writes the parameters first.
fn unarmored(pem: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let mut rest = pem;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ")?;
        let (label, after) = after.split_once("-----")?;
        let (body, after) = after.split_once("-----END ")?;
        if label.ends_with("PRIVATE KEY") {
            let text: Zeroizing<Vec<u8>> =
                Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
            return Some((label, Zeroizing::new(STANDARD.decode(&*text).ok()?)));
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests;
