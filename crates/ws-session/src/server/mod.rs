//! The other end of a dialect, without I/O: takes the credential, asks for a verdict, enforces expiry, asks for renewal, revokes.
//!
//! The contract is that of [`machine`](crate::machine): after each input, [`ServerSession::poll`] until it answers
//! [`Output::Wait`].

use std::sync::Arc;
use std::time::Duration;

use auth_core::time::{Deadline, Now};
use auth_core::{ApiMisuse, Secret};

use crate::dialect::{Dialect, Incoming};
pub use crate::machine::Received;

/// One connection as a server sees it.
#[derive(Debug)]
pub struct ServerSession {
    dialect: Arc<Dialect>,
}

/// What a server allows its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// How long a client may take to present a credential.
    pub patience: Duration,
    /// How long before its expiry a client is asked for a fresh credential, in dialects in which the server asks.
    pub ask_before: Duration,
    /// How long after its expiry a credential still serves, for a renewal that is on its way.
    pub grace: Duration,
}

/// What an upgrade request says in a dialect's terms.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgrade {
    /// The credential, where the dialect places it into the upgrade and the client did.
    pub credential: Option<Secret>,
    /// The subprotocol to select; `None` when none was offered.
    pub subprotocol: Option<String>,
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
    },
    /// Send this message.
    Send {
        /// What.
        text: String,
        /// Whether it goes into a binary frame.
        binary: bool,
    },
    /// Close with this code and reason.
    Close {
        /// The close code.
        code: u16,
        /// The reason, for people.
        reason: &'static str,
    },
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
}

/// The close code for a credential that is missing, refused, expired or revoked: what many services use, by analogy
/// with HTTP 401.
pub const UNAUTHORIZED: u16 = 4401;

impl ServerSession {
    /// A connection whose upgrade request was read. Where the dialect places the credential there, the verdict on it decides how the
    /// upgrade is answered; elsewhere the upgrade is accepted at once, and the client has time to present one.
    #[must_use]
    pub fn new(
        _now: Now,
        dialect: impl Into<Arc<Dialect>>,
        _terms: Terms,
        _session_id: String,
        _upgrade: Upgrade,
    ) -> Self {
        Self { dialect: dialect.into() }
    }

    /// Takes a message. One that comes too late is not taken: the connection is closed instead.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn receive(&mut self, _now: Now, _incoming: Incoming<'_>) -> Result<Received, ApiMisuse> {
        let _ = &self.dialect;
        Ok(Received::Deliver)
    }

    /// Takes the verdict on the credential: the time it still lives, or a refusal for the client to read.
    ///
    /// A refused renewal leaves the connection as it was, until its own credential expires.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn decided(&mut self, _now: Now, _verdict: Result<Duration, &'static str>) -> Result<(), ApiMisuse> {
        Ok(())
    }

    /// The credential was revoked: the client is asked for another where the dialect can ask, and closed otherwise.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn revoked(&mut self, _now: Now) -> Result<(), ApiMisuse> {
        Ok(())
    }

    /// Takes note that time has passed.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn tick(&mut self, _now: Now) -> Result<(), ApiMisuse> {
        Ok(())
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub const fn poll(&mut self) -> Output {
        Output::Wait(None)
    }

    /// Whether the client is authenticated.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        false
    }
}
