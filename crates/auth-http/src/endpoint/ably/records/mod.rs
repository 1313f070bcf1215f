//! What a server must remember: its keys, and for each key the nonces used and the revocations made. The tokens that it
//! issues carry what they grant.
//!
//! Plain data with `&mut self` methods: no clock, no lock, no I/O. Each key has its own room, so that nobody but its owner
//! can fill it, and each kind of record is bounded. Where there is no room left, what is new is refused: to forget a nonce
//! or a revocation early would let in what was shut out.

mod nonces;
mod revocations;
mod sealed;

use std::collections::BTreeMap;
use std::fmt;

use auth_core::Secret;
use auth_core::ably::ApiKey;
use auth_core::capability::Capability;
use sha2::{Digest as _, Sha256};

pub(super) use self::nonces::{NonceRefused, Nonces};
pub(super) use self::revocations::{About, Kind, Revocations};
pub(super) use self::sealed::{IssuedToken, Seal};

/// A key that is served, and what it may do.
#[derive(Debug, Clone)]
pub struct ServedKey {
    pub(super) key: ApiKey,
    pub(super) capability: Capability,
    pub(super) revocable: bool,
}

impl ServedKey {
    /// A key that may do everything on every channel, and whose tokens can't be revoked.
    #[must_use]
    pub fn new(key: ApiKey) -> Self {
        Self { key, capability: Capability::all(), revocable: false }
    }

    /// The same key with this capability: no token of it gets more.
    #[must_use]
    pub fn with_capability(self, capability: Capability) -> Self {
        Self { capability, ..self }
    }

    /// The same key with tokens that can be revoked. They live an hour at most, as with Ably, JWTs included.
    #[must_use]
    pub fn with_revocable_tokens(self) -> Self {
        Self { revocable: true, ..self }
    }

    /// The public name, `appId.keyId`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.name()
    }
}

/// All records of a server.
///
/// They last as long as this does: a server that starts with none knows no token that was issued before, and accepts a JWT
/// again that was revoked.
///
/// For each key they hold at most 65,536 nonces and 16,384 revocations, all of fixed size and less than 16 MiB together. A
/// nonce is held for four minutes, so a key may sign 273 token requests a second for as long as it likes. Tokens need no
/// room, however many live.
pub struct Records {
    keys: BTreeMap<String, KeyRecord>,
    pub(super) seal: Seal,
    /// How many keys were ever served.
    served: u64,
}

/// A key with what is remembered about it.
pub(super) struct KeyRecord {
    pub(super) served: ServedKey,
    /// No other key that these records ever served has it.
    pub(super) serial: u64,
    pub(super) nonces: Nonces,
    pub(super) revocations: Revocations,
}

impl Records {
    /// No key yet: whatever is presented is refused. `seal` is what tokens are made with: whoever knows it can make any. It
    /// must come from a secure random source, anew for each `Records`.
    #[must_use]
    pub fn new(seal: [u8; 32]) -> Self {
        Self { keys: BTreeMap::new(), seal: Seal::new(seal), served: 0 }
    }

    /// Serves a key. One of the same name is replaced: its tokens are not known any more, and what was remembered about it
    /// is forgotten.
    pub fn serve(&mut self, served: ServedKey) {
        let record = KeyRecord {
            served,
            serial: self.served,
            nonces: Nonces::default(),
            revocations: Revocations::default(),
        };
        self.served += 1;
        self.keys.insert(record.served.name().to_owned(), record);
    }

    /// The names of the keys that are served.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    pub(super) fn key(&self, name: &str) -> Option<&KeyRecord> {
        self.keys.get(name)
    }

    pub(super) fn key_mut(&mut self, name: &str) -> Option<&mut KeyRecord> {
        self.keys.get_mut(name)
    }

    /// Whether any key of the application is served.
    pub(super) fn knows_app(&self, app: &str) -> bool {
        self.keys.keys().any(|name| app_of(name) == app)
    }

    /// What the token with this text says, with its key.
    pub(super) fn token(&self, token: &Secret) -> Option<(&KeyRecord, IssuedToken)> {
        let issued = self.seal.open(token.expose())?;
        let record = self.keys.get(&issued.key_name).filter(|record| record.serial == issued.serial)?;
        Some((record, issued))
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.keys.iter().map(|(name, record)| (name, &record.served))).finish()
    }
}

/// The application that the name of a key, or a token, begins with.
pub(super) fn app_of(text: &str) -> &str {
    text.split_once('.').map_or(text, |(app, _)| app)
}

/// A text by which another can be found again, and not be read.
pub(super) type Hash = [u8; 32];

pub(super) fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}
