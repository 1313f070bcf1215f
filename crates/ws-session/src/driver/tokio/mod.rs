//! Sessions on tokio: a handle for the user, and one future that does all the work.

mod builder;
mod control;
mod dial;
mod lane;
mod ledger;
mod proxy;
mod queue;
mod race;
mod reading;
mod request;
mod run;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::sync::{oneshot, watch};
use ::tokio::task::coop::cooperative;
use ::tokio::time::timeout;
use auth_core::Secret;
use auth_core::time::Deadline;
use serde_json::Value;

pub use self::builder::Builder;
pub use self::control::Control;
pub use self::dial::{Dial, Dialing, Runtime, Stream, Tcp};
pub use self::ledger::RenewalError;
use self::ledger::{Outgoing, Parcel, Question, Whose};
pub use self::proxy::Proxy;
use self::queue::Queue;
use self::reading::Incoming;
pub use self::request::RequestError;
use self::request::Waiting;
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
    incoming: Incoming,
    status: watch::Receiver<Status>,
    /// Its clock.
    runtime: Arc<Runtime>,
    /// Nobody else has one: without it, the session is closed.
    commands: lane::Sender<Command>,
    subscribing: Subscribing,
}

/// Sends on a session while another task reads it. Clones send on the same session.
#[derive(Debug, Clone)]
pub struct Sender {
    shared: Arc<Shared>,
}

/// Is ready when a message is with the operating system, or comes back with it. Dropping it does not take the message back.
#[derive(Debug)]
#[must_use = "a message that comes back is lost with this"]
pub struct Sent(oneshot::Receiver<Result<(), SendError>>);

/// What all senders of a session share.
#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
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
    /// At most 320 messages wait here, or some 192 KiB of them, or three that are larger; beyond that nothing is read until they are taken,
    /// neither an answer to a renewal nor the end of the connection. A session that only sends has a task that reads all the same.
    pub async fn next(&mut self) -> Option<Message> {
        // A reader that always has something to read lets others of its runtime have their turn.
        cooperative(poll_fn(|cx| self.incoming.poll_next(cx))).await
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
        self.subscribing.events(self.runtime.now())
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
    /// Where there is no connection, the source is asked for a token that was not presented before. The next connection is made with what it
    /// hands out, even if it has no newer one, and an attempt that has asked for its token already goes on with that: ask again once connected
    /// where it must be another.
    ///
    /// # Errors
    ///
    /// [`RenewalError`] says why there was none. A connection that there is goes on with the credential that it has.
    pub async fn renew_now(&self) -> Result<(), RenewalError> {
        let (done, outcome) = oneshot::channel();
        self.commands.send(Command::Renew(Some(done))).map_err(|_| RenewalError::ended())?;
        outcome.await.unwrap_or_else(|_| Err(RenewalError::ended()))
    }

    /// Asks for a fresh credential on the connection now, or for a connection now rather than after a wait, and does not wait for it.
    pub fn renew(&self) {
        self.ask(|known| matches!(known, Command::Renew(_)), Command::Renew(None));
    }

    /// What another part of the program steers the session with, while this one reads it.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self)
    }

    /// Says that the network changed: a live connection is asked whether it lives, and a wait for the next attempt is over.
    pub fn network_changed(&self) {
        self.ask(|known| matches!(known, Command::NetworkChanged), Command::NetworkChanged);
    }

    fn ask(&self, is_the_same: impl FnMut(&Command) -> bool, command: Command) {
        // Nobody waits for it: one that waits already does as well, and a session that has ended wants nothing more.
        let _ = self.commands.send_unless(is_the_same, command);
    }

    /// Closes the session after what was sent, and waits until nothing of it is left. What the server takes no more of for the
    /// [close timeout](crate::machine::Config::with_close_timeout) comes back to its senders, as does what waits for a connection.
    ///
    /// # Errors
    ///
    /// Why the session had already ended, if it had failed.
    pub async fn close(mut self) -> Result<(), Error> {
        drop(self.commands);
        self.incoming.close();
        ended(self.status).await
    }
}

/// Waits until nothing of a session is left.
///
/// # Errors
///
/// Why it had already ended, if it had failed.
async fn ended(mut status: watch::Receiver<Status>) -> Result<(), Error> {
    let ended = status.wait_for(|status| status.state.is_final()).await.map(|status| status.error.clone());
    match ended {
        Ok(Some(error)) => Err(error),
        Ok(None) | Err(_) => Ok(()),
    }
}

impl Future for Sent {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap_or_else(|_| Err(SendError::lost())))
    }
}

impl Sender {
    /// Sends a message once the session is authenticated, and returns when it is with the operating system. Dropping
    /// the future takes a message back that waits for room, and no other.
    ///
    /// # Errors
    ///
    /// [`SendError`] holds the message: nothing is lost in silence.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        self.enqueue(message).await?.await
    }

    /// Puts a message down to be sent, and returns as soon as there is room for it; dropping the future before takes it back. [`Sent`] says what became of it: with many under way at once,
    /// which go out together, far more fit through a session than when each is waited for.
    ///
    /// # Errors
    ///
    /// [`SendError`] holds the message, when there is no room and none is waited for, or the session has ended.
    pub async fn enqueue(&self, message: impl Into<Message> + Send) -> Result<Sent, SendError> {
        let (sent, outcome) = oneshot::channel();
        let parcel = Parcel { message: message.into(), whose: Whose::Sender(sent), room: None };
        let put = self.shared.queue.put(Outgoing { parcel, question: None }).await;
        put.map_err(|(outgoing, reason)| SendError::new(outgoing.parcel.message, reason))?;
        Ok(Sent(outcome))
    }

    /// Sends a request once the session is authenticated, and waits for its reply, which does not go to the session's reader. The dialect
    /// says where the request's [identifier](crate::dialect::Requests) goes, where it comes back, and which replies are not the last.
    /// Messages that share their frame with a reply go to the reader without it.
    ///
    /// It waits for [30 s](Builder::with_request_timeout), no longer than its connection lives, and with 255 others at most. Dropping the future
    /// takes a request back that has not gone out; a reply that comes too late goes to nobody, unless it must make room for more requests than
    /// that: then it goes to the reader.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none, and whether the request may have arrived.
    pub async fn request(&self, payload: &Value) -> Result<Value, RequestError> {
        let Shared { queue, dialect, request_timeout, asked } = &*self.shared;
        let requests = dialect.requests.as_ref().filter(|_| dialect.codec.is_json());
        let requests = requests.ok_or(RequestError::Unsupported)?;
        let mut payload = payload.clone();
        let fresh = dialect::uuid(rand::random());
        let id = requests.identify(&mut payload, fresh.expose()).ok_or(RequestError::Unidentifiable)?;
        let message = Message::from(dialect.codec.write(Secret::from(payload.to_string())));
        let waiting = Waiting { progress: Arc::default(), queue };
        let asking = async {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let whose = Whose::Request { number, progress: Arc::clone(&waiting.progress) };
            let (answer, outcome) = oneshot::channel();
            let question = Some(Question { id, answer });
            let put = queue.put(Outgoing { parcel: Parcel { message, whose, room: None }, question }).await;
            put.map_err(|(_, reason)| RequestError::NotSent(reason))?;
            outcome.await.unwrap_or(Err(RequestError::ConnectionLost))
        };
        let answered = timeout(*request_timeout, asking).await;
        answered.unwrap_or_else(|_| Err(RequestError::TimedOut { may_have_arrived: waiting.give_up() }))
    }
}
