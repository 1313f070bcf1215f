//! Sessions on tokio: a handle for the user, and one future that does all the work.

mod builder;
mod clock;
mod connect;
mod outbox;
mod run;

use std::fmt;
use std::time::Duration;

use ::tokio::sync::{mpsc, oneshot, watch};
use ::tokio::time::timeout;
use bytes::Bytes;

pub use self::builder::Builder;
pub use self::connect::Target;
use self::outbox::Outgoing;
pub use self::run::Driver;
use crate::Error;
use crate::machine::State;

/// A session that keeps itself connected and authenticated.
///
/// Messages of up to 1 MiB are read; a larger one costs the connection. Dropping the session closes the connection and
/// ends the [`Driver`].
#[derive(Debug)]
pub struct Session {
    sender: Sender,
    incoming: mpsc::Receiver<Message>,
    status: watch::Receiver<Status>,
    close: Option<oneshot::Sender<()>>,
}

/// Sends on a session while another task reads it. Clones send on the same session.
#[derive(Debug, Clone)]
pub struct Sender(mpsc::Sender<Outgoing>);

/// Where a session stands, as its driver last said.
#[derive(Debug, Clone)]
struct Status {
    state: State,
    error: Option<Error>,
}

/// A message of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
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
            State::Connected => Ok(()),
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

    /// The next message; `None` when the session has ended, see [`close`](Self::close) for why.
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

    /// Closes the session after what was sent, and waits until nothing of it is left.
    ///
    /// # Errors
    ///
    /// Why the session had already ended, if it had failed.
    pub async fn close(mut self) -> Result<(), Error> {
        drop(self.close.take());
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
        let refused = |message| SendError { message: Some(message), may_have_arrived: false };
        self.0.send(outgoing).await.map_err(|error| refused(error.0.message))?;
        outcome.await.unwrap_or(Err(SendError { message: None, may_have_arrived: true }))
    }
}

/// A message that was not sent, or that may not have been.
#[derive(Debug)]
pub struct SendError {
    message: Option<Message>,
    may_have_arrived: bool,
}

impl SendError {
    /// The message, to try again with; `None` only when the driver was dropped together with it.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        self.message
    }

    /// Whether bytes of it may have left: the connection broke while it was being sent.
    #[must_use]
    pub const fn may_have_arrived(&self) -> bool {
        self.may_have_arrived
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.may_have_arrived {
            "the connection broke while the message was being sent; it may have arrived"
        } else {
            "the session has ended and the message was not sent"
        })
    }
}

impl std::error::Error for SendError {}
