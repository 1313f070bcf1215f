//! A token as it is handed to whoever presents it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Secret;
use crate::fingerprint::Fingerprint;
use crate::oauth::TokenType;
use crate::scope::Scopes;

/// Which token of a source this is; each new one has a higher number.
///
/// A caller that was refused names the generation it was refused with, and so can't evict a newer token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(u64);

impl Generation {
    /// Before the first token.
    pub const NONE: Self = Self(0);

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Its number, as events state it.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A token with what its bearer needs to know: how long it serves, and when to ask for the next.
///
/// The durations are relative to the moment at which the source handed the token over, so that a source and
/// its callers need not share a clock.
#[derive(Debug, Clone)]
pub struct Token {
    secret: Secret,
    token_type: TokenType,
    generation: Generation,
    fingerprint: Option<Fingerprint>,
    scope: Option<Scopes>,
    expires_in: Option<Duration>,
    renew_in: Option<Duration>,
}

impl Token {
    /// A token that never expires as far as anybody knows.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self {
            secret,
            token_type: TokenType::Bearer,
            generation: Generation::NONE,
            fingerprint: None,
            scope: None,
            expires_in: None,
            renew_in: None,
        }
    }

    /// The same token, presented in this way; a bearer token by default.
    #[must_use]
    pub fn with_type(self, token_type: TokenType) -> Self {
        Self { token_type, ..self }
    }

    /// The same token with the time it still lives.
    #[must_use]
    pub fn with_expires_in(self, expires_in: Duration) -> Self {
        Self { expires_in: Some(expires_in), ..self }
    }

    /// The same token with the time after which its bearer should ask for the next one.
    #[must_use]
    pub fn with_renew_in(self, renew_in: Duration) -> Self {
        Self { renew_in: Some(renew_in), ..self }
    }

    /// The same token with its generation.
    #[must_use]
    pub fn with_generation(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// The same token with the name by which records speak of it.
    #[must_use]
    pub fn with_fingerprint(self, fingerprint: Fingerprint) -> Self {
        Self { fingerprint: Some(fingerprint), ..self }
    }

    /// The same token with the scopes that its issuer said it grants.
    #[must_use]
    pub fn with_scope(self, scope: Option<Scopes>) -> Self {
        Self { scope, ..self }
    }

    /// The text to present.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// How it is presented. One that is bound to a key is refused as a bearer token, and must not be sent as one: it would
    /// show the token to whoever must not have it.
    #[must_use]
    pub const fn token_type(&self) -> TokenType {
        self.token_type
    }

    /// Which token of its source this is.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The name by which records speak of it, where its source gives names.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The scopes that its issuer said it grants; what the token itself says may be less.
    #[must_use]
    pub const fn scope(&self) -> Option<&Scopes> {
        self.scope.as_ref()
    }

    /// The time it still lives, from the hand-over; `None` when nobody knows.
    #[must_use]
    pub const fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// The time after which to ask for the next one, from the hand-over.
    #[must_use]
    pub const fn renew_in(&self) -> Option<Duration> {
        self.renew_in
    }
}
