//! What must hold at each step; each violation names its property.

use crate::runner;

/// What was violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// No credential is presented after its end, as far as its source told of one.
    Alive,
    /// A credential that serves once is presented once, and so is its text.
    Once,
    /// Each attempt asks the source, and presents what it was handed for it; what was refused is not presented again.
    Fresh,
    /// One request for a token at a time.
    OneFetch,
    /// A renewal that fails leaves the live connection as it is, and is told.
    Kept,
    /// Once nothing fails any more, the session is connected within the longest wait and the round trips.
    Recovery,
    /// The attempts stay within the bound of the backoff; the server's advice is followed; only a stable connection resets it.
    Backoff,
    /// Whatever a server says, it is brought so many fresh credentials in an hour, and no more.
    Renewals,
    /// A final verdict ends the session, at once and once; nothing else does.
    Fatal,
    /// The same refusal of a fresh credential ends the session, and the first one does not.
    Refusals,
    /// At the end there is no connection, deadline, request or token.
    NothingLeft,
    /// Messages arrive in order, none lost, none twice, none before the acceptance.
    Messages,
    /// What could not be sent is given back exactly once.
    GivenBack,
    /// Each transition is observed exactly once.
    Observed,
    /// No observation, and nothing that the machine shows, holds a secret.
    Secrets,
    /// The machine makes progress whenever it is woken, and waits for something.
    Progress,
    /// Outputs speak of connections and tokens that there are; one live connection, three known at most.
    Protocol,
    /// A connection of which nothing is heard is given up within two intervals.
    HalfOpen,
    /// A session that has slept, or whose clock was set, finds back to a fresh token.
    Clocks,
    /// Where nothing goes wrong, nothing is lost.
    Quiet,
    /// A server keeps no client beyond the end of its credential and the grace.
    Server,
    /// A session without a connection for long counts as suspended, and no other.
    Suspended,
    /// A fleet that loses its server together does not come back together.
    Fleet,
}

/// A violation.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) property: Property,
    pub(crate) what: String,
}

impl From<Violation> for runner::Violation {
    fn from(Violation { property, what }: Violation) -> Self {
        Self { property: format!("{property:?}"), what }
    }
}
