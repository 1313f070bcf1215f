//! Steering a session that somebody else holds.

use std::sync::Arc;
use std::time::Duration;

use auth_core::token::Generation;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::lane;
use super::run::Command;
use super::{RenewalError, RequestError, Runtime, Sender, Session, Status, ended};
use crate::Error;
use crate::driver::polled::Runtime as _;
use crate::machine::State;

/// Steers a session while another part of the program reads it. It does not keep the session open: the session is closed when its
/// [`Session`](super::Session) is dropped, whoever has one of these.
#[derive(Debug, Clone)]
pub struct Control {
    commands: lane::WeakSender<Command>,
    status: watch::Receiver<Status>,
    sender: Sender,
    /// Its clock.
    runtime: Arc<Runtime>,
}

impl Control {
    pub(super) fn new(session: &Session) -> Self {
        let Session { sender, status, runtime, commands, .. } = session;
        Self {
            commands: commands.downgrade(),
            status: status.clone(),
            sender: sender.clone(),
            runtime: Arc::clone(runtime),
        }
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

    /// Sends a request as [`Session::request`] does: how long its reply took, from now. The wait for a connection, and for what was sent
    /// before, is part of that; [`Session::round_trip`] is the time of the last ping frame alone.
    ///
    /// # Errors
    ///
    /// As [`Session::request`].
    pub async fn time_of_request(&self, request: &Value) -> Result<Duration, RequestError> {
        let asked = self.runtime.now();
        self.sender.request(request).await?;
        Ok(self.runtime.now().mono.elapsed().saturating_sub(asked.mono.elapsed()))
    }

    /// Waits until the session stands where `wanted` says, or has ended, and says where that is. States that it is in for a moment
    /// only may be missed.
    pub async fn reaches(&self, mut wanted: impl FnMut(State) -> bool + Send) -> State {
        let mut status = self.status.clone();
        let reached = status.wait_for(|status| wanted(status.state) || status.state.is_final()).await;
        // A driver that was dropped says no more.
        reached.map_or_else(|_| self.state(), |status| status.state)
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
