//! The machine itself.

use std::sync::Arc;
use std::time::Duration;

use auth_core::time::Now;
use auth_core::{ApiMisuse, Secret};

use super::{Config, DialectMessage, Epoch, Input, Output, Received, State};
use crate::Error;
use crate::dialect::{Dialect, Fresh, Incoming, Rendered, Unplaceable, UpgradeRequest};

/// One session: one live connection at most, and whatever it takes to keep one. See the
/// [module](super) for the contract.
#[derive(Debug)]
pub struct Session {
    dialect: Arc<Dialect>,
}

impl Session {
    /// A session that has not begun. `seed` decides all jitter and should differ between sessions.
    #[must_use]
    pub fn new(dialect: impl Into<Arc<Dialect>>, _config: Config, _seed: u64) -> Self {
        Self { dialect: dialect.into() }
    }

    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        State::Initialized
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        None
    }

    /// The connection that the user's messages go to, if there is one.
    #[must_use]
    pub const fn live(&self) -> Option<Epoch> {
        None
    }

    /// The dialect that it speaks.
    #[must_use]
    pub fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// Takes an input.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn handle(&mut self, _now: Now, _input: Input) -> Result<(), ApiMisuse> {
        Ok(())
    }

    /// Takes a message of the connection `epoch`.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub fn receive(
        &mut self,
        _now: Now,
        _epoch: Epoch,
        _incoming: Incoming<'_>,
    ) -> Result<Received, ApiMisuse> {
        Ok(Received::Deliver)
    }

    /// Takes note that something else than a message came on this connection: a ping, a pong. It lives.
    pub fn heard(&mut self, _epoch: Epoch) {}

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub fn poll(&mut self, _now: Now) -> Output {
        Output::Wait(None)
    }

    /// Whether [`poll`](Self::poll) would answer [`Output::Wait`]: nothing that was taken asks for anything.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        true
    }

    /// The upgrade request of an attempt, for [`Output::Open`]: `url` is the configured one.
    ///
    /// # Errors
    ///
    /// [`Unplaceable`] when the credential holds what can't stand in its place; hand the machine a
    /// [`Failure::Unplaceable`](crate::dialect::Failure::Unplaceable) then.
    pub fn upgrade(
        &self,
        _url: &str,
        _credential: &Secret,
        _fresh: Fresh,
    ) -> Result<UpgradeRequest, Unplaceable> {
        Err(Unplaceable("not written yet"))
    }

    /// A message of the dialect's, for [`Output::Send`], with the credential of its ticket.
    ///
    /// # Errors
    ///
    /// As [`upgrade`](Self::upgrade).
    pub fn message(
        &self,
        _epoch: Epoch,
        _message: DialectMessage,
        _credential: Option<&Secret>,
        _fresh: Fresh,
    ) -> Result<Rendered, Unplaceable> {
        Err(Unplaceable("not written yet"))
    }

    /// How long the credential of the live connection is still good, where that is known.
    #[must_use]
    pub const fn valid_for(&self, _now: Now) -> Option<Duration> {
        None
    }
}
