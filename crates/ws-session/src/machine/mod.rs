//! The session machine: when to fetch a token, open, present, renew, give up and try again.
//!
//! # Contract
//!
//! 1. The driver calls [`Session::handle`] with each [`Input`], or [`Session::receive`] with a text message of the
//!    live connection, and the time at which it happened.
//! 2. It then calls [`Session::poll`] until that answers [`Output::Wait`], acting on each output. `handle` and
//!    `receive` refuse to go on before that.
//! 3. It waits for the first of: a token, the transport, its user, the deadline of [`Output::Wait`]; in the last
//!    case the input is [`Input::Tick`].
//!
//! Every input about a connection carries its [`Epoch`], so that a late answer or a stale close can't touch the
//! next one. The machine never sees a secret: the driver keeps the token of a [`Ticket`] until an output has it
//! presented.

mod config;
mod phase;
mod renewal;
mod session;
mod timers;

#[cfg(test)]
mod tests;

use std::time::Duration;

use auth_core::fingerprint::Fingerprint;
use auth_core::oauth::TokenType;
use auth_core::time::Deadline;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, ErrorKind, Token};

pub use self::config::Config;
pub use self::session::Session;
use crate::dialect::Failure;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Matches a token to the request for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// What happens to the machine.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a new input must be considered by every driver")]
pub enum Input {
    /// The user wants the session to begin.
    Start,
    /// The user wants it to end.
    Close,
    /// Time has passed.
    Tick,
    /// The source handed out a token, or did not.
    Token {
        /// The ticket of the request.
        ticket: Ticket,
        /// What the machine needs to know of the token.
        result: Result<TokenFacts, auth_core::Error>,
    },
    /// The upgrade succeeded.
    Opened {
        /// The connection.
        epoch: Epoch,
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
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts {
    token_type: TokenType,
    generation: Generation,
    fingerprint: Option<Fingerprint>,
    expires_in: Option<Duration>,
    renew_in: Option<Duration>,
}

impl From<&Token> for TokenFacts {
    fn from(token: &Token) -> Self {
        Self {
            token_type: token.token_type(),
            generation: token.generation(),
            fingerprint: token.fingerprint(),
            expires_in: token.expires_in(),
            renew_in: token.renew_in(),
        }
    }
}

impl TokenFacts {
    /// These facts, unless a login message can't present their token: no proof of a key goes with it.
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
    /// Open a connection.
    Open {
        /// Its number.
        epoch: Epoch,
    },
    /// Send the dialect's login message with the token of this ticket, then forget the token.
    Present {
        /// The connection.
        epoch: Epoch,
        /// The token.
        ticket: Ticket,
    },
    /// Send what is queued and a close frame, then read until the connection ends.
    Close {
        /// The connection.
        epoch: Epoch,
    },
    /// Drop the connection, or the attempt to open it, at once.
    Abort {
        /// The connection.
        epoch: Epoch,
    },
    /// Tell the observer.
    Event(AuthEvent),
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
}

/// What to do with a message of the live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a driver must do one or the other")]
pub enum Received {
    /// It belongs to the user.
    Deliver,
    /// It belonged to the login, or to a connection that is no more.
    Consumed,
}
