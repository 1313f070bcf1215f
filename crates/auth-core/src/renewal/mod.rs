//! The renewal machine: when to fetch a token, whom to serve, and how long to wait after a failure.
//!
//! # Contract
//!
//! 1. The driver calls [`Renewal::handle`] with each [`Input`], and the time at which it happened.
//! 2. It then calls [`Renewal::poll`] until that answers [`Output::Wait`], acting on each output. `handle`
//!    refuses to go on before that.
//! 3. It asks [`Renewal::answer`] for every caller that waits, and wakes those that have an answer.
//! 4. It waits for the first of: a caller, the result of a fetch, the deadline of [`Output::Wait`]; in the last
//!    case the input is [`Input::Tick`].
//!
//! # What holds
//!
//! * At most one fetch is in flight, and it belongs to the driver: callers come and go without touching it.
//! * Whoever waits for a flight shares its result, success or failure.
//! * A failed early renewal never hides a token that is still valid.
//! * A late answer to an old ticket is ignored; a rejection names the generation it is about.
//! * After a failure the machine pauses: the rate of requests is bounded whatever the number of callers.

mod machine;
mod policy;
mod record;

#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::machine::{Credential, Renewal};
pub use self::policy::Policy;
pub use self::record::{InvalidRecord, Record, StoredToken};
use crate::oauth::TokenResponse;
use crate::time::Deadline;
use crate::{AuthEvent, Demand, Error, Token};

/// What happens to the machine.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a new input must be considered by every driver")]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A caller wants a token.
    Demanded(Demand),
    /// The token endpoint issued one.
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
    },
    /// Tell the observer.
    Event(AuthEvent),
    /// The token that readers see has changed: publish [`Renewal::current`].
    Changed,
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
}

/// Matches the result of a fetch to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Ticket(u64);

/// What a caller gets.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must handle every answer")]
pub enum Answer {
    /// This token.
    Serve(Token),
    /// Nothing yet: a fetch is under way or about to be.
    Wait,
    /// This error; asking again before the pause is over gives it again, without a request.
    Fail(Error),
}
