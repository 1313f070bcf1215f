//! What a server says during a login that must be known or repeated: names, lifetimes, promises, nonces.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use auth_core::observe::Label;
use serde_json::Value;

/// Where in the messages of a login the server says what. Places are JSON pointers (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// The session's name at the server.
    pub session_id: Option<String>,
    /// How long the credential is good for from now, which may be less than its source said.
    pub expires_in: Option<InUnit>,
    /// The longest silence that the server promises.
    pub idle: Option<InUnit>,
    /// Others by name, for templates (`${name}`) and for an [`Authenticator`](super::Authenticator).
    pub named: BTreeMap<String, String>,
}

/// A place of a duration, and the unit in which it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a dialect is written with it, field by field")]
pub struct InUnit {
    /// The place.
    pub at: String,
    /// The unit.
    pub unit: Unit,
}

/// A unit of time on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// What one server said on one connection.
#[derive(Clone, Default)]
pub struct Captures {
    session_id: Option<Label>,
    expires_in: Option<Duration>,
    idle: Option<Duration>,
    named: BTreeMap<String, Value>,
}

impl Captures {
    /// Takes what a message of the login says; what was said before and is not said again stays.
    pub fn take(&mut self, places: &Captured, message: &Value) {
        if let Some(label) = places.session_id.as_ref().and_then(|at| message.pointer(at)).and_then(label) {
            self.session_id = Some(label);
        }
        if let Some(duration) = places.expires_in.as_ref().and_then(|place| place.read(message)) {
            self.expires_in = Some(duration);
        }
        if let Some(duration) = places.idle.as_ref().and_then(|place| place.read(message)) {
            self.idle = Some(duration);
        }
        for (name, at) in &places.named {
            if let Some(value) = message.pointer(at) {
                self.named.insert(name.clone(), value.clone());
            }
        }
    }

    /// What was said of a lifetime was said of another credential.
    pub(crate) const fn forget_lifetime(&mut self) {
        self.expires_in = None;
    }

    /// The session's name at the server.
    #[must_use]
    pub const fn session_id(&self) -> Option<&Label> {
        self.session_id.as_ref()
    }

    /// How long the credential is good for, from when the server said so.
    #[must_use]
    pub const fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// The longest silence that the server promises.
    #[must_use]
    pub const fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// What the server said under this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.named.get(name)
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A server may have said something that only we may repeat: names alone.
        let Self { session_id, expires_in, idle, named } = self;
        formatter
            .debug_struct("Captures")
            .field("session_id", session_id)
            .field("expires_in", expires_in)
            .field("idle", idle)
            .field("named", &named.keys())
            .finish()
    }
}

impl InUnit {
    fn read(&self, message: &Value) -> Option<Duration> {
        let number = message.pointer(&self.at)?.as_u64()?;
        Some(match self.unit {
            Unit::Seconds => Duration::from_secs(number),
            Unit::Milliseconds => Duration::from_millis(number),
        })
    }
}

fn label(value: &Value) -> Option<Label> {
    match value {
        Value::String(text) => Some(Label::new(text)),
        Value::Number(number) => Some(Label::new(&number.to_string())),
        _ => None,
    }
}
