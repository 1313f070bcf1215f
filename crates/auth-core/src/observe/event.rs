//! The closed vocabulary of what happens to a credential and to the connections that it authenticates.

use core::net::SocketAddr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::durations::{is_zero, millis, optional_millis};
use super::{DelayReason, Label, RenewalReason, Replayed, RevocationPath, ScopeVerdict, StoreStep};
use crate::ErrorKind;
use crate::fingerprint::Fingerprint;
use crate::scope::Scopes;
use crate::token::Generation;

/// One event in the life of a credential or of a connection that it authenticates.
///
/// No field can hold a secret: tokens appear by [`Fingerprint`], text from strangers as a bounded [`Label`].
/// Serializes as a flat JSON object with the event's name under `event`; durations are in milliseconds and
/// say so in their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthEvent {
    /// A token is wanted: from the store, from a peer, or from the token endpoint.
    RenewalStarted {
        /// Why.
        reason: RenewalReason,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A renewal that has started, or that the server asks for, waits.
    RenewalDelayed {
        /// For what.
        reason: DelayReason,
        /// How long, at first.
        #[serde(rename = "retry_in_ms", with = "millis")]
        retry_in: Duration,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// Nothing is asked of the token endpoint for a while, whoever wants a token: a renewal failed, fresh tokens are refused, or a
    /// refresh token in doubt is spared.
    RenewalPaused {
        /// What happened.
        kind: ErrorKind,
        /// Renewals that failed, or replacements that were refused, in a row; unchanged where a refresh token is spared.
        failures: u32,
        /// The length of the pause.
        #[serde(rename = "retry_in_ms", with = "millis")]
        retry_in: Duration,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A request is about to go to the token endpoint.
    TokenRequested {
        /// Which attempt of this flight, from 1.
        attempt: u32,
        /// Whether it redeems a refresh token, or obtains a token anew.
        redeems: bool,
        /// How long the store took to note that the refresh token is about to be sent; `None` where it was noted before, or need not be.
        #[serde(rename = "noted_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        noted: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// The token endpoint asked us to slow down.
    RateLimited {
        /// Which attempt of this flight, from 1.
        attempt: u32,
        /// How long the request was under way.
        #[serde(rename = "took_ms", with = "optional_millis", default)]
        took: Option<Duration>,
        /// The wait that the server named.
        #[serde(rename = "retry_after_ms", with = "optional_millis", default)]
        retry_after: Option<Duration>,
        /// The wait that we chose, never shorter; `None` when this flight gives up.
        #[serde(rename = "retry_in_ms", with = "optional_millis", default)]
        retry_in: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A request to the token endpoint failed.
    TokenRequestFailed {
        /// Which attempt of this flight, from 1.
        attempt: u32,
        /// What happened.
        kind: ErrorKind,
        /// The wire's own number, where there was one: an HTTP status, or Ably's five digits.
        code: Option<u32>,
        /// How long the request was under way, where it was sent.
        #[serde(rename = "took_ms", with = "optional_millis", default)]
        took: Option<Duration>,
        /// The wait before the next attempt; `None` when this flight gives up.
        #[serde(rename = "retry_in_ms", with = "optional_millis", default)]
        retry_in: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A token was issued.
    TokenIssued {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
        /// How long it lives; zero where nobody says.
        #[serde(rename = "expires_in_ms", with = "millis")]
        expires_in: Duration,
        /// When it will be renewed: before it expires, at a moment drawn once.
        #[serde(rename = "renews_in_ms", with = "millis")]
        renews_in: Duration,
        /// How long the request was under way.
        #[serde(rename = "took_ms", with = "optional_millis", default)]
        took: Option<Duration>,
    },
    /// A token that another process obtained was taken from the store they share.
    TokenAdopted {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
        /// How long it lives.
        #[serde(rename = "expires_in_ms", with = "millis")]
        expires_in: Duration,
        /// When it will be renewed.
        #[serde(rename = "renews_in_ms", with = "millis")]
        renews_in: Duration,
        /// How long the store took to be read.
        #[serde(rename = "took_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<Duration>,
    },
    /// The time to renew a token has come, but nobody uses it: it is left alone until somebody asks.
    TokenUnused {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
        /// How long it still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A token came to its end before there was another.
    TokenExpired {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
    },
    /// Whether a refresh token was redeemed is unknown: its answer was lost.
    RefreshInDoubt {
        /// What happened.
        kind: ErrorKind,
        /// The wait before it is sent once more; `None` when it is left alone for now.
        #[serde(rename = "retry_in_ms", with = "optional_millis", default)]
        retry_in: Option<Duration>,
        /// How long the access token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// The token endpoint refused a refresh token, which this process will not send again.
    RefreshTokenRefused {
        /// Its name in these records.
        token: Fingerprint,
        /// How long the access token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A refresh token is safe in the store.
    RefreshTokenSaved {
        /// The revision of the store's record.
        revision: u64,
        /// How long the store took to write it, without earlier tries that failed.
        #[serde(rename = "took_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<Duration>,
    },
    /// The store of tokens could not be read, locked or written.
    StoreFailed {
        /// What was tried.
        step: StoreStep,
        /// What happened.
        kind: ErrorKind,
        /// How long it was under way; `None` where what had failed is not tried again after all.
        #[serde(rename = "took_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<Duration>,
        /// The wait before it is tried again; `None` when it is not.
        #[serde(rename = "retry_in_ms", with = "optional_millis", default)]
        retry_in: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// The server's clock was learned, and differs from what was known by more than 1.5 s.
    ServerClockLearned {
        /// How far it is ahead of the local wall clock, in milliseconds; negative when behind.
        offset_ms: i64,
    },
    /// The local wall clock was set back. Tokens expire when they would have, and sooner if the computer sleeps.
    ClockSetBack {
        /// By how much.
        #[serde(rename = "behind_ms", with = "millis")]
        behind: Duration,
    },
    /// A server refused a token, which will not be presented again.
    TokenRejected {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
        /// How long it would have lived yet.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// A token's scopes were compared with the required ones.
    ScopesChecked {
        /// The outcome.
        verdict: ScopeVerdict,
        /// What the caller requires.
        required: Scopes,
        /// What the token grants.
        granted: Scopes,
        /// What is missing.
        missing: Scopes,
        /// The OAuth client that the token was issued to, as the token says.
        client_id: Option<Label>,
    },
    /// A connection is about to be opened.
    Connecting {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Consecutive failures before this attempt.
        failures: u32,
    },
    /// The server accepted the credential.
    Authenticated {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// The token presented.
        token: Option<Fingerprint>,
        /// The session's name at the server, where it told one.
        session_id: Option<Label>,
        /// From the decision to connect to the acceptance.
        #[serde(rename = "latency_ms", with = "millis")]
        latency: Duration,
    },
    /// The live connection was given a fresh credential, and the server accepted it.
    TokenRenewed {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// The token presented.
        token: Option<Fingerprint>,
        /// The session's name at the server.
        session_id: Option<Label>,
        /// Whether the credential went over the live connection, rather than over a new one that took its place.
        in_band: bool,
    },
    /// A renewal of the live connection failed; the connection goes on with what it has.
    RenewalFailed {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Why.
        reason: Label,
        /// The wait before the next attempt; `None` when there will be none.
        #[serde(rename = "retry_in_ms", with = "optional_millis", default)]
        retry_in: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", with = "optional_millis", default)]
        valid_for: Option<Duration>,
    },
    /// What the server said of the end of a credential was not followed, because it can't be meant: the credential ends when its source said.
    ExpiryIgnored {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Why.
        reason: Label,
    },
    /// No connection is attempted for now, because no token can be had.
    ConnectionDelayed {
        /// Why.
        reason: Label,
        /// Consecutive failures, this one included.
        failures: u32,
        /// The wait before the next request for a token.
        #[serde(rename = "retry_in_ms", with = "millis")]
        retry_in: Duration,
    },
    /// A connection, or the attempt to make one, ended without our asking.
    ConnectionLost {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Why.
        reason: Label,
        /// The close code, the HTTP status of a refused upgrade, or the number in the server's last message.
        code: Option<u16>,
        /// How long it had been authenticated; `None` where it never was.
        #[serde(rename = "lasted_ms", with = "optional_millis", default)]
        lasted: Option<Duration>,
        /// The wait before the next attempt; `None` when the session ends with it.
        #[serde(rename = "retry_in_ms", with = "optional_millis", default)]
        retry_in: Option<Duration>,
    },
    /// There has been no connection for so long that the server will have forgotten the session. Attempts go on.
    SessionSuspended {
        /// Consecutive failures.
        failures: u32,
    },
    /// The session gave up for good.
    SessionFailed {
        /// The connection that it ended with, just told as lost; `None` where there was none, because no token could be had.
        #[serde(default)]
        connection: Option<u64>,
        /// Why.
        reason: Label,
        /// The close code, HTTP status or number in a message that decided it.
        code: Option<u16>,
    },
    /// The session ended because its user asked.
    SessionClosed {
        /// How long its last connection had been authenticated; `None` where none was open.
        #[serde(rename = "lasted_ms", with = "optional_millis", default)]
        lasted: Option<Duration>,
    },
    /// A token is let out for use, its issue being on record. Only where no record means no token.
    TokenReleased {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
    },
    /// A request for a token was signed, for somebody else to send.
    TokenRequestSigned {
        /// The name of the key that signed it.
        key_name: Label,
        /// For which client, where for one.
        client_id: Option<Label>,
    },
    /// Tokens were revoked: at a client, because it asked the server; at a server, because it was asked.
    TokenRevoked {
        /// The token, where it is one.
        token: Option<Fingerprint>,
        /// What was named instead of a token: a client, a key, a family of refresh tokens; or how many more there was no room to keep.
        target: Option<Label>,
        /// Whose request it was, as a server sees it.
        peer: Option<SocketAddr>,
    },
    /// Tokens could not be revoked, and may still be in use.
    RevocationFailed {
        /// The token, where it is one.
        token: Option<Fingerprint>,
        /// What was named instead of a token.
        target: Option<Label>,
        /// What happened.
        kind: ErrorKind,
        /// The wire's own number, where there was one.
        code: Option<u32>,
    },
    /// A server issued a token.
    TokenMinted {
        /// Its name in these records.
        token: Fingerprint,
        /// By which grant: `client_credentials`, `refresh_token`, `ably_token_request` and the like.
        grant: Label,
        /// To whom.
        client_id: Option<Label>,
        /// What it grants, where it grants scopes.
        scope: Scopes,
        /// How long it lives.
        #[serde(rename = "expires_in_ms", with = "millis")]
        expires_in: Duration,
        /// Whose request it was.
        peer: Option<SocketAddr>,
    },
    /// A server issued no token to somebody who asked for one, or let somebody revoke none.
    TokenDenied {
        /// By which grant it was asked for; `ably_revoke_tokens` for a revocation.
        grant: Label,
        /// Why: the code of RFC 6749 §5.2 or of the system's own.
        reason: Label,
        /// Who asked, as far as they said.
        client_id: Option<Label>,
        /// Whose request it was.
        peer: Option<SocketAddr>,
        /// How many more like it, from the same place and told by no record of their own, it stands for: a flood is summed up.
        #[serde(default)]
        repeated: u64,
    },
    /// A server accepted what serves once, which is spent now.
    TokenConsumed {
        /// Its name in these records.
        token: Fingerprint,
        /// Whose it is.
        client_id: Option<Label>,
        /// Who presented it.
        peer: Option<SocketAddr>,
        /// How long the verdict on it took, with whatever remembers that it is spent.
        #[serde(rename = "took_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<Duration>,
        /// How many more it stands for, of whichever tokens: there was no room to keep them for a record of their own.
        #[serde(default, skip_serializing_if = "is_zero")]
        repeated: u64,
    },
    /// A server was presented what had been used before.
    ReplayRejected {
        /// What it was.
        replayed: Replayed,
        /// Its name in these records, where it is a token.
        token: Option<Fingerprint>,
        /// Whose it is, where that is known.
        client_id: Option<Label>,
        /// Who presented it.
        peer: Option<SocketAddr>,
        /// How many more like it, from the same place and told by no record of their own, it stands for: a flood is summed up.
        #[serde(default)]
        repeated: u64,
    },
    /// A server let a connection in.
    ClientAuthenticated {
        /// The connection's number at this server, from 1.
        connection: u64,
        /// The dialect it speaks.
        dialect: Label,
        /// The token it presented.
        token: Option<Fingerprint>,
        /// Who it is.
        client_id: Option<Label>,
        /// From its arrival to its acceptance.
        #[serde(rename = "latency_ms", with = "millis")]
        latency: Duration,
        /// Where it comes from.
        peer: Option<SocketAddr>,
    },
    /// A server gave a live connection a longer life, for a fresh token.
    ClientReauthenticated {
        /// The connection's number at this server, from 1.
        connection: u64,
        /// The token it presented.
        token: Option<Fingerprint>,
        /// Who it is.
        client_id: Option<Label>,
    },
    /// A server did not let a connection in, or did not take its fresh token.
    ClientRejected {
        /// The connection's number at this server, from 1.
        connection: u64,
        /// The dialect it speaks.
        dialect: Label,
        /// Why.
        reason: Label,
        /// The close code or HTTP status it was answered with.
        code: Option<u16>,
        /// The token it presented, where that could be read.
        token: Option<Fingerprint>,
        /// From its arrival to its refusal; `None` where it goes on, and only its fresh token was refused.
        #[serde(rename = "latency_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        latency: Option<Duration>,
        /// Where it comes from.
        peer: Option<SocketAddr>,
        /// How many more like it, from the same place and told by no record of their own, it stands for: a flood is summed up.
        #[serde(default)]
        repeated: u64,
    },
    /// An authenticated connection of a server ended.
    ClientDisconnected {
        /// The connection's number at this server, from 1.
        connection: u64,
        /// Why: `expired`, `revoked`, `draining`, `closed by the client` and the like.
        reason: Label,
        /// The close code.
        code: Option<u16>,
        /// How long it had been authenticated.
        #[serde(rename = "lasted_ms", with = "millis")]
        lasted: Duration,
        /// How long its credential had been revoked: from the moment at which the server took the revocation to that at which it
        /// closed or dropped the connection for it, with the time that it gave for another credential. `None` where it ended for
        /// another reason, and where the moment is not known.
        #[serde(rename = "revoked_for_ms", with = "optional_millis")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revoked_for: Option<Duration>,
        /// On which way the server learned of that revocation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revoked_via: Option<RevocationPath>,
    },
}

#[cfg(test)]
mod tests;
