//! What a client asks for when it asks for an Ably token (TK2).

use core::time::Duration;

use super::{Nonce, TokenClientId};
use crate::capability::Capability;
use crate::time::Timestamp;

/// The parameters of a token request. What is left out is the server's choice: a lifetime of an hour, the capability of
/// the key, an anonymous client.
///
/// ```
/// use core::time::Duration;
/// use auth_core::ably::{ClientId, TokenParams};
///
/// let params = TokenParams::new()
///     .with_ttl(Duration::from_secs(600))
///     .with_capability(r#"{"chat:*":["subscribe"]}"#.parse()?)
///     .with_client_id(ClientId::new("alice")?);
/// assert_eq!(params.client_id().unwrap().as_str(), "alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenParams {
    ttl: Option<Duration>,
    capability: Option<Capability>,
    client_id: Option<TokenClientId>,
    timestamp: Option<Timestamp>,
    nonce: Option<Nonce>,
}

impl TokenParams {
    /// Parameters that leave everything to the server.
    #[must_use]
    pub const fn new() -> Self {
        Self { ttl: None, capability: None, client_id: None, timestamp: None, nonce: None }
    }

    /// Asks for a lifetime (TK2a), in whole milliseconds. Zero leaves it to the server, as in Ably's libraries, which sign
    /// it as if it were absent. Ably grants an hour by default and a day at most.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl: (ttl.as_millis() > 0).then_some(ttl), ..self }
    }

    /// Asks for a capability (TK2b); the token gets what it has in common with the key's.
    #[must_use]
    pub fn with_capability(self, capability: Capability) -> Self {
        Self { capability: Some(capability), ..self }
    }

    /// Asks for a token of this client, or of any (TK2c).
    #[must_use]
    pub fn with_client_id(self, client_id: impl Into<TokenClientId>) -> Self {
        Self { client_id: Some(client_id.into()), ..self }
    }

    /// Signs with this time rather than with the clock's (TK2d). It serves once: it is never stored.
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// Signs with this nonce rather than with a fresh one (TK2e). It serves once: it is never stored.
    #[must_use]
    pub fn with_nonce(self, nonce: Nonce) -> Self {
        Self { nonce: Some(nonce), ..self }
    }

    /// The lifetime asked for.
    #[must_use]
    pub const fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// The capability asked for.
    #[must_use]
    pub const fn capability(&self) -> Option<&Capability> {
        self.capability.as_ref()
    }

    /// The client asked for.
    #[must_use]
    pub const fn client_id(&self) -> Option<&TokenClientId> {
        self.client_id.as_ref()
    }

    /// The time to sign with.
    #[must_use]
    pub const fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The nonce to sign with.
    #[must_use]
    pub const fn nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }

    /// The same parameters without what serves only once (RSA10g).
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { timestamp: None, nonce: None, ..self }
    }
}
