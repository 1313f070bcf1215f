//! Each event's name, and the class that decides how safely it is recorded.

use super::AuthEvent;

/// What kind of thing an event tells of: audit logs have a mode for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a new class needs a mode of its own")]
pub enum EventClass {
    /// A token came to be, or was let out.
    Issuing,
    /// What serves once was spent, or was presented again.
    Consuming,
    /// A token is not to be accepted any more.
    Revoking,
    /// Somebody was let in, or was not.
    Deciding,
    /// How it goes: attempts, waits, connections that come and go.
    Progress,
}

impl EventClass {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Issuing, Self::Consuming, Self::Revoking, Self::Deciding, Self::Progress];
}

impl AuthEvent {
    /// Its name in JSON, under `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RenewalStarted { .. } => "renewal_started",
            Self::RenewalDelayed { .. } => "renewal_delayed",
            Self::RenewalPaused { .. } => "renewal_paused",
            Self::TokenRequested { .. } => "token_requested",
            Self::RateLimited { .. } => "rate_limited",
            Self::TokenRequestFailed { .. } => "token_request_failed",
            Self::TokenIssued { .. } => "token_issued",
            Self::TokenAdopted { .. } => "token_adopted",
            Self::TokenUnused { .. } => "token_unused",
            Self::TokenExpired { .. } => "token_expired",
            Self::RefreshInDoubt { .. } => "refresh_in_doubt",
            Self::RefreshTokenRefused { .. } => "refresh_token_refused",
            Self::RefreshTokenSaved { .. } => "refresh_token_saved",
            Self::StoreFailed { .. } => "store_failed",
            Self::ServerClockLearned { .. } => "server_clock_learned",
            Self::ClockSetBack { .. } => "clock_set_back",
            Self::TokenRejected { .. } => "token_rejected",
            Self::ScopesChecked { .. } => "scopes_checked",
            Self::Connecting { .. } => "connecting",
            Self::Authenticated { .. } => "authenticated",
            Self::TokenRenewed { .. } => "token_renewed",
            Self::RenewalFailed { .. } => "renewal_failed",
            Self::ExpiryIgnored { .. } => "expiry_ignored",
            Self::ConnectionDelayed { .. } => "connection_delayed",
            Self::ConnectionLost { .. } => "connection_lost",
            Self::SessionSuspended { .. } => "session_suspended",
            Self::SessionFailed { .. } => "session_failed",
            Self::SessionClosed { .. } => "session_closed",
            Self::TokenReleased { .. } => "token_released",
            Self::TokenRequestSigned { .. } => "token_request_signed",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::RevocationFailed { .. } => "revocation_failed",
            Self::TokenMinted { .. } => "token_minted",
            Self::TokenDenied { .. } => "token_denied",
            Self::TokenConsumed { .. } => "token_consumed",
            Self::ReplayRejected { .. } => "replay_rejected",
            Self::ClientAuthenticated { .. } => "client_authenticated",
            Self::ClientReauthenticated { .. } => "client_reauthenticated",
            Self::ClientRejected { .. } => "client_rejected",
            Self::ClientDisconnected { .. } => "client_disconnected",
        }
    }

    /// What kind of thing it tells of.
    #[must_use]
    pub const fn class(&self) -> EventClass {
        match self {
            Self::TokenIssued { .. }
            | Self::TokenAdopted { .. }
            | Self::TokenReleased { .. }
            | Self::TokenRequestSigned { .. }
            | Self::TokenMinted { .. } => EventClass::Issuing,
            Self::TokenConsumed { .. } | Self::ReplayRejected { .. } => EventClass::Consuming,
            Self::RefreshTokenRefused { .. }
            | Self::TokenRejected { .. }
            | Self::TokenRevoked { .. }
            | Self::RevocationFailed { .. } => EventClass::Revoking,
            Self::ScopesChecked { .. }
            | Self::Authenticated { .. }
            | Self::TokenRenewed { .. }
            | Self::SessionFailed { .. }
            | Self::TokenDenied { .. }
            | Self::ClientAuthenticated { .. }
            | Self::ClientReauthenticated { .. }
            | Self::ClientRejected { .. } => EventClass::Deciding,
            Self::RenewalStarted { .. }
            | Self::RenewalDelayed { .. }
            | Self::RenewalPaused { .. }
            | Self::TokenRequested { .. }
            | Self::RateLimited { .. }
            | Self::TokenRequestFailed { .. }
            | Self::TokenUnused { .. }
            | Self::TokenExpired { .. }
            | Self::RefreshInDoubt { .. }
            | Self::RefreshTokenSaved { .. }
            | Self::StoreFailed { .. }
            | Self::ServerClockLearned { .. }
            | Self::ClockSetBack { .. }
            | Self::Connecting { .. }
            | Self::RenewalFailed { .. }
            | Self::ExpiryIgnored { .. }
            | Self::ConnectionDelayed { .. }
            | Self::ConnectionLost { .. }
            | Self::SessionSuspended { .. }
            | Self::SessionClosed { .. }
            | Self::ClientDisconnected { .. } => EventClass::Progress,
        }
    }
}
