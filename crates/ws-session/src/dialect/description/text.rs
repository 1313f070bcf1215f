//! Keys and values as TOML writes them.

use std::fmt::Write as _;

use serde_json::Value;

use super::node::is_bare;

/// The value, if TOML has it: it has no null, and no integer beyond 64 bits with a sign.
pub(super) fn toml(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) if number.is_u64() && !number.is_i64() => return None,
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(toml).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| Some(format!("{} = {}", key_of(name), toml(value)?)));
            format!("{{ {} }}", members.collect::<Option<Vec<_>>>()?.join(", "))
        }
    })
}

pub(super) fn one_or_array(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        values => format!("[{}]", values.join(", ")),
    }
}

pub(super) fn key_of(key: &str) -> String {
    if is_bare(key) { key.to_owned() } else { quoted(key) }
}

/// A text in quotes, in single ones where that spares escapes.
pub(super) fn quoted(text: &str) -> String {
    let literal = text.contains(['"', '\\']) && !text.contains('\'') && !text.contains(char::is_control);
    if literal {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            _ if character.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
