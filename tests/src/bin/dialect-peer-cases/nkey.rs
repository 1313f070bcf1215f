//! NATS' keys for users: an Ed25519 key in base32, and a signature over what the server said. What the data of a dialect can't say.

use auth_core::Secret;
use auth_core::jwt::{PublicKey, SignJws as _, SigningKey};
use auth_http::freshness::{Freshness as _, SystemFreshness};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ws_session::dialect::{Authenticator, Captures, Fresh};

/// Fills `${nkey}` and `${signature}`; the credential is the seed.
#[derive(Debug)]
pub(crate) struct Signer;

impl Authenticator for Signer {
    fn fill(&self, placeholder: &str, credential: &Secret, captures: &Captures, _: Fresh) -> Option<Secret> {
        let key = Key::of_seed(credential).ok()?;
        match placeholder {
            "nkey" => Some(Secret::from(key.public())),
            "signature" => {
                let nonce = captures.named("nonce")?.as_str()?;
                Some(Secret::from(URL_SAFE_NO_PAD.encode(key.0.sign(nonce.as_bytes()).ok()?)))
            }
            _ => None,
        }
    }
}

/// A user's key.
pub(crate) struct Key(SigningKey);

/// A text that is no seed of a user's key.
#[derive(Debug)]
pub(crate) struct Invalid;

impl std::fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("not a seed of a user's NATS key")
    }
}

impl std::error::Error for Invalid {}

/// What stands before a user's public key.
const USER: u8 = 20 << 3;
/// What stands before a user's seed, in two bytes: that it is a seed, and whose.
const SEED: [u8; 2] = [(18 << 3) | (USER >> 5), (USER & 31) << 3];

/// A new seed.
pub(crate) fn seed() -> Secret {
    Secret::from(armored(&[&SEED[..], &SystemFreshness.random()].concat()))
}

impl Key {
    pub(crate) fn of_seed(seed: &Secret) -> Result<Self, Invalid> {
        let bytes = base32(seed.expose()).ok_or(Invalid)?;
        let (body, sum) = bytes.split_at_checked(34).ok_or(Invalid)?;
        let (prefix, key) = body.split_at(2);
        if prefix != SEED || sum != checksum(body).to_le_bytes() {
            return Err(Invalid);
        }
        // PKCS#8 (RFC 8410 §7) is what stands around a key.
        let algorithm = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let der = STANDARD.encode([&algorithm, key].concat());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        SigningKey::from_pem(&Secret::from(pem)).map(Self).map_err(|_| Invalid)
    }

    /// As the server's configuration names it.
    pub(crate) fn public(&self) -> String {
        match self.0.public_key() {
            Some(PublicKey::Ed25519 { x }) => armored(&[&[USER][..], &x].concat()),
            _ => String::new(),
        }
    }
}

/// With its checksum, in base32 (RFC 4648 §6) without padding.
fn armored(body: &[u8]) -> String {
    let bytes = [body, &checksum(body).to_le_bytes()].concat();
    let bits = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let digits = (0..(bytes.len() * 8).div_ceil(5)).map(|digit| {
        let value = (0..5).fold(0, |value, bit| value << 1 | bits(digit * 5 + bit));
        char::from(DIGITS[usize::from(value)])
    });
    digits.collect()
}

const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        held = (held << 5 | value as u32) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

/// CRC-16/XMODEM.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8)
            .fold(sum ^ u16::from(*byte) << 8, |sum, _| sum << 1 ^ if sum & 0x8000 == 0 { 0 } else { 0x1021 })
    })
}
