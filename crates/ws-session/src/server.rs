//! The other end of a dialect, without I/O: waits for the credential, asks for a verdict, enforces expiry.
//!
//! The contract is that of [`machine`](crate::machine): after each input, [`ServerSession::poll`] until it answers
//! [`Output::Wait`].

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::time::{Deadline, Now};
use auth_core::{ApiMisuse, Secret};
use serde_json::Value;

use crate::dialect::{Acceptance, Dialect};
pub use crate::machine::Received;

/// One connection as a server sees it.
#[derive(Debug)]
pub struct ServerSession {
    dialect: Dialect,
    session_id: String,
    phase: Phase,
    /// The credential must be there by now; or, once it is, be renewed by now.
    deadline: Option<Deadline>,
    /// The upgrade had the credential: no message is one.
    by_upgrade: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    /// A verdict on the first credential is being reached.
    Deciding,
    Live,
    /// A verdict on a renewal is being reached.
    Renewing,
    Closed,
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
    /// Send this text.
    Send(String),
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

/// The close code for a credential that is missing, refused or expired: what many services use, by analogy
/// with HTTP 401.
pub const UNAUTHORIZED: u16 = 4401;

impl ServerSession {
    /// A connection that was just upgraded. The client has `patience` to present a credential.
    #[must_use]
    pub fn new(now: Now, dialect: Dialect, session_id: String, patience: Duration) -> Self {
        Self {
            dialect,
            session_id,
            phase: Phase::Waiting,
            deadline: Some(now.timer(patience)),
            by_upgrade: false,
            outputs: VecDeque::new(),
        }
    }

    /// A connection whose upgrade had a credential that lives for `expires_in`. All that it sends is for the application, and
    /// it ends with its credential.
    #[must_use]
    pub fn admitted(now: Now, dialect: Dialect, session_id: String, expires_in: Duration) -> Self {
        Self {
            dialect,
            session_id,
            phase: Phase::Live,
            deadline: Some(now.expiry(expires_in)),
            by_upgrade: true,
            outputs: VecDeque::new(),
        }
    }

    /// Takes a text message. One that comes too late is not taken: the connection is closed instead.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn receive(&mut self, now: Now, text: &str) -> Result<Received, ApiMisuse> {
        self.tick(now)?;
        let credential = if self.by_upgrade { None } else { self.dialect.login().read(text) };
        match (self.phase, credential) {
            (Phase::Waiting, Some(credential)) => self.verify(Phase::Deciding, credential),
            (Phase::Waiting | Phase::Deciding, None) => {
                self.close(UNAUTHORIZED, "authenticate before anything else");
            }
            (Phase::Live, Some(credential)) => self.verify(Phase::Renewing, credential),
            (Phase::Deciding | Phase::Renewing, Some(_)) => {
                self.close(4400, "one credential at a time");
            }
            (Phase::Live | Phase::Renewing, None) => return Ok(Received::Deliver),
            (Phase::Closed, _) => {}
        }
        Ok(Received::Consumed)
    }

    /// Takes the verdict on the credential: the time it still lives, or a refusal for the client to read.
    ///
    /// A refused renewal leaves the connection as it was, until its own credential expires.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn decided(&mut self, now: Now, verdict: Result<Duration, &'static str>) -> Result<(), ApiMisuse> {
        self.drained()?;
        match (self.phase, verdict) {
            (Phase::Deciding | Phase::Renewing, Ok(expires_in)) => {
                self.phase = Phase::Live;
                self.deadline = Some(now.expiry(expires_in));
                self.answer(None);
            }
            (Phase::Deciding, Err(reason)) => {
                self.answer(Some(reason));
                self.close(UNAUTHORIZED, reason);
            }
            (Phase::Renewing, Err(reason)) => {
                self.phase = Phase::Live;
                self.answer(Some(reason));
            }
            (Phase::Waiting | Phase::Live | Phase::Closed, _) => {}
        }
        Ok(())
    }

    /// Takes note that time has passed.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn tick(&mut self, now: Now) -> Result<(), ApiMisuse> {
        self.drained()?;
        if self.deadline.is_some_and(|deadline| deadline.passed(now)) {
            match self.phase {
                Phase::Waiting | Phase::Deciding => self.close(UNAUTHORIZED, "no credential in time"),
                Phase::Live | Phase::Renewing => self.close(UNAUTHORIZED, "the credential has expired"),
                Phase::Closed => {}
            }
        }
        Ok(())
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Wait(self.deadline))
    }

    /// Whether the client is authenticated.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live | Phase::Renewing)
    }

    fn drained(&self) -> Result<(), ApiMisuse> {
        if self.outputs.is_empty() { Ok(()) } else { Err(ApiMisuse::OutputsPending) }
    }

    fn verify(&mut self, next: Phase, credential: Secret) {
        self.phase = next;
        self.outputs.push_back(Output::Verify { credential, renewal: next == Phase::Renewing });
    }

    /// Answers the credential in the dialect's own words.
    fn answer(&mut self, refusal: Option<&'static str>) {
        let Acceptance::Message { accepted, refused, session_id } = &self.dialect.acceptance;
        let message = match refusal {
            None => {
                let mut message = accepted.message();
                message.insert((*session_id).to_owned(), Value::from(self.session_id.as_str()));
                message
            }
            Some(reason) => {
                let mut message = refused.message();
                message.insert("message".to_owned(), Value::from(reason));
                message
            }
        };
        self.outputs.push_back(Output::Send(Value::Object(message).to_string()));
    }

    fn close(&mut self, code: u16, reason: &'static str) {
        self.phase = Phase::Closed;
        self.deadline = None;
        self.outputs.push_back(Output::Close { code, reason });
    }
}
