//! The other end of a dialect, without I/O: takes the credential, asks for a verdict, enforces expiry, asks for renewal, revokes.
//!
//! The contract is that of [`machine`](crate::machine): after each input, [`ServerSession::poll`] until it answers
//! [`Output::Wait`].

mod receiving;
mod saying;
mod session;
#[cfg(test)]
mod tests;
mod upgrade;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use auth_core::Secret;
use auth_core::time::Deadline;

pub use self::session::ServerSession;
pub use self::upgrade::Upgrade;
use crate::dialect::{Dialect, Renewal, RenewalTime, Verdict};
pub use crate::machine::Received;

/// What a server allows its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// How long a client may take to present a credential.
    pub patience: Duration,
    /// How long a client whose credential was revoked may take to present another, in dialects in which the server can ask for one; with
    /// none, the connection is closed at once.
    pub patience_after_revocation: Duration,
    /// How long before its expiry a client is asked for a fresh credential, in dialects in which the server asks.
    pub ask_before: Duration,
    /// How long after its expiry a credential still serves, for a renewal that is on its way.
    pub grace: Duration,
    /// The longest silence, where the dialect has a message to break one with; it is announced where the dialect has a place for it.
    pub idle: Option<Duration>,
}

impl Terms {
    /// What suits a dialect: 10 s for the credential, and for another once it was revoked, asking 30 s before its expiry, silences of at most 25 s, and no grace, or
    /// one of 25 s where clients renew at expiry. The latter two are Centrifugo's.
    #[must_use]
    pub fn of(dialect: &Dialect) -> Self {
        let at_expiry = matches!(
            dialect.renewal,
            Renewal::InBand { when: RenewalTime::AtExpiry, .. }
                | Renewal::Reconnect { when: RenewalTime::AtExpiry, .. }
        );
        Self {
            patience: Duration::from_secs(10),
            patience_after_revocation: Duration::from_secs(10),
            ask_before: Duration::from_secs(30),
            grace: if at_expiry { Duration::from_secs(25) } else { Duration::ZERO },
            idle: Some(Duration::from_secs(25)),
        }
    }

    /// The same terms with this time for the credential, and for another once it was revoked.
    #[must_use]
    pub const fn with_patience(self, patience: Duration) -> Self {
        Self { patience, patience_after_revocation: patience, ..self }
    }

    /// The same terms with this time for another credential once one was revoked: with none, the connection is closed at once.
    #[must_use]
    pub const fn with_patience_after_revocation(self, patience_after_revocation: Duration) -> Self {
        Self { patience_after_revocation, ..self }
    }
}

/// Why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What the client is to make of it, as far as the dialect can say so.
    pub verdict: Verdict,
    /// The reason, for people; the client reads it.
    pub reason: &'static str,
    /// Whether the credential serves once, and had been used: for the server's own records.
    pub is_replay: bool,
}

impl Refusal {
    /// A refusal that means this.
    #[must_use]
    pub const fn new(verdict: Verdict, reason: &'static str) -> Self {
        Self { verdict, reason, is_replay: false }
    }

    /// The credential serves once, and had been used. To the client it is as any other that is no good.
    #[must_use]
    pub const fn replayed(reason: &'static str) -> Self {
        Self { is_replay: true, ..Self::rejected(reason) }
    }

    /// The credential is no good.
    #[must_use]
    pub const fn rejected(reason: &'static str) -> Self {
        Self::new(Verdict::Rejected, reason)
    }

    /// The credential is no longer good; a fresh one may be.
    #[must_use]
    pub const fn expired(reason: &'static str) -> Self {
        Self::new(Verdict::Expired, reason)
    }

    /// The credential is good, and does not allow this.
    #[must_use]
    pub const fn forbidden(reason: &'static str) -> Self {
        Self::new(Verdict::Forbidden, reason)
    }

    /// Whether the credential is good could not be found out.
    #[must_use]
    pub const fn unreachable(reason: &'static str) -> Self {
        Self::new(Verdict::Transient, reason)
    }

    /// The HTTP status for it (RFC 9110 §15), where the dialect names none.
    const fn status(self) -> u16 {
        match self.verdict {
            Verdict::Forbidden => 403,
            Verdict::RateLimited => 429,
            Verdict::Transient | Verdict::ReconnectNow => 503,
            Verdict::Misuse => 400,
            Verdict::Rejected | Verdict::Expired | Verdict::AuthenticationTimeout => 401,
        }
    }

    /// The close code for it, where the dialect names none: 1013 is "try again later" in the registry of RFC 6455 §11.7.
    const fn close_code(self) -> u16 {
        match self.verdict {
            Verdict::Transient | Verdict::ReconnectNow | Verdict::RateLimited => 1013,
            _ => UNAUTHORIZED,
        }
    }
}

/// What the server's driver must do.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a new output must break a driver at compile time")]
pub enum Output {
    /// Reach a verdict on this credential, and hand it to [`ServerSession::decided`].
    Verify {
        /// What the client presented.
        credential: Secret,
        /// Whether the connection is live already.
        renewal: bool,
    },
    /// Answer the upgrade with 101.
    Accept,
    /// Answer the upgrade with this HTTP status instead.
    Refuse {
        /// The status.
        status: u16,
        /// The reason, for people.
        reason: &'static str,
    },
    /// Send this message.
    Send {
        /// What.
        text: String,
        /// Whether it goes into a binary frame.
        binary: bool,
    },
    /// Hand this message to the application: it came in one frame with a credential, which is cut out of it.
    Deliver {
        /// The message.
        text: String,
    },
    /// Close with this code and reason.
    Close {
        /// The close code; `None` for a close frame without one, which some dialects have a meaning for.
        code: Option<u16>,
        /// The reason, for people. A frame has room for 123 bytes of it (RFC 6455 §5.5).
        reason: Cow<'static, str>,
    },
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
}

/// The close code for a credential that is missing, refused, expired or revoked: what many services use, by analogy
/// with HTTP 401.
pub const UNAUTHORIZED: u16 = 4401;

/// The close code for a second credential where none was due, by analogy with HTTP 400.
pub const AUTHENTICATED_TWICE: u16 = 4400;
