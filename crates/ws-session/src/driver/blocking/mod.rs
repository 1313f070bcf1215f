//! Sessions without any runtime: whoever calls a session runs it, for as long as that call takes.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use auth_core::{Secret, Token};
//! use ws_session::dialect::Dialect;
//! use ws_session::driver::blocking::{Session, Target, asking};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let source = asking(|_demand| Ok(Token::new(Secret::from("token"))));
//! let mut session = Session::builder(Target::new("wss://api.example.com/ws")?, Dialect::genesys(), source).open();
//! session.send("hello")?; // goes out once the session is authenticated
//! loop {
//!     match session.next(Duration::from_secs(1))? {
//!         Some(message) => println!("{message:?}"),
//!         None => println!("nothing for a second; the session lives"),
//!     }
//! }
//! # }
//! ```

mod acting;
mod builder;
mod connection;
mod dial;
mod helper;
mod run;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::TokenSource;

pub use self::builder::{Builder, asking};
use self::run::{Driver, Turn};
pub use super::{Message, SendError, Target, Unsent};
use super::{clock, wire};
use crate::Error;
use crate::dialect::Dialect;
use crate::machine::{Input, State};

/// How many messages wait for a connection, how many for their reader, and how many that came back for whoever wants them.
const QUEUE: usize = 256;

/// How many bytes wait for a connection, the last message not counted.
const QUEUE_BYTES: usize = wire::LARGEST_MESSAGE;

/// A session that keeps itself connected and authenticated while one of its methods is called.
///
/// Between calls nothing is read: pings go unanswered, credentials are not renewed, and a connection that is lost stays
/// lost, until the next call catches up. A server closes a connection that is left alone for too long, so a program that has
/// nothing to wait for calls [`next`](Self::next) now and then all the same, as often as the server wants a sign of life. Only tokens are
/// fetched and connections opened meanwhile, each on a thread of its own.
///
/// Messages of up to 1 MiB are read (64 KiB before the server has accepted the credential); a larger one costs the connection. Dropping the session ends its connection with a
/// close frame, if the peer takes it at once, and gives up what its threads do; a thread that a name server or a blocking
/// [closure](asking) holds up ends when they let it.
pub struct Session {
    driver: Driver,
}

impl Session {
    /// Begins with a session at `target` in a dialect, whose credentials come from `source`, or from a [closure](asking).
    ///
    /// The source's future is polled on a plain thread: it may block it, and must not need a runtime.
    pub fn builder(
        target: Target,
        dialect: impl Into<Arc<Dialect>>,
        source: Arc<dyn TokenSource>,
    ) -> Builder {
        Builder::new(target, dialect.into(), source)
    }

    /// The next message; `None` when there is none within `patience`. Even one of zero has a look.
    ///
    /// # Errors
    ///
    /// Why the session has ended for good: [`ErrorKind::Closed`](crate::ErrorKind::Closed) when it was closed. A fault that may pass is
    /// no error: the session keeps trying.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Message>, Error> {
        self.run(patience, |driver| driver.inbox.pop())
    }

    /// Waits until the session is authenticated, for the first time or again, for as long as the caller has patience.
    /// Messages that come meanwhile wait for [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the patience is over; the session keeps trying.
    pub fn authenticated_within(&mut self, patience: Duration) -> Result<(), Error> {
        let connected = |driver: &mut Driver| (driver.machine.state() == State::Connected).then_some(());
        self.run(patience, connected)?.ok_or_else(Error::not_in_time)
    }

    /// Takes a message to be sent: now, as far as the peer reads, and otherwise while another method waits. What is sent before the
    /// session is authenticated goes out when it is, and after a lost connection on the next one, in order.
    ///
    /// A message whose connection breaks under it may have arrived or not, and is not sent again: see
    /// [`take_returned`](Self::take_returned).
    ///
    /// # Errors
    ///
    /// [`SendError`] holds the message, when the session has ended, or when 256 messages, or a mebibyte of them, wait already.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        if self.driver.machine.state().is_final() {
            return Err(SendError::new(message, Unsent::Ended));
        }
        if self.driver.returned.len() >= QUEUE {
            return Err(SendError::new(message, Unsent::QueueFull));
        }
        let length = message.len();
        let pushed = self.driver.outbox.push(message, length);
        pushed.map_err(|message| SendError::new(message, Unsent::QueueFull))?;
        // Whoever sends much to a peer that does not read waits for it once, and not for each message.
        if !self.driver.is_held_up() {
            self.driver.housekeeping();
        }
        Ok(())
    }

    /// Waits until every message is with the operating system, or has [come back](Self::take_returned). Says whether that was within
    /// `patience`. Messages that come meanwhile wait for [`next`](Self::next); beyond 256, or a mebibyte of them, nothing is read
    /// until they are taken.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn flush(&mut self, patience: Duration) -> Result<bool, Error> {
        self.run(patience, |driver| driver.is_flushed().then_some(())).map(|flushed| flushed.is_some())
    }

    /// The messages that came back since this was last called: nothing is lost in silence. While 256 of them wait here, none is
    /// taken to be sent.
    pub fn take_returned(&mut self) -> impl Iterator<Item = SendError> + '_ {
        self.driver.returned.drain(..)
    }

    /// Has a fresh credential presented on the connection now; or a connection made now, rather than after a wait.
    pub fn renew(&mut self) {
        self.tell(Input::Renew);
    }

    /// Says that the network changed: a connection is asked whether it lives, and a wait for the next attempt is over.
    pub fn network_changed(&mut self) {
        self.tell(Input::NetworkChanged);
    }

    /// Where the session stands, as of the last call.
    #[must_use]
    pub const fn state(&self) -> State {
        self.driver.machine.state()
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        self.driver.machine.error()
    }

    /// How long the credential of the connection is still good, where that is known.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        self.driver.machine.valid_for(self.driver.clock.now())
    }

    /// Closes the session after what was sent, and waits until nothing of it is left, for as long as the configured close timeout.
    /// What could not be sent [comes back](Self::take_returned). What the server still sends waits for [`next`](Self::next), as much of it as
    /// a [flush](Self::flush) keeps.
    ///
    /// # Errors
    ///
    /// Why the session had already ended, if it had failed.
    pub fn close(&mut self) -> Result<(), Error> {
        self.tell(Input::Close);
        while !self.state().is_final() {
            let until = self.driver.clock.now().timer(AWHILE);
            self.driver.turn(until);
        }
        self.error().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn tell(&mut self, input: Input) {
        if !self.state().is_final() {
            self.driver.step(input);
        }
    }

    /// Runs until `look` finds something, or `patience` is over.
    fn run<T>(
        &mut self,
        patience: Duration,
        look: impl Fn(&mut Driver) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let until = self.driver.clock.now().timer(patience);
        let mut turn = Turn::Happened;
        loop {
            if let Some(found) = look(&mut self.driver) {
                return Ok(Some(found));
            }
            if self.state().is_final() {
                return Err(self.error().cloned().unwrap_or_else(Error::closed));
            }
            if turn == Turn::TimeIsUp {
                return Ok(None);
            }
            turn = self.driver.turn(until);
        }
    }
}

/// How long a turn of a close may take; the machine knows when it is over.
const AWHILE: Duration = Duration::from_secs(1);

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("machine", &self.driver.machine).finish_non_exhaustive()
    }
}
