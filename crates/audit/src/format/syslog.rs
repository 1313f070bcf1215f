//! RFC 5424: one message without framing, whose structured data holds the record.

use super::Origin;
use super::fields::{Fields, is_unsafe, text};
use super::line::Line;
use super::meaning::Meaning;
use crate::entry::Entry;

/// The longest message, in bytes: receivers should take 2,048 (RFC 5424 §6.1).
const LONGEST: usize = 2_047;

/// What may follow the last parameter: the mark, the end of the element, and the caption as the message.
const ROOM_AT_THE_END: usize = r#" truncated="1"] "#.len() + 40;

/// The facility of security and authorization messages (authpriv).
const FACILITY: u8 = 10;

/// `<86>1 2026-11-22T05:00:00.123Z gw-1 gateway 4711 client_authenticated [origin …][rtauth@32473 …] Client Authenticated`.
pub(super) fn render(entry: &Entry, origin: &Origin, id: &str) -> String {
    let meaning = Meaning::of(&entry.event);
    let process = origin.process().map_or_else(|| "-".to_owned(), |process| process.to_string());
    let head = format!(
        "<{}>1 {} {} {} {process} {}",
        FACILITY * 8 + meaning.weight.syslog_severity(),
        entry.at,
        name(origin.host(), 255),
        name(origin.application(), 48),
        entry.event.name(),
    );
    let mut line = Line::new(head, LONGEST - ROOM_AT_THE_END);
    // Of the elements that IANA has registered: RFC 5424 §7.2.
    let software: String = origin.application().chars().take(48).collect();
    let version: String = origin.version().chars().take(32).collect();
    line.add(" [origin software=\"", &software, "\"", escape);
    line.add(" swVersion=\"", &version, "\"]", escape);
    let mut fields = Fields::of(&entry.event);
    let peer = fields.take_peer();
    line.add(&format!("[rtauth@{} id=\"", origin.enterprise_number()), id, "\"", escape);
    line.add(" seq=\"", &entry.sequence.to_string(), "\"", escape);
    line.add(" outcome=\"", meaning.outcome.name(), "\"", escape);
    line.add(" service=\"", origin.service(), "\"", escape);
    if let Some(session) = &entry.session {
        line.add(" session=\"", session.as_str(), "\"", escape);
    }
    if let Some(peer) = peer {
        line.add(" src=\"", &peer.ip().to_string(), "\"", escape);
        line.add(" spt=\"", &peer.port().to_string(), "\"", escape);
    }
    for (name, value) in fields.rest() {
        line.add(&format!(" {name}=\""), &text(&value), "\"", escape);
    }
    let mark = if line.is_cut() { " truncated=\"1\"" } else { "" };
    line.finish(&format!("{mark}] {}", meaning.caption))
}

/// A name in the header: printable ASCII, without spaces (RFC 5424 §6.2.4).
fn name(text: &str, longest: usize) -> String {
    let printable = |character: char| if character.is_ascii_graphic() { character } else { '?' };
    let name: String = text.chars().take(longest).map(printable).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// RFC 5424 §6.3.3. It has no escape for a line end, which only a signed note has: `␤` stands for it.
fn escape(character: char, text: &mut String) {
    match character {
        '"' | '\\' | ']' => text.extend(['\\', character]),
        '\n' => text.push('\u{2424}'),
        control if is_unsafe(control) => text.push('\u{fffd}'),
        other => text.push(other),
    }
}
