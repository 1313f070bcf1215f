//! How a connection failed, and where it was when it did.

use std::time::Duration;

use serde_json::Value;

/// How a connection failed.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a table must classify every failure")]
pub enum Failure {
    /// The server answered the upgrade with this HTTP status.
    Status(u16),
    /// The server closed.
    Closed {
        /// The close code; `None` when it sent none (RFC 6455 §7.1.5: 1005), or when the connection ended without a close
        /// frame after one was due (1006).
        code: Option<u16>,
        /// The reason that it gave, often empty; an empty one changes nothing by itself.
        reason: String,
    },
    /// The server said so in a message.
    Message(Value),
    /// No answer came in time.
    Timeout,
    /// The transport failed: refused, reset, cut off, or silent for too long.
    Transport,
    /// The server answered the upgrade, or later a frame, with something that is no WebSocket.
    Protocol,
    /// A message was larger than we read.
    TooLarge,
    /// The proxy on the way opened no tunnel to the server, with this HTTP status.
    Proxy(u16),
    /// What answered in the place of that proxy does not speak HTTP.
    NoProxy,
    /// That proxy's certificate is not to be trusted.
    ProxyUntrusted,
    /// The server's certificate is not to be trusted.
    Untrusted,
    /// The server selected no subprotocol that we may take: none, one that was not offered, or the credential's.
    Subprotocol,
    /// The credential can't be placed where the dialect wants it.
    Unplaceable,
}

/// Where a connection was when something happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a rule must know every phase")]
pub enum Phase {
    /// Between the first byte of TCP and the answer to the upgrade.
    Upgrade,
    /// Upgraded, not accepted yet.
    Login,
    /// Accepted.
    Live,
    /// Accepted, and a fresh credential was presented that is not answered yet.
    Renewing,
}

/// A failure with all that may decide what it means.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a machine builds it, and another input would be another model"
)]
pub struct Occurrence<'a> {
    /// Where the connection was.
    pub phase: Phase,
    /// How long it had been there.
    pub elapsed: Duration,
    /// What happened.
    pub failure: &'a Failure,
}
