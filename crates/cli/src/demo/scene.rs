//! What the demo observes beside the client's own events.

use auth_core::fingerprint::Fingerprint;
use auth_core::observe::Label;
use auth_core::scope::Scopes;
use serde::Serialize;

/// One observation of the demo, named under `event` as the client's are.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Scene {
    /// The gateway has its port.
    GatewayListening { http: String, ws: String },
    /// A message came back over the authenticated connection.
    MessageEchoed { text: String, outlived_first_token: bool },
    /// The session is authenticated again, with a token that was never used before.
    Reconnected { connection: u64, token: Fingerprint, session_id: Option<Label> },
    /// A session that lacks a scope ended without a socket.
    ScopeDenied { missing: Scopes, sockets_opened: u64 },
    /// The audit log was read back, and its chain is whole.
    AuditVerified { records: u64, head: String },
    /// Every step held.
    Done { steps: usize },
    /// A step did not hold.
    Failed { step: &'static str, reason: String },
}
