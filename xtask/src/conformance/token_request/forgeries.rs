//! The negative control: what a library sent, with one character of one signed value changed.

use serde_json::{Map, Value};

use super::sets::{Draws, Set};

/// Each signed value changed in turn, with the key under which the result is to be verified.
///
/// A changed name of the key is verified under a key of that name with the same secret: otherwise it would be refused
/// before its MAC is looked at.
pub(super) fn forgeries(set: &Set, sent: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut draws = Draws(set.salt);
    let mut forge = |name: &str| {
        let mut forged = sent.clone();
        let value = match sent.get(name).unwrap_or(&Value::Null) {
            Value::Number(number) if number.as_u64() != Some(0) => {
                let changed = changed(&number.to_string(), &mut draws);
                changed.parse::<u64>().map_or(Value::Null, Value::from)
            }
            Value::String(text) => changed(text, &mut draws).into(),
            // Absent, in one of the ways in which it can be.
            _ if name == "ttl" => 1.into(),
            _ if name == "capability" => r#"{"a":["*"]}"#.into(),
            _ => "1".into(),
        };
        forged.insert(name.to_owned(), value);
        let (_, secret) = set.key.split_once(':').unwrap_or_default();
        (format!("{}:{secret}", forged["keyName"].as_str().unwrap_or_default()), Value::Object(forged))
    };
    ["keyName", "ttl", "capability", "clientId", "timestamp", "nonce", "mac"].map(&mut forge).to_vec()
}

/// The text with one character replaced by a digit: of one byte, wherever there is an ASCII character to replace.
fn changed(text: &str, draws: &mut Draws) -> String {
    let is_ascii = text.chars().any(|character| character.is_ascii());
    let replaceable = |(_, character): &(usize, char)| {
        // Padding is no part of what base64 says.
        (character.is_ascii() || !is_ascii) && *character != '='
    };
    let positions: Vec<_> = text.char_indices().filter(replaceable).collect();
    let Some((position, character)) = positions.get(draws.below(positions.len() as u64) as usize) else {
        return "1".to_owned();
    };
    let digit = if *character == '1' { '2' } else { '1' };
    format!("{}{digit}{}", &text[..*position], &text[position + character.len_utf8()..])
}
