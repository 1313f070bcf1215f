//! An event in the words of a person: what happened, and what there is to know about it.

use std::time::Duration;

use audit::Entry;
use serde_json::Value;

use super::report::lasting;

/// The members that the words of an event begin with, in this order, where it has them.
const FIRST: [&str; 8] =
    ["reason", "kind", "code", "connection", "token", "generation", "attempt", "failures"];

/// The name of an event with spaces.
pub(super) fn name(entry: &Entry) -> String {
    entry.event.name().replace('_', " ")
}

/// What there is to know about it, in one line without a line end.
pub(super) fn detail(entry: &Entry) -> String {
    let Ok(Value::Object(mut members)) = serde_json::to_value(&entry.event) else { return String::new() };
    members.remove("event");
    // Too long for a line, and nothing that a person reads.
    for long in ["peaks", "note"] {
        members.remove(long);
    }
    let mut parts = Vec::new();
    for name in FIRST {
        if let Some(value) = members.remove(name) {
            parts.extend(part(name, &value));
        }
    }
    parts.extend(members.iter().filter_map(|(name, value)| part(name, value)));
    parts.join(", ")
}

/// One member; nothing where it says nothing.
fn part(name: &str, value: &Value) -> Option<String> {
    let words = name.trim_end_matches("_ms").replace('_', " ");
    let text = match value {
        Value::Null => return None,
        // It happened once, as everything else.
        Value::Number(number) if name == "repeated" && number.as_u64() == Some(0) => return None,
        Value::Bool(yes) => {
            return match (name, *yes) {
                ("redeems", true) => Some("redeems a refresh token".to_owned()),
                ("redeems", false) => None,
                ("in_band", true) => Some("over the live connection".to_owned()),
                ("in_band", false) => Some("by a new connection".to_owned()),
                (_, true) => Some(words),
                (_, false) => Some(format!("not {words}")),
            };
        }
        Value::Number(number) if name.ends_with("_ms") && number.is_u64() => {
            lasting(Duration::from_millis(number.as_u64()?))
        }
        Value::Number(number) if name.ends_with("_ms") => format!("{number} ms"),
        Value::String(text) if matches!(name, "reason" | "kind" | "step") => {
            return Some(text.replace('_', " "));
        }
        Value::String(text) if name == "previous_end" => text.replace('_', " "),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    if text.is_empty() { None } else { Some(format!("{words} {text}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: &str) -> (String, String) {
        let line = format!(r#"{{"seq":1,"time":"2026-11-22T05:00:00.000Z",{event}}}"#);
        let entry: Entry = serde_json::from_str(&line).unwrap();
        (name(&entry), detail(&entry))
    }

    #[test]
    fn an_event_is_told_with_its_reason_first_and_its_times_in_words() {
        let lost = r#""event":"connection_lost","connection":3,"reason":"the connection broke","code":null,"lasted_ms":61000,"retry_in_ms":250"#;
        assert_eq!(
            told(lost),
            (
                "connection lost".to_owned(),
                "the connection broke, connection 3, lasted 1 min 1 s, retry in 250 ms".to_owned()
            )
        );
    }

    #[test]
    fn that_something_was_not_repeated_goes_without_saying() {
        let rejected = |repeated| {
            told(&format!(
                r#""event":"client_rejected","connection":1,"dialect":"d","reason":"no","code":401,"token":null,"peer":null,"repeated":{repeated}"#
            )).1
        };
        assert!(!rejected(0).contains("repeated"), "{}", rejected(0));
        assert!(rejected(2).contains("repeated 2"), "the control");
    }

    #[test]
    fn a_clock_behind_is_told_with_its_sign() {
        assert_eq!(told(r#""event":"server_clock_learned","offset_ms":-2500"#).1, "offset -2500 ms");
    }
}
