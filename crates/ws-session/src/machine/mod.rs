//! The session machine: when to fetch a token, open, present, renew, give up and try again.
//!
//! # Contract
//!
//! 1. The driver calls [`Session::handle`] with each [`Input`], or [`Session::receive`] with a message of a connection, and the
//!    time at which it happened.
//! 2. It then calls [`Session::poll`] until that answers [`Output::Wait`], acting on each output. `handle` and
//!    `receive` refuse to go on before that.
//! 3. It waits for the first of: a token, a connection, its user, the deadline of [`Output::Wait`]; in the last
//!    case the input is [`Input::Tick`].
//! 4. The user's messages go out on [`Session::live`], and on nothing else. It may change with each input.
//! 5. Events go to the observer by way of [`Session::tellable`]: only the driver has the tokens that a server may have said back.
//!
//! Every input about a connection carries its [`Epoch`], so that a late answer or a stale close can't touch the
//! next one. The machine never sees a secret: the driver keeps the token of a [`Ticket`] until an [`Output::Forget`], and has
//! it put in its place by [`Session::upgrade`] and [`Session::message`].
//!
//! Up to three connections may be known at once, when a dialect renews by an overlapping connection: the live one, the one that is
//! being made, and one that is being closed.

mod attempt;
mod config;
mod demands;
mod echo;
mod ending;
mod farewell;
mod held;
mod live;
mod over;
mod phase;
mod reading;
mod renewal;
mod saying;
mod session;
mod silence;
mod timers;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use auth_core::fingerprint::Fingerprint;
use auth_core::oauth::TokenType;
use auth_core::time::Deadline;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, ErrorKind, Token};
use sha2::{Digest as _, Sha256};

pub use self::config::Config;
pub use self::session::Session;
use crate::dialect::Failure;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Not begun.
    Initialized,
    /// Fetching a token, opening a connection, or presenting the token to it.
    Connecting,
    /// Authenticated.
    Connected,
    /// Waiting before the next attempt.
    Disconnected,
    /// Waiting before the next attempt, after so long without a connection that the server will have forgotten the session.
    Suspended,
    /// Closing at the user's wish.
    Closing,
    /// Closed at the user's wish.
    Closed,
    /// Given up; see [`Session::error`].
    Failed,
}

impl State {
    /// Whether the session has ended for good.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Failed)
    }
}

/// A connection's number in its session, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    #[cfg(test)]
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number, as events state it.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Matches a token to the request for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What happens to the machine.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a new input must be considered by every driver")]
pub enum Input {
    /// The user wants the session to begin.
    Start,
    /// The user wants it to end.
    Close,
    /// The user wants a fresh credential on the connection now, or a connection now rather than after a wait. A wait that the server or
    /// the source named is not cut short.
    Renew,
    /// The user wants a credential of this generation, or a newer one, on the connection now: the source has it. What is under way with an
    /// older one is given up, or followed up where that one was presented already. A wait that the server named is not cut short.
    Present {
        /// The generation.
        generation: Generation,
    },
    /// The network changed: a live connection is asked whether it lives, and a wait for the next attempt becomes as short as the first. A
    /// wait that the server named is not cut short.
    NetworkChanged,
    /// Time has passed.
    Tick,
    /// The source handed out a token, or did not.
    Token {
        /// The ticket of the request.
        ticket: Ticket,
        /// What the machine needs to know of the token.
        result: Result<TokenFacts, auth_core::Error>,
    },
    /// The upgrade succeeded, with a subprotocol that [`check_selected`](crate::dialect::UpgradeRequest::check_selected) allows.
    Opened {
        /// The connection.
        epoch: Epoch,
    },
    /// A message that [`Output::Send`] asked for can't be built, so that nothing was sent.
    Unplaceable {
        /// The connection.
        epoch: Epoch,
        /// Which message.
        message: DialectMessage,
    },
    /// The connection ended, or could not be made.
    Ended {
        /// The connection.
        epoch: Epoch,
        /// How.
        failure: Failure,
        /// The wait that the server asked for.
        retry_after: Option<Duration>,
    },
}

/// A token without its secret.
#[derive(Clone, Copy)]
pub struct TokenFacts {
    token_type: TokenType,
    generation: Generation,
    fingerprint: Option<Fingerprint>,
    expires_in: Option<Duration>,
    renew_in: Option<Duration>,
    /// None where nobody asks for it.
    identity: Option<Identity>,
}

/// Tells tokens apart, for those that serve once: half of a SHA-256. Not shown anywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity([u8; 16]);

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identity(…)")
    }
}

impl Identity {
    fn of(token: &Token) -> Self {
        let digest: [u8; 32] = Sha256::digest(token.secret().expose().as_bytes()).into();
        let mut identity = [0; 16];
        identity.copy_from_slice(&digest[..16]);
        Self(identity)
    }
}

impl From<&Token> for TokenFacts {
    fn from(token: &Token) -> Self {
        Self::new(token, Some(Identity::of(token)))
    }
}

impl TokenFacts {
    const fn new(token: &Token, identity: Option<Identity>) -> Self {
        Self {
            token_type: token.token_type(),
            generation: token.generation(),
            fingerprint: token.fingerprint(),
            expires_in: token.expires_in(),
            renew_in: token.renew_in(),
            identity,
        }
    }

    /// These facts, unless a login can't present their token: no proof of a key goes with it.
    fn presentable(self) -> Result<Self, auth_core::Error> {
        match self.token_type {
            TokenType::Bearer => Ok(self),
            _ => Err(auth_core::Error::new(
                ErrorKind::Misconfigured,
                "the token is bound to a key (DPoP), which a session can't prove; give it a source of bearer tokens",
            )),
        }
    }
}

impl fmt::Debug for TokenFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token_type, generation, fingerprint, expires_in, renew_in, identity } = self;
        formatter
            .debug_struct("TokenFacts")
            .field("token_type", token_type)
            .field("generation", generation)
            .field("fingerprint", fingerprint)
            .field("expires_in", expires_in)
            .field("renew_in", renew_in)
            .field("identity", identity)
            .finish()
    }
}

/// What the driver must do.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a new output must break a driver at compile time")]
pub enum Output {
    /// Ask the source for a token, and hand the result back under this ticket. An earlier request is void.
    FetchToken {
        /// Matches the result to this request.
        ticket: Ticket,
        /// What is wanted.
        demand: Demand,
    },
    /// Drop the token of this ticket: it will not be presented again.
    Forget {
        /// The token.
        ticket: Ticket,
    },
    /// Open a connection by [`Session::upgrade`] with the token of this ticket.
    Open {
        /// Its number.
        epoch: Epoch,
        /// The token.
        ticket: Ticket,
    },
    /// Send a message of the dialect's, ahead of the user's: [`Session::message`] builds it.
    Send {
        /// The connection.
        epoch: Epoch,
        /// Which message.
        message: DialectMessage,
        /// The token that goes into it, if one does.
        ticket: Option<Ticket>,
    },
    /// Send a ping frame (RFC 6455 §5.5.2).
    Ping {
        /// The connection.
        epoch: Epoch,
    },
    /// Send the dialect's farewell behind the user's messages, and none of these after it: [`Session::message`] builds it. Then read on.
    Farewell {
        /// The connection.
        epoch: Epoch,
    },
    /// Send a close frame, behind the user's messages if this is the session's end, then read until the connection ends.
    Close {
        /// The connection.
        epoch: Epoch,
    },
    /// Drop the connection, or the attempt to open it, at once.
    Abort {
        /// The connection.
        epoch: Epoch,
    },
    /// Tell the observer what [`Session::tellable`] leaves of it.
    Event(AuthEvent),
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
}

/// A message that belongs to the dialect, not to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialectMessage {
    /// The step of the login with this index.
    Step(usize),
    /// The message that renews in band.
    Renewal,
    /// The reply with this index.
    Reply(usize),
    /// The dialect's own ping.
    Ping,
    /// What it says last.
    Farewell,
}

/// What to do with a message of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a driver must do one or the other")]
pub enum Received {
    /// It belongs to the user.
    Deliver,
    /// It belonged to the login, or to a connection that is no more.
    Consumed,
}
