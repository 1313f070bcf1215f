//! The closed vocabulary of what happens to a credential, and who may listen.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Serialize, Serializer};

use crate::ErrorKind;
use crate::fingerprint::Fingerprint;
use crate::scope::Scopes;
use crate::token::Generation;

/// Something that is told about every decision.
///
/// `observe` is called in the path of the session: it must not block, and must not panic.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &AuthEvent);
}

/// The observer that listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _event: &AuthEvent) {}
}

impl<F: Fn(&AuthEvent) + Send + Sync> Observer for F {
    fn observe(&self, event: &AuthEvent) {
        self(event);
    }
}

/// Several observers as one, told in order.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Adds one more.
    pub fn push(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }
}

impl Observer for Observers {
    fn observe(&self, event: &AuthEvent) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Observers({})", self.0.len())
    }
}

/// One event in the life of a credential or of a connection that it authenticates.
///
/// No field can hold a secret: tokens appear by [`Fingerprint`], text from strangers as a bounded [`Label`].
/// Serializes as a flat JSON object with the event's name under `event`; durations are in milliseconds and
/// say so in their names.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthEvent {
    /// A request is about to go to the token endpoint.
    TokenRequested {
        /// Which attempt of this flight, from 1.
        attempt: u32,
    },
    /// The token endpoint asked us to slow down.
    RateLimited {
        /// Which attempt of this flight, from 1.
        attempt: u32,
        /// The wait that the server named.
        #[serde(rename = "retry_after_ms", serialize_with = "optional_millis")]
        retry_after: Option<Duration>,
        /// The wait that we chose, never shorter; `None` when this flight gives up.
        #[serde(rename = "retry_in_ms", serialize_with = "optional_millis")]
        retry_in: Option<Duration>,
    },
    /// A request to the token endpoint failed.
    TokenRequestFailed {
        /// Which attempt of this flight, from 1.
        attempt: u32,
        /// What happened.
        kind: ErrorKind,
        /// The wire's own number, where there was one: an HTTP status, or Ably's five digits.
        code: Option<u32>,
        /// The wait before the next attempt; `None` when this flight gives up.
        #[serde(rename = "retry_in_ms", serialize_with = "optional_millis")]
        retry_in: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", serialize_with = "optional_millis")]
        valid_for: Option<Duration>,
    },
    /// A token was issued.
    TokenIssued {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
        /// How long it lives.
        #[serde(rename = "expires_in_ms", serialize_with = "millis")]
        expires_in: Duration,
        /// When it will be renewed: before it expires, at a moment drawn once.
        #[serde(rename = "renews_in_ms", serialize_with = "millis")]
        renews_in: Duration,
    },
    /// A server refused a token, which will not be presented again.
    TokenRejected {
        /// Its name in these records.
        token: Fingerprint,
        /// Its number at this source.
        generation: Generation,
    },
    /// A token's scopes were compared with the required ones.
    ScopesChecked {
        /// The outcome.
        verdict: ScopeVerdict,
        /// What the caller requires.
        required: Scopes,
        /// What the token grants.
        granted: Scopes,
        /// What is missing.
        missing: Scopes,
        /// The OAuth client that the token was issued to, as the token says.
        client_id: Option<Label>,
    },
    /// A connection is about to be opened.
    Connecting {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Consecutive failures before this attempt.
        failures: u32,
    },
    /// The server accepted the credential.
    Authenticated {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// The token presented.
        token: Option<Fingerprint>,
        /// The session's name at the server, where it told one.
        session_id: Option<Label>,
        /// From the decision to connect to the acceptance.
        #[serde(rename = "latency_ms", serialize_with = "millis")]
        latency: Duration,
    },
    /// The live connection was given a fresh credential, and the server accepted it.
    TokenRenewed {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// The token presented.
        token: Option<Fingerprint>,
        /// The session's name at the server.
        session_id: Option<Label>,
        /// Always true for now: the credential went over the live connection.
        in_band: bool,
    },
    /// A renewal of the live connection failed; the connection goes on with what it has.
    RenewalFailed {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Why.
        reason: Label,
        /// The wait before the next attempt; `None` when there will be none.
        #[serde(rename = "retry_in_ms", serialize_with = "optional_millis")]
        retry_in: Option<Duration>,
        /// How long the token in use still lives.
        #[serde(rename = "valid_for_ms", serialize_with = "optional_millis")]
        valid_for: Option<Duration>,
    },
    /// No connection is attempted for now, because no token can be had.
    ConnectionDelayed {
        /// Why.
        reason: Label,
        /// Consecutive failures, this one included.
        failures: u32,
        /// The wait before the next request for a token.
        #[serde(rename = "retry_in_ms", serialize_with = "millis")]
        retry_in: Duration,
    },
    /// A connection, or the attempt to make one, ended without our asking.
    ConnectionLost {
        /// The connection's number in its session, from 1.
        connection: u64,
        /// Why.
        reason: Label,
        /// The close code, or the HTTP status of a refused upgrade.
        code: Option<u16>,
        /// The wait before the next attempt; `None` when the session ends with it.
        #[serde(rename = "retry_in_ms", serialize_with = "optional_millis")]
        retry_in: Option<Duration>,
    },
    /// The session gave up for good.
    SessionFailed {
        /// Why.
        reason: Label,
        /// The close code or HTTP status that decided it.
        code: Option<u16>,
    },
    /// The session ended because its user asked.
    SessionClosed,
}

/// The outcome of a scope check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeVerdict {
    /// Nothing is missing.
    Allowed,
    /// Something is missing.
    Denied,
    /// The token could not be read.
    Error,
}

/// Text from a stranger, made safe to record: at most 128 characters, controls replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(String);

impl Label {
    /// The most characters kept.
    pub const LONGEST: usize = 128;

    /// A label from any text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let safe = |character: char| if character.is_control() { '\u{fffd}' } else { character };
        Self(text.chars().take(Self::LONGEST).map(safe).collect())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn optional_millis<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => millis(duration, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn events_serialize_flat_under_their_names() {
        let event =
            AuthEvent::RateLimited { attempt: 1, retry_after: Some(Duration::from_secs(1)), retry_in: None };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"rate_limited","attempt":1,"retry_after_ms":1000,"retry_in_ms":null}"#
        );
    }

    #[test]
    fn a_label_can_neither_forge_a_line_nor_flood_a_log() {
        let label = Label::new("a\r\n<85>1 forged\u{0}");
        assert_eq!(label.as_str(), "a\u{fffd}\u{fffd}<85>1 forged\u{fffd}");
        assert_eq!(Label::new(&format!("{:1000}", 1)).as_str().chars().count(), Label::LONGEST);
    }
}
