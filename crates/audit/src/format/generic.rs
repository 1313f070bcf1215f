//! The audit entry and the SIEM event of the Genesys document, with exactly its keys.

use auth_core::AuthEvent;
use auth_core::observe::ScopeVerdict;
use serde_json::{Map, Value, json};

use super::Origin;
use super::fields::Object;
use super::meaning::{Meaning, Outcome};
use crate::entry::{Entry, Event};

/// The running totals of a renderer: of all attempts that it has rendered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    attempts: u64,
    successes: u64,
    /// How many of the attempts say how long they took, and how long that was together.
    timed: u64,
    latency_ms: u64,
}

/// An attempt to authenticate a connection that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) succeeded: bool,
    pub(crate) latency_ms: Option<u64>,
    /// How many attempts it stands for: a flood of strangers is summed up.
    pub(crate) times: u64,
}

impl Attempt {
    /// The attempt that `event` is the end of: a connection that was let in, or was not, or could not be tried for want of a token.
    /// Renewals of a live connection are none, as in the document.
    pub(crate) fn ended_by(event: &AuthEvent) -> Option<Self> {
        match event {
            AuthEvent::Authenticated { latency, .. } | AuthEvent::ClientAuthenticated { latency, .. } => {
                let latency_ms = Some(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
                Some(Self { succeeded: true, latency_ms, times: 1 })
            }
            AuthEvent::ConnectionLost { lasted: None, .. }
            | AuthEvent::ConnectionDelayed { .. }
            | AuthEvent::SessionFailed { connection: None, .. } => {
                Some(Self { succeeded: false, latency_ms: None, times: 1 })
            }
            AuthEvent::ClientRejected { repeated, .. } => {
                Some(Self { succeeded: false, latency_ms: None, times: repeated.saturating_add(1) })
            }
            _ => None,
        }
    }
}

impl Totals {
    fn count(&mut self, attempt: Attempt) {
        self.attempts = self.attempts.saturating_add(attempt.times);
        self.successes = self.successes.saturating_add(if attempt.succeeded { attempt.times } else { 0 });
        if let Some(latency_ms) = attempt.latency_ms {
            self.timed = self.timed.saturating_add(1);
            self.latency_ms = self.latency_ms.saturating_add(latency_ms);
        }
    }

    fn success_rate(self) -> f64 {
        success_rate(self.successes, self.attempts)
    }

    /// Over the attempts that say how long they took; `None` before the first of these.
    fn average_latency_ms(self) -> Option<f64> {
        ratio(self.latency_ms, self.timed)
    }
}

/// In per cent; 100 before the first attempt, since none has failed.
pub(crate) fn success_rate(successes: u64, attempts: u64) -> f64 {
    ratio(successes, attempts).map_or(100.0, |ratio| ratio * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is rounded anyway")]
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The audit entry; with `severity`, `source` and the host and process in its metadata where it is for a SIEM.
pub(super) fn render(
    entry: &Entry,
    origin: &Origin,
    id: &str,
    totals: &mut Totals,
    for_siem: bool,
) -> String {
    let meaning = Meaning::of(&entry.event);
    let attempt = match &entry.event {
        Event::Auth(event) => Attempt::ended_by(event),
        Event::Trail(_) => None,
    };
    if let Some(attempt) = attempt {
        totals.count(attempt);
    }
    let (event_type, status) = match attempt {
        Some(Attempt { succeeded: true, .. }) => ("authentication_attempt", "success"),
        Some(_) => ("authentication_attempt", "failure"),
        None => (entry.event.name(), meaning.outcome.name()),
    };
    let mut metadata = metadata(entry, attempt.is_some());
    if for_siem {
        // The document's event has no other place for it, and a SIEM hears of many machines. A `trail_opened` that says itself where it
        // was is believed: whoever exports the log may be another machine.
        let mut say = |name: &str, value: Value| match metadata.get(name) {
            None | Some(Value::Null) => metadata.insert(name.to_owned(), value),
            Some(_) => None,
        };
        say("host", origin.host().into());
        if let Some(process) = origin.process() {
            say("process_id", process.into());
        }
    }
    let mut object = Object::new()
        .with("id", id)
        .with("timestamp", entry.at.to_string())
        .with("event_type", event_type)
        .with("status", status)
        .with("latency_ms", attempt.and_then(|attempt| attempt.latency_ms))
        .with("success_rate", totals.success_rate())
        .with("avg_latency_ms", totals.average_latency_ms())
        .with("metadata", metadata);
    if for_siem {
        let severity = if meaning.outcome == Outcome::Failure { "warning" } else { "info" };
        object = object.with("severity", severity).with("source", origin.application());
    }
    object.to_string()
}

/// What else is known: the event's fields; of a scope check the document's own payload.
fn metadata(entry: &Entry, names_event: bool) -> Map<String, Value> {
    let mut metadata = match (&entry.event, serde_json::to_value(&entry.event)) {
        (Event::Auth(event @ AuthEvent::ScopesChecked { .. }), _) => scope_validation(entry, event),
        (_, Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    };
    if !names_event {
        metadata.remove("event");
    }
    if let Some(session) = &entry.session {
        metadata.insert("session".to_owned(), session.as_str().into());
    }
    metadata
}

/// The audit payload of step 3 of the document, as [`AuditPayload`](auth_core::scope::AuditPayload) has it.
fn scope_validation(entry: &Entry, event: &AuthEvent) -> Map<String, Value> {
    let AuthEvent::ScopesChecked { verdict, required, granted, missing, client_id } = event else {
        return Map::new();
    };
    let mut payload = Map::new();
    let mut put = |name: &str, value: Value| payload.insert(name.to_owned(), value);
    put("timestamp", entry.at.to_string().into());
    put("action", "scope_validation".into());
    put("result", json!(verdict));
    if *verdict == ScopeVerdict::Error {
        put("error", "invalid_token_structure".into());
    } else {
        put("required", json!(required));
        put("granted", json!(granted));
        put("missing", json!(missing));
        put("clientId", client_id.as_ref().map_or("unknown", |client| client.as_str()).into());
    }
    payload
}
