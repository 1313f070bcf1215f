//! CEF, the Common Event Format: one line, without the syslog header that may go before it.

use super::Origin;
use super::fields::{Fields, is_unsafe, text};
use super::line::Line;
use super::meaning::{Meaning, Weight};
use crate::entry::Entry;

/// The longest record, in bytes: below 2 KiB together with a syslog header.
const LONGEST: usize = 1_791;

const CUT: &str = " rtauthTruncated=1";

/// `CEF:0|realtime-auth|gateway|1.0|client_rejected|Client Rejected|6|rt=… externalId=… …`.
pub(super) fn render(entry: &Entry, origin: &Origin, id: &str) -> String {
    let meaning = Meaning::of(&entry.event);
    let mut fields = Fields::of(&entry.event);
    let mut line = Line::new("CEF:0|realtime-auth|".to_owned(), LONGEST - CUT.len());
    // The lengths are those of the format's own table of the header.
    let product: String = origin.application().chars().take(63).collect();
    let version: String = origin.version().chars().take(31).collect();
    line.add("", &product, "|", escape_header);
    line.add("", &version, "|", escape_header);
    line.add("", entry.event.name(), "|", escape_header);
    line.add("", meaning.caption, "|", escape_header);
    line.add("", severity(meaning.weight), "|", escape_header);
    line.add("rt=", &entry.at.as_millis().to_string(), "", escape);
    // What is empty is left out: readers differ on a key without a value.
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            line.add(&format!(" {key}="), value, "", escape);
        }
    };
    put("externalId", id);
    put("act", entry.event.name());
    put("outcome", meaning.outcome.name());
    put("cn3", &entry.sequence.to_string());
    put("cn3Label", "sequence");
    let host: String = origin.host().chars().take(100).collect();
    put("dvchost", &host);
    if let Some(process) = origin.process() {
        put("dvcpid", &process.to_string());
    }
    if let Some(peer) = fields.take_peer() {
        put("src", &peer.ip().to_string());
        put("spt", &peer.port().to_string());
    }
    if let Some(client) = fields.take_text("client_id") {
        put("suser", &client);
    }
    // Why: for people where there is text, else what kind of error.
    let reason = fields.take_text("reason").or_else(|| fields.take_text("kind"));
    if let Some(reason) = reason {
        put("reason", &reason);
    }
    put("destinationServiceName", origin.service());
    let duration = fields.take_duration().map(|millis| millis.to_string());
    let session = entry.session.as_ref().map(|session| session.as_str().to_owned());
    let required = fields.take_text("required").or_else(|| fields.take_text("scope"));
    let slots = [
        ("cn1", "durationMs", duration),
        ("cn2", "code", fields.take_text("code")),
        ("cs1", "keyName", fields.take_text("key_name")),
        ("cs4", "sessionId", fields.take_text("session_id")),
        ("cs5", "token", fields.take_text("token")),
        ("cs6", "session", session),
        ("cs2", "scopesMissing", fields.take_text("missing")),
        ("cs3", "scopes", required),
    ];
    for (slot, label, value) in slots {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            put(slot, &value);
            put(&format!("{slot}Label"), label);
        }
    }
    for (name, value) in fields.rest() {
        put(&key(&name), &text(&value));
    }
    let mark = if line.is_cut() { CUT } else { "" };
    line.finish(mark)
}

/// From 0 to 10.
const fn severity(weight: Weight) -> &'static str {
    match weight {
        Weight::Routine => "1",
        Weight::Normal => "3",
        Weight::Notable => "4",
        Weight::Warning => "6",
        Weight::Alarm => "8",
    }
}

/// The key of a field that CEF has no name for: letters and digits, our name first.
fn key(name: &str) -> String {
    let mut key = "rtauth".to_owned();
    for word in name.split('_') {
        let mut letters = word.chars();
        key.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        key.push_str(letters.as_str());
    }
    key
}

/// In the header `\` and `|` are escaped, and there is no line end.
fn escape_header(character: char, text: &mut String) {
    match character {
        '|' | '\\' => text.extend(['\\', character]),
        control if is_unsafe(control) => text.push('\u{fffd}'),
        other => text.push(other),
    }
}

/// In the extension `\` and `=` are escaped, and line ends are written as letters.
fn escape(character: char, text: &mut String) {
    match character {
        '=' | '\\' => text.extend(['\\', character]),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        control if is_unsafe(control) => text.push('\u{fffd}'),
        other => text.push(other),
    }
}
