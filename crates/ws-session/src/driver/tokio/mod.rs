//! Sessions on tokio: a handle for the user, and one future that does all the work.

mod builder;
mod dial;
mod run;

use std::sync::Arc;
use std::time::Duration;

use ::tokio::sync::{mpsc, oneshot, watch};
use ::tokio::time::timeout;

use auth_core::time::Deadline;

pub use self::builder::Builder;
pub use self::dial::{Dial, Dialing, Runtime, Stream, Tcp};
pub use self::run::Driver;
use self::run::{Command, Outgoing};
pub use super::{Message, SendError, Server, Target, Unsent};
use crate::Error;
use crate::driver::polled::Runtime as _;
use crate::machine::State;

/// A session that keeps itself connected and authenticated.
///
/// Messages of up to 1 MiB are read (64 KiB before the server has accepted the credential); a larger one costs the connection. Dropping the session closes the connection and
/// ends the [`Driver`].
#[derive(Debug)]
pub struct Session {
    sender: Sender,
    incoming: mpsc::Receiver<Message>,
    status: watch::Receiver<Status>,
    /// Its clock.
    runtime: Arc<Runtime>,
    /// Nobody else has one: without it, the session is closed.
    commands: mpsc::Sender<Command>,
}

/// Sends on a session while another task reads it. Clones send on the same session.
#[derive(Debug, Clone)]
pub struct Sender(mpsc::Sender<Outgoing>);

/// Where a session stands, as its driver last said.
#[derive(Debug, Clone)]
struct Status {
    state: State,
    error: Option<Error>,
    /// When the credential of the live connection is good no longer.
    expires: Option<Deadline>,
}

impl Session {
    /// Waits until the session is authenticated for the first time, or again after a lost connection.
    ///
    /// # Errors
    ///
    /// Why the session ended for good. A fault that may pass is no error: the session keeps trying.
    pub async fn authenticated(&mut self) -> Result<(), Error> {
        let known = |status: &Status| status.state == State::Connected || status.state.is_final();
        let status = self.status.wait_for(known).await.map_err(|_| Error::closed())?.clone();
        match status.state {
            // A driver that was dropped has not said so.
            State::Connected if self.status.has_changed().is_ok() => Ok(()),
            _ => Err(status.error.unwrap_or_else(Error::closed)),
        }
    }

    /// As [`authenticated`](Self::authenticated), for as long as the caller has patience.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when that is over; the session keeps trying.
    pub async fn authenticated_within(&mut self, patience: Duration) -> Result<(), Error> {
        timeout(patience, self.authenticated()).await.unwrap_or_else(|_| Err(Error::not_in_time()))
    }

    /// The next message; `None` when the session has ended, see [`error`](Self::error) for why.
    ///
    /// At most 256 messages wait here; beyond that nothing is read until they are taken, neither an answer to a renewal
    /// nor the end of the connection. A session that only sends has a task that reads all the same.
    pub async fn next(&mut self) -> Option<Message> {
        self.incoming.recv().await
    }

    /// Sends a message once the session is authenticated, see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// [`SendError`] holds the message: nothing is lost in silence.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// What another task sends with, while this one reads. A peer that answers each message needs both at once: whoever
    /// sends without reading waits as soon as the queues in between are full.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.status.borrow().state
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.status.borrow().error.clone()
    }

    /// How long the credential of the live connection is still good, where that is known.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        let expires = self.status.borrow().expires;
        expires.map(|expires| expires.remaining(self.runtime.now()))
    }

    /// Asks for a fresh credential on the connection now, or for a connection now rather than after a wait.
    pub fn renew(&self) {
        self.ask(Command::Renew);
    }

    /// Says that the network changed: a live connection is asked whether it lives, and a wait for the next attempt is over.
    pub fn network_changed(&self) {
        self.ask(Command::NetworkChanged);
    }

    fn ask(&self, command: Command) {
        // A full queue holds the same already; a session that has ended wants nothing more.
        let _ = self.commands.try_send(command);
    }

    /// Closes the session after what was sent, and waits until nothing of it is left.
    ///
    /// # Errors
    ///
    /// Why the session had already ended, if it had failed.
    pub async fn close(mut self) -> Result<(), Error> {
        drop(self.commands);
        self.incoming.close();
        let ended = self.status.wait_for(|status| status.state.is_final()).await.map(|status| status.clone());
        match ended {
            Ok(Status { error: Some(error), .. }) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Sender {
    /// Sends a message once the session is authenticated, and returns when it is with the operating system. Dropping
    /// the future does not take the message back.
    ///
    /// # Errors
    ///
    /// [`SendError`] holds the message: nothing is lost in silence.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        let (sent, outcome) = oneshot::channel();
        let outgoing = Outgoing { message: message.into(), sent };
        let refused = |outgoing: Outgoing| SendError::new(outgoing.message, Unsent::Ended);
        self.0.send(outgoing).await.map_err(|error| refused(error.0))?;
        outcome.await.unwrap_or_else(|_| Err(SendError::lost()))
    }
}
