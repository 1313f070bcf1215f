//! The lines of NATS' client protocol.

use std::str::from_utf8;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::Read;
use crate::dialect::assembly::Assembly;

/// The lines of a frame; payloads are passed over.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(super) const fn of(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Read<'a>;

    fn next(&mut self) -> Option<Read<'a>> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let (line, after) = self.rest.split_at(end.map_or(self.rest.len(), |end| end + 1));
            self.rest = after;
            let Ok(line) = from_utf8(line) else {
                // Whatever this is, it may have a payload, which must not be taken for lines.
                self.rest = &[];
                return Some(Read::unreadable(""));
            };
            let line = line.trim_end_matches(['\r', '\n']);
            let (verb, arguments) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            if has_payload(verb) {
                let length =
                    arguments.split_ascii_whitespace().next_back().and_then(|length| length.parse().ok());
                let payload = length.and_then(|length: usize| self.rest.get(length..));
                self.rest = payload.and_then(|rest| rest.strip_prefix(b"\r\n")).unwrap_or_default();
            }
            if !line.is_empty() {
                return Some(Read { text: line, value: view(verb, arguments.trim()) });
            }
        }
        None
    }
}

/// Appends the line of a view; `false` if it names no verb.
pub(super) fn append(view: &Value, to: &mut Assembly) -> bool {
    let Some(verb) = view.get("verb").and_then(Value::as_str) else { return false };
    to.push(verb);
    if let Some(text) = view.get("text").and_then(Value::as_str) {
        let quote = if verb.eq_ignore_ascii_case("-ERR") { "'" } else { "" };
        let line = Zeroizing::new(text.replace(char::is_control, " "));
        for part in [" ", quote, &line, quote] {
            to.push(part);
        }
    }
    if let Some(data) = view.get("data") {
        to.push(" ");
        to.push_shown(data);
    }
    true
}

fn has_payload(verb: &str) -> bool {
    ["MSG", "HMSG", "PUB", "HPUB"].iter().any(|known| known.eq_ignore_ascii_case(verb))
}

fn view(verb: &str, arguments: &str) -> Value {
    let mut view = Map::new();
    view.insert("verb".to_owned(), json!(verb));
    if arguments.starts_with('{') && !has_payload(verb) {
        match serde_json::from_str(arguments) {
            Ok(data) => drop(view.insert("data".to_owned(), data)),
            Err(_) => return Value::Null,
        }
    } else if !arguments.is_empty() {
        let unquoted = arguments.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        view.insert("text".to_owned(), json!(unquoted.unwrap_or(arguments)));
    }
    Value::Object(view)
}
