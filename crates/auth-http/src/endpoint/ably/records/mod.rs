//! What a server must remember: its keys, and for each key the tokens issued, the nonces used and the revocations made.
//!
//! Plain data with `&mut self` methods: no clock, no lock, no I/O. Each key has its own room, so that nobody but its owner
//! can fill it, and each kind of record is bounded. Where there is no room left, what is new is refused: to forget a nonce
//! or a revocation early would let in what was shut out.

mod nonces;
mod revocations;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;

use auth_core::Secret;
use auth_core::ably::ApiKey;
use auth_core::capability::Capability;
use sha2::{Digest as _, Sha256};

pub(super) use self::nonces::{NonceRefused, Nonces};
pub(super) use self::revocations::{About, Kind, Revocations};
pub(super) use self::tokens::{IssuedToken, Tokens};

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
/// They last as long as this does: a server that starts with none accepts a JWT again that was revoked before.
///
/// They hold at most, for each key, 65,536 nonces, 65,536 tokens whose capabilities have 16 MiB of text together, and 16,384
/// revocations; all of fixed size but the capabilities.
#[derive(Default)]
pub struct Records {
    keys: BTreeMap<String, KeyRecord>,
}

/// A key with what is remembered about it.
pub(super) struct KeyRecord {
    pub(super) served: ServedKey,
    pub(super) nonces: Nonces,
    pub(super) tokens: Tokens,
    pub(super) revocations: Revocations,
}

impl Records {
    /// No key yet: whatever is presented is refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves a key. One of the same name is replaced, and what was remembered about it is forgotten.
    pub fn serve(&mut self, served: ServedKey) {
        let record = KeyRecord {
            served,
            nonces: Nonces::default(),
            tokens: Tokens::default(),
            revocations: Revocations::default(),
        };
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

    /// The token with this text, of whichever key, with its key.
    pub(super) fn token(&self, token: &Secret) -> Option<(&KeyRecord, &IssuedToken)> {
        let app = app_of(token.expose());
        let hash = hash(token.expose());
        let of_app = self.keys.values().filter(|record| app_of(record.served.name()) == app);
        of_app.into_iter().find_map(|record| Some((record, record.tokens.find(&hash)?)))
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
