//! Sessions on tokio: a handle for the user, and one future that does all the work.

mod builder;
mod control;
mod dial;
mod gate;
mod ledger;
mod proxy;
mod race;
mod request;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::tokio::sync::{mpsc, oneshot, watch};
use ::tokio::time::timeout;
use auth_core::Secret;
use auth_core::time::Deadline;
use serde_json::Value;

pub use self::builder::Builder;
pub use self::control::Control;
pub use self::dial::{Dial, Dialing, Runtime, Stream, Tcp};
use self::gate::Gate;
pub use self::ledger::RenewalError;
use self::ledger::{Outgoing, Parcel, Question, Whose};
pub use self::proxy::Proxy;
pub use self::request::RequestError;
use self::request::{Progress, Waiting};
use self::run::Command;
pub use self::run::Driver;
use super::events::Subscribing;
pub use super::{ConnectBudget, Events, Message, SendError, Server, SessionEvent, Target, Unsent};
use crate::Error;
use crate::dialect::{self, Dialect};
use crate::driver::polled::Runtime as _;
use crate::machine::State;
pub use crate::outbox::{Limit, Overflow};

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
    subscribing: Subscribing,
}

/// Sends on a session while another task reads it. Clones send on the same session.
#[derive(Debug, Clone)]
pub struct Sender {
    outgoing: mpsc::UnboundedSender<Outgoing>,
    shared: Arc<Shared>,
}

/// What all senders of a session share.
#[derive(Debug)]
struct Shared {
    gate: Arc<Gate>,
    dialect: Arc<Dialect>,
    request_timeout: Duration,
    /// How many requests there were.
    asked: AtomicU64,
}

/// Where a session stands, as its driver last said.
#[derive(Debug, Clone)]
struct Status {
    state: State,
    error: Option<Error>,
    /// When the credential in use expires. Nobody is woken when it changes, nor by the next.
    expires: Option<Deadline>,
    round_trip: Option<Duration>,
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

    /// The events of the session from now on, in a channel of their own: nothing of what it does waits for who reads them.
    ///
    /// To miss none of them, call this before the [`Driver`] runs.
    #[must_use]
    pub fn events(&self) -> Events {
        self.subscribing.events()
    }

    /// How long the credential of the live connection is still good, where that is known.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        let expires = self.status.borrow().expires;
        expires.map(|expires| expires.remaining(self.runtime.now()))
    }

    /// How long the last ping took to be answered, if one was: a connection is pinged when it has been silent.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.status.borrow().round_trip
    }

    /// Sends a request, and waits for its reply, see [`Sender::request`].
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none.
    pub async fn request(&self, payload: &Value) -> Result<Value, RequestError> {
        self.sender.request(payload).await
    }

    /// Has a fresh credential presented now, and waits until the server has accepted it: on the connection, or on a new one if there is none, or
    /// the dialect has no other way. A renewal that is on its way already will do. Dropping the future does not stop it.
    ///
    /// # Errors
    ///
    /// [`RenewalError`] says why there was none. A connection that there is goes on with the credential that it has.
    pub async fn renew_now(&self) -> Result<(), RenewalError> {
        let (done, outcome) = oneshot::channel();
        let asked = self.commands.send(Command::Renew(Some(done))).await;
        asked.map_err(|_| RenewalError::ended())?;
        outcome.await.unwrap_or_else(|_| Err(RenewalError::ended()))
    }

    /// Asks for a fresh credential on the connection now, or for a connection now rather than after a wait, and does not wait for it.
    pub fn renew(&self) {
        self.ask(Command::Renew(None));
    }

    /// What another part of the program steers the session with, while this one reads it.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(&self.commands, &self.status)
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
        let message = message.into();
        let room = match self.shared.gate.enter(message.len()).await {
            Ok(room) => room,
            Err(reason) => return Err(SendError::new(message, reason)),
        };
        let (sent, outcome) = oneshot::channel();
        let parcel = Parcel { message, whose: Whose::Sender(sent), _room: room };
        let refused = |outgoing: Outgoing| SendError::new(outgoing.parcel.message, Unsent::Ended);
        self.outgoing.send(Outgoing { parcel, question: None }).map_err(|error| refused(error.0))?;
        outcome.await.unwrap_or_else(|_| Err(SendError::lost()))
    }

    /// Sends a request once the session is authenticated, and waits for its reply, which does not go to the session's reader. The dialect
    /// says where the request's [identifier](crate::dialect::Requests) goes, where it comes back, and which replies are not the last.
    ///
    /// It waits for [30 s](Builder::with_request_timeout), no longer than its connection lives, and with 255 others at most. Dropping the future
    /// takes a request back that has not gone out; a reply that comes too late goes to nobody.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none, and whether the request may have arrived.
    pub async fn request(&self, payload: &Value) -> Result<Value, RequestError> {
        let Shared { gate, dialect, request_timeout, asked } = &*self.shared;
        let requests = dialect.requests.as_ref().ok_or(RequestError::Unsupported)?;
        let mut payload = payload.clone();
        let fresh = dialect::uuid(rand::random());
        let id = requests.identify(&mut payload, fresh.expose()).ok_or(RequestError::Unidentifiable)?;
        let message = Message::from(dialect.codec.write(Secret::from(payload.to_string())));
        let waiting = Waiting(Arc::new(Progress::default()));
        let asking = async {
            let room = gate.enter(message.len()).await.map_err(RequestError::NotSent)?;
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let whose = Whose::Request { number, progress: Arc::clone(&waiting.0) };
            let (answer, outcome) = oneshot::channel();
            let question = Some(Question { id, answer });
            let parcel = Parcel { message, whose, _room: room };
            let ended = |_| RequestError::NotSent(Unsent::Ended);
            self.outgoing.send(Outgoing { parcel, question }).map_err(ended)?;
            outcome.await.unwrap_or(Err(RequestError::ConnectionLost))
        };
        let answered = timeout(*request_timeout, asking).await;
        answered.unwrap_or_else(|_| Err(RequestError::TimedOut { may_have_arrived: waiting.give_up() }))
    }
}
