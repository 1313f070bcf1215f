//! The closed lists of reasons and outcomes that events carry.

use serde::{Deserialize, Serialize};

/// Why a token is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RenewalReason {
    /// There was none yet.
    First,
    /// The time to renew it early has come.
    Due,
    /// It has come to its end.
    Expired,
    /// A server refused it.
    Rejected,
    /// A caller asked for a newer one.
    Asked,
    /// Each serves once: one more caller waits, or the next one is fetched ahead.
    SingleUse,
}

/// What a renewal waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DelayReason {
    /// The token is so new that the next request would follow too closely.
    TooSoon,
    /// Another process holds the store's lock, and is likely renewing.
    StoreLocked,
}

/// What was tried at a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreStep {
    /// Reading the record.
    Load,
    /// Taking the lock.
    Lock,
    /// Noting that a refresh token is about to be sent.
    SaveIntent,
    /// Saving what was issued.
    SaveToken,
    /// Noting that the refresh token was not used after all.
    ClearIntent,
}

/// On which way a server learns that a credential was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevocationPath {
    /// It was revoked at this very server.
    Local,
    /// Servers share a stream of revocations, which each reads on from where it was.
    Stream,
    /// Another server told of it at once, by a message that can be lost.
    #[serde(rename = "pubsub")]
    PubSub,
    /// It looks now and then whether there are any.
    Poll,
}

/// The outcome of a scope check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeVerdict {
    /// Nothing is missing.
    Allowed,
    /// Something is missing.
    Denied,
    /// The token could not be read.
    Error,
}

/// What was presented a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Replayed {
    /// A token that serves once.
    Token,
    /// The nonce of a signed request for a token.
    Nonce,
    /// A refresh token that was rotated away.
    RefreshToken,
    /// A proof of possession (RFC 9449).
    DpopProof,
    /// A signed assertion of a client (RFC 7523).
    Assertion,
}
