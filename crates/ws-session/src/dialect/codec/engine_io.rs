//! Engine.IO 4 packets, and the Socket.IO packets within.

use serde_json::{Map, Value, json};

use super::Read;
use crate::dialect::assembly::Assembly;

/// The namespace that is not written.
const DEFAULT: &str = "/";

/// One packet.
pub(super) fn read(text: &str) -> Read<'_> {
    Read { text, value: view(text).unwrap_or_default() }
}

/// Appends the packet of a view; `false` if it names no packet.
pub(super) fn append(view: &Value, to: &mut Assembly) -> bool {
    let Some(packet) = view.get("packet").and_then(Value::as_str) else { return false };
    to.push(packet);
    if packet.starts_with('4')
        && let Some(namespace) = view.get("namespace").and_then(Value::as_str)
        && namespace != DEFAULT
    {
        to.push(namespace);
        to.push(",");
    }
    if let Some(id) = view.get("id").filter(|id| id.is_u64()) {
        to.push_shown(id);
    }
    if let Some(text) = view.get("text").and_then(Value::as_str) {
        to.push(text);
    }
    if let Some(data) = view.get("data") {
        to.push_shown(data);
    }
    true
}

fn view(text: &str) -> Option<Value> {
    let mut view = Map::new();
    let first = text.bytes().next().filter(u8::is_ascii_digit)?;
    let rest = match first {
        b'4' => {
            let kind = text.as_bytes().get(1).copied().filter(|kind| matches!(kind, b'0'..=b'6'))?;
            view.insert("packet".to_owned(), json!(&text[..2]));
            let (namespace, id, rest) = addressed(kind, &text[2..])?;
            view.insert("namespace".to_owned(), json!(namespace));
            if let Some(id) = id {
                view.insert("id".to_owned(), json!(id));
            }
            rest
        }
        b'0'..=b'6' => {
            view.insert("packet".to_owned(), json!(&text[..1]));
            &text[1..]
        }
        _ => return None,
    };
    match (rest, first) {
        ("", _) => {}
        (_, b'0' | b'4') => drop(view.insert("data".to_owned(), serde_json::from_str(rest).ok()?)),
        _ => drop(view.insert("text".to_owned(), json!(rest))),
    }
    Some(Value::Object(view))
}

/// The namespace, the number of the acknowledgement, and the data of a Socket.IO packet behind its type.
fn addressed(kind: u8, text: &str) -> Option<(&str, Option<u64>, &str)> {
    let text = match kind {
        // How many attachments follow in binary frames.
        b'5' | b'6' => {
            text.trim_start_matches(|character: char| character.is_ascii_digit()).strip_prefix('-')?
        }
        _ => text,
    };
    let (namespace, rest) = match text.starts_with('/') {
        true => text.split_once(',').unwrap_or((text, "")),
        false => (DEFAULT, text),
    };
    let (id, data) =
        rest.split_at(rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len()));
    let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
    Some((namespace, id, data))
}
