//! What data can't say of a login: signatures over what the server said, and conversations of several rounds.

use std::fmt;

use auth_core::Secret;
use serde_json::Value;

use super::{Captures, Fresh, Phase, Verdict};

/// The code of a dialect, for what its data can't say. Both methods have a default that leaves everything to the data.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// The text of a placeholder of the dialect's templates that is none of the known ones, such as a signature over a
    /// captured nonce. `fresh` has the time for it, and randomness for a nonce of the client's: the same for all placeholders of one
    /// message. `None` if it is not this one's either, or can't be made: the message can't be built then, which ends the session.
    fn fill(
        &self,
        placeholder: &str,
        credential: &Secret,
        captures: &Captures,
        fresh: Fresh,
    ) -> Option<Secret> {
        let _ = (placeholder, credential, captures, fresh);
        None
    }

    /// What a message of the server means; `None` leaves it to the dialect's matchers and rules.
    fn read(&self, phase: Phase, message: &Value, captures: &Captures) -> Option<Meaning> {
        let _ = (phase, message, captures);
        None
    }
}

/// What a message of the server means to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// The credential is accepted, at login or in a renewal.
    Accepted,
    /// The step of the dialect's login with this index is due now.
    Step(usize),
    /// A fresh credential is wanted.
    Renew,
    /// The reply of the dialect with this index is due.
    Reply(usize),
    /// The connection ends for this reason.
    Failed(Verdict),
    /// The fresh credential of a renewal is refused, for this reason; the connection goes on with what it has.
    Refused(Verdict),
    /// It belongs to the login, and means nothing more.
    Nothing,
    /// It belongs to the user.
    Deliver,
}
