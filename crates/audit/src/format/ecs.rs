//! The Elastic Common Schema, version 9.4: what it has no field for goes under `rtauth`.

use serde_json::json;

use super::Origin;
use super::fields::{Fields, LARGEST, Object};
use super::meaning::{Meaning, Outcome, Weight};
use crate::entry::Entry;

const VERSION: &str = "9.4.0";

/// One document.
pub(super) fn render(entry: &Entry, origin: &Origin, id: &str) -> String {
    let meaning = Meaning::of(&entry.event);
    let mut fields = Fields::of(&entry.event);
    let client = fields.take_text("client_id");
    let peer = fields.take_peer();
    let address = peer.map(|peer| peer.ip().to_string());
    let failed = meaning.outcome == Outcome::Failure;
    let (error_code, event_code) = match fields.take_text("code") {
        Some(code) if failed => (Some(code), None),
        code => (None, code),
    };
    // Nanoseconds.
    let duration = fields.take_duration().map(|millis| millis.saturating_mul(1_000_000).min(LARGEST));
    let event = Object::new()
        .with("kind", "event")
        .with("module", "rtauth")
        .with("dataset", "rtauth.audit")
        .with("provider", origin.application())
        .with("action", entry.event.name())
        .with("category", meaning.categories)
        .with("type", meaning.types)
        .with("outcome", meaning.outcome.name())
        // ECS leaves the scale to the source, and names that of RFC 5424 first.
        .with("severity", meaning.weight.syslog_severity())
        .with("id", id)
        .with("sequence", entry.sequence.min(LARGEST))
        .with_some("code", event_code)
        .with_some("duration", duration)
        .with_some("reason", fields.take_text("reason"));
    let error = Object::new().with_some("type", fields.take_text("kind")).with_some("code", error_code);
    let related = Object::new()
        .with_some("ip", address.clone().map(|address| json!([address])))
        .with_some("user", client.clone().map(|client| json!([client])));
    if let Some(session) = &entry.session {
        fields.add("session", session.as_str());
    }
    Object::new()
        .with("@timestamp", entry.at.to_string())
        .with("message", meaning.caption)
        .with_object("ecs", Object::new().with("version", VERSION))
        .with_object("event", event)
        .with_object("log", Object::new().with("level", level(meaning.weight)))
        .with_object("host", Object::new().with("hostname", origin.host()))
        .with_object("process", Object::new().with_some("pid", origin.process()))
        .with_object(
            "service",
            Object::new().with("name", origin.service()).with("version", origin.version()),
        )
        .with_object("user", Object::new().with_some("id", client))
        .with_object(
            "client",
            Object::new().with_some("ip", address).with_some("port", peer.map(|peer| peer.port())),
        )
        .with_object("error", error)
        .with_object("related", related)
        .with_object("rtauth", Object::from(fields.rest()))
        .to_string()
}

const fn level(weight: Weight) -> &'static str {
    match weight {
        Weight::Routine | Weight::Normal => "info",
        Weight::Notable => "notice",
        Weight::Warning => "warning",
        Weight::Alarm => "error",
    }
}
