//! The renewal machine: when to fetch a token, whom to serve, what to save first, and how long to wait after a failure.
//!
//! # Contract
//!
//! 0. The first input is [`Input::Tick`]: a policy may want a token before anybody asks.
//! 1. The driver calls [`Renewal::handle`] with each [`Input`], and the time at which it happened.
//! 2. It then calls [`Renewal::poll`] until that answers [`Output::Wait`] or [`Output::Done`], acting on each output in
//!    order. `handle` refuses to go on before that.
//! 3. It waits for the first of: a caller, the result of the work under way, the deadline of [`Output::Wait`]; in the last
//!    case the input is [`Input::Tick`]. A timer stands still while the computer sleeps, so it waits 30 s at most and
//!    ticks then too.
//!
//! # What holds
//!
//! * At most one piece of work is under way, and it belongs to the driver: callers come and go without touching it.
//! * Whoever waits for a flight shares its result, success or failure.
//! * A failed early renewal never hides a token that is still valid, and no token is served past its end by either clock.
//! * A late answer to an old ticket is ignored; a rejection names the generation it is about.
//! * After a failure the machine pauses: the rate of requests is bounded whatever the number of callers.
//! * With a store, a refresh token is sent only under the store's lock, behind a note on disk that it is about to be sent. One
//!   that was redeemed is never sent again, nor, by this machine, one that was refused. One whose answer was lost is sent
//!   again for ten seconds, and after that only when no living token is left to lose
//!   ([`Policy::without_late_replay`] forbids that).

mod arrival;
mod callers;
mod credential;
mod ending;
mod failure;
mod flight;
mod machine;
mod policy;
mod record;
mod rotation;
mod server_clock;
mod settling;

#[cfg(test)]
mod tests;

use core::time::Duration;

use serde::Serialize;

pub use self::credential::Credential;
pub use self::machine::Renewal;
pub use self::policy::Policy;
pub use self::record::{InvalidRecord, Record, StoredToken};
use crate::oauth::TokenResponse;
use crate::time::{Deadline, Timestamp};
use crate::token::Generation;
use crate::{AuthEvent, Demand, Error, Secret, Token};

/// What happens to the machine.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a new input must be considered by every driver")]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A caller wants a token. It is answered once, by [`Output::Serve`] or [`Output::Fail`], unless it withdraws.
    Demanded {
        /// Who: a number that no other waiting caller has.
        caller: Caller,
        /// What.
        demand: Demand,
        /// How long the caller waits; `None` means a minute, which is longer than a flight by default.
        patience: Option<Duration>,
    },
    /// A caller that waited has gone.
    Withdrawn {
        /// Who.
        caller: Caller,
    },
    /// Readers have served [`Renewal::current`] without asking. A credential in use is renewed in the background; one that
    /// nobody uses is not.
    Used,
    /// A server refused the token of this generation. Of many such reports, the first counts.
    Rejected {
        /// Which one.
        generation: Generation,
    },
    /// The token endpoint issued a token.
    Issued {
        /// The ticket of the fetch.
        ticket: Ticket,
        /// The answer.
        response: TokenResponse,
    },
    /// A fetch failed.
    Failed {
        /// The ticket of the fetch.
        ticket: Ticket,
        /// Why.
        error: Error,
    },
    /// The store's record was read: `None` if there is none.
    Loaded {
        /// The ticket of the read.
        ticket: Ticket,
        /// What it holds.
        result: Result<Option<Record>, Error>,
    },
    /// The store's lock was tried for: `false` if another process holds it.
    Locked {
        /// The ticket of the attempt.
        ticket: Ticket,
        /// The outcome.
        result: Result<bool, Error>,
    },
    /// The store's record was written, durably, or was not.
    Saved {
        /// The ticket of the write.
        ticket: Ticket,
        /// The outcome.
        result: Result<(), Error>,
    },
    /// No caller will come any more: finish what would be lost otherwise, then say [`Output::Done`].
    ShutDown,
}

/// What the driver must do.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a new output must break a driver at compile time")]
pub enum Output {
    /// Ask the token endpoint, and hand the result back under this ticket.
    Fetch {
        /// Matches the result to this request.
        ticket: Ticket,
        /// What to ask with.
        attempt: Attempt,
    },
    /// Give up on the work of this ticket; its result will be ignored.
    Cancel {
        /// The ticket of the work.
        ticket: Ticket,
    },
    /// Read the store's record: through the lock where it is held, else without.
    Load {
        /// Matches the result to this request.
        ticket: Ticket,
    },
    /// Try to take the store's lock, without waiting for it.
    Lock {
        /// Matches the result to this request.
        ticket: Ticket,
    },
    /// Write the store's record, durably. The lock is held.
    Save {
        /// Matches the result to this request.
        ticket: Ticket,
        /// What to write.
        record: Record,
    },
    /// Let go of the store's lock.
    Unlock,
    /// Answer a caller with a token.
    Serve {
        /// Who.
        caller: Caller,
        /// The token.
        token: Token,
    },
    /// Answer a caller with an error; asking again before the pause is over gives it again, without a request.
    Fail {
        /// Who.
        caller: Caller,
        /// Why.
        error: Error,
    },
    /// Tell the observer.
    Event(AuthEvent),
    /// The token that readers see has changed: publish [`Renewal::current`].
    Changed,
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
    /// After [`Input::ShutDown`]: nothing is left to do, and no further input is taken.
    Done,
}

/// Matches the result of some work to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Ticket(u64);

/// A caller that waits, by a number that its driver chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Caller(u64);

impl Caller {
    /// The caller with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// What a grant asks the token endpoint with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The refresh token to redeem; `None` to obtain a token anew.
    pub refresh_token: Option<Secret>,
    /// The server's time, as far as its answers told; what a grant signs should carry it instead of the local time.
    pub server_time: Option<Timestamp>,
}

impl Attempt {
    /// An attempt to redeem this refresh token, or to obtain a token anew; for whoever calls a grant without the machine.
    #[must_use]
    pub const fn new(refresh_token: Option<Secret>) -> Self {
        Self { refresh_token, server_time: None }
    }
}

/// What a grant does with refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three ways there are: no, must, may")]
pub enum Refresh {
    /// It redeems none; one that an endpoint sends all the same is dropped.
    #[default]
    Never,
    /// It redeems them and nothing else: without one, a person must log in.
    Only,
    /// It redeems one where there is one, and obtains a token anew otherwise.
    Preferred,
}
