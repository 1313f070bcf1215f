//! Steering a session that somebody else holds.

use auth_core::token::Generation;
use tokio::sync::{oneshot, watch};

use super::lane;
use super::run::Command;
use super::{RenewalError, Status, ended};
use crate::Error;
use crate::machine::State;

/// Steers a session while another part of the program reads it. It does not keep the session open: the session is closed when its
/// [`Session`](super::Session) is dropped, whoever has one of these.
#[derive(Debug, Clone)]
pub struct Control {
    commands: lane::WeakSender<Command>,
    status: watch::Receiver<Status>,
}

impl Control {
    pub(super) fn new(commands: &lane::Sender<Command>, status: &watch::Receiver<Status>) -> Self {
        Self { commands: commands.downgrade(), status: status.clone() }
    }

    /// Has the credential of this generation, or a newer one, presented now, and waits until the server has accepted it: on the
    /// connection, or on the next one if that is lost meanwhile. An attempt to connect with an older one is given up. The source must have
    /// it, and number its tokens. Dropping the future does not stop it.
    ///
    /// # Errors
    ///
    /// [`RenewalError`] when a connection goes on without it, or there has been none for so long that the session counts as
    /// [`Suspended`](State::Suspended), or when the session has ended: see [`error`](Self::error).
    pub async fn present(&self, generation: Generation) -> Result<(), RenewalError> {
        let (done, outcome) = oneshot::channel();
        let asked = self.commands.send(Command::Present(generation, done));
        asked.map_err(|_| RenewalError::ended())?;
        outcome.await.unwrap_or_else(|_| Err(RenewalError::ended()))
    }

    /// Closes the session after what was sent, as [`Session::close`](super::Session::close), and waits until nothing of it is left.
    ///
    /// # Errors
    ///
    /// Why the session had already ended, if it had failed.
    pub async fn close(&self) -> Result<(), Error> {
        // One that has ended can't be told.
        let _ = self.commands.send(Command::Close);
        ended(self.status.clone()).await
    }

    /// Where the session stands; one whose driver was dropped stands where it stood.
    #[must_use]
    pub fn state(&self) -> State {
        self.status.borrow().state
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.status.borrow().error.clone()
    }

    /// Whether there is nothing left to steer: the session has ended, or is closing since it was dropped, or its driver was dropped.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state().is_final() || self.commands.is_closed()
    }
}
