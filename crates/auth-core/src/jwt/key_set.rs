//! The keys of a verifier: a JWK or a JWK set (RFC 7517), or keys that a program has.

use alloc::vec::Vec;

use super::compact::{Segments, decode};
use super::header::Header;
use super::key::Key;
use super::{Algorithm, HmacKey, InvalidKey, Rejection, SignatureBackend, jwk};
use crate::json::strict::{Document, Value, elements};

/// Keys, of which a token names one by its `kid`.
///
/// A key is chosen by its name and by what it is itself for; what a token says of its algorithm must agree, and never
/// decides.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    refused: Vec<InvalidKey>,
}

impl KeySet {
    /// The most keys in a set. More would let one token cost a search.
    pub const MOST: usize = 64;
    /// The longest JSON text that is read, in bytes.
    pub const LONGEST_JSON: usize = 256 * 1_024;

    /// A set of one key.
    #[must_use]
    pub fn of(key: HmacKey) -> Self {
        Self { keys: alloc::vec![Key::from(key)], refused: Vec::new() }
    }

    /// A set of one secret, for each of HS256, HS384 and HS512 that it is long enough for.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Weak`] when it has fewer than 32 bytes.
    pub fn of_secret(secret: &[u8]) -> Result<Self, InvalidKey> {
        let keys = alloc::vec![Key::of_secret(secret, &Algorithm::HMAC, None)?];
        Ok(Self { keys, refused: Vec::new() })
    }

    /// The same set with one more key: the one before, say, until its last token has expired.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::DuplicateKeyId`] when it has the name of another, [`InvalidKey::TooMany`] when there is no room.
    pub fn with_key(mut self, key: HmacKey) -> Result<Self, InvalidKey> {
        self.keys.push(Key::from(key));
        self.checked()
    }

    /// Reads a JWK or a JWK set that was handed over in confidence: it may be of shared secrets.
    ///
    /// A set may have keys that are for something else, or that are not supported or too weak: they are left out, and
    /// [`refused`](Self::refused) tells why.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when the text is neither, when it is ambiguous, or when no key in it can be used: then the reason of
    /// the first.
    pub fn parse(json: &str, backend: &dyn SignatureBackend) -> Result<Self, InvalidKey> {
        Self::read(json, backend, |_| Ok(()))
    }

    /// Reads a JWK set that anybody can fetch, such as that of an authorization server.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and [`InvalidKey::PublicSecret`] when there is a shared secret or a private key in it, of
    /// whatever use: a set that was published with it has been compromised.
    pub fn parse_public(json: &str, backend: &dyn SignatureBackend) -> Result<Self, InvalidKey> {
        Self::read(json, backend, jwk::check_public)
    }

    fn read(
        json: &str,
        backend: &dyn SignatureBackend,
        check: fn(&Document) -> Result<(), InvalidKey>,
    ) -> Result<Self, InvalidKey> {
        if json.len() > Self::LONGEST_JSON {
            return Err(InvalidKey::Malformed);
        }
        let mut whole = document(json)?;
        let mut set = Self { keys: Vec::new(), refused: Vec::new() };
        let read = match whole.get("keys") {
            None => check(&whole).and_then(|()| jwk::read(&whole, backend)).map(|key| set.keys.push(key)),
            Some(Value::Array(array)) => set.read_elements(array, backend, check),
            Some(_) => Err(InvalidKey::Malformed),
        };
        // It may have been of secrets.
        whole.wipe();
        read?;
        match (set.keys.is_empty(), set.refused.first()) {
            (true, Some(refused)) => Err(*refused),
            (true, None) => Err(InvalidKey::NoKeys),
            (false, _) => set.checked(),
        }
    }

    fn read_elements(
        &mut self,
        array: &str,
        backend: &dyn SignatureBackend,
        check: fn(&Document) -> Result<(), InvalidKey>,
    ) -> Result<(), InvalidKey> {
        let elements = elements(array).map_err(|_| InvalidKey::Malformed)?;
        if elements.len() > Self::MOST {
            return Err(InvalidKey::TooMany);
        }
        // A broken key claims its name all the same: whoever signed may have meant that one.
        let mut claimed = Vec::new();
        for element in elements {
            let mut element = document(element)?;
            check(&element)?;
            match jwk::read(&element, backend) {
                Ok(key) => self.keys.push(key),
                Err(refused) => {
                    self.refused.push(refused);
                    if !refused.is_for_something_else() {
                        claimed.extend(jwk::key_id(&element).ok().flatten());
                    }
                }
            }
            element.wipe();
        }
        let rivals = |name| claimed.contains(name);
        if self.keys.iter().filter_map(|key| key.key_id.as_ref()).any(rivals) {
            return Err(InvalidKey::DuplicateKeyId);
        }
        Ok(())
    }

    /// Why keys of the set were left out.
    #[must_use]
    pub fn refused(&self) -> &[InvalidKey] {
        &self.refused
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn checked(self) -> Result<Self, InvalidKey> {
        if self.keys.len() > Self::MOST {
            return Err(InvalidKey::TooMany);
        }
        let symmetric = self.keys.iter().filter(|key| key.symmetric).count();
        if symmetric != 0 && symmetric != self.keys.len() {
            return Err(InvalidKey::MixedSet);
        }
        let same_name = |(index, key): (usize, &Key)| {
            key.key_id.is_some() && self.keys.iter().take(index).any(|earlier| earlier.key_id == key.key_id)
        };
        if self.keys.iter().enumerate().any(same_name) {
            return Err(InvalidKey::DuplicateKeyId);
        }
        Ok(self)
    }

    /// Checks the signature of a token with the key that it names.
    pub(super) fn check_signature(&self, segments: &Segments<'_>, header: &Header) -> Result<(), Rejection> {
        let signature = decode(segments.signature)?;
        let key = self.choose(header)?;
        let algorithm = header.algorithm;
        check_length(algorithm, key.signature_length, &signature)?;
        if key.primitive.verify(algorithm, segments.signing_input.as_bytes(), &signature) {
            Ok(())
        } else if signature.iter().all(|byte| *byte == 0) {
            Err(Rejection::SignatureZero)
        } else {
            Err(header.unverified())
        }
    }

    /// The key of the name that the token gives. Where there is none, one without a name serves; a token without a name is
    /// served by whichever is the only one for its algorithm.
    fn choose(&self, header: &Header) -> Result<&Key, Rejection> {
        let wanted = header.key_id();
        let is_named = |key: &Key| key.key_id.as_deref().is_some_and(|own| Some(own) == wanted);
        let by_name = self.keys.iter().any(is_named);
        let named =
            |key: &&Key| if by_name { is_named(key) } else { wanted.is_none() || key.key_id.is_none() };
        let mut named = self.keys.iter().filter(named).peekable();
        if named.peek().is_none() {
            return Err(Rejection::KeyUnknown);
        }
        let mut fitting = named.filter(|key| key.algorithms.contains(&header.algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Rejection::AlgorithmMismatch),
            (Some(_), Some(_)) => Err(Rejection::KeyAmbiguous),
        }
    }
}

fn check_length(algorithm: Algorithm, of_key: Option<usize>, signature: &[u8]) -> Result<(), Rejection> {
    let expected = algorithm.signature_length().or(of_key);
    match (algorithm, signature) {
        _ if expected == Some(signature.len()) => Ok(()),
        (Algorithm::Es256 | Algorithm::Es384, [0x30, ..]) => Err(Rejection::SignatureDer),
        _ => Err(Rejection::SignatureLength),
    }
}

fn document(json: &str) -> Result<Document, InvalidKey> {
    Document::parse(json.as_bytes().to_vec()).map_err(|_| InvalidKey::Malformed)
}

#[cfg(test)]
mod tests;
