//! Recognizing a message by the values at some of its places.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

/// Matches a message when each of its conditions holds. One without conditions matches every message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matcher {
    conditions: Vec<(String, Condition)>,
}

/// What must hold of the value at a place.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// It is this value.
    Equals(Value),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is an integer in this range, both ends included.
    Between(i64, i64),
    /// It is a text that contains this one.
    Contains(String),
    /// There is such a value, or there is none.
    Exists(bool),
}

impl Matcher {
    /// Matches when each place, a JSON pointer (RFC 6901), has the value beside it.
    #[must_use]
    pub fn of<const N: usize>(places: [(&str, Value); N]) -> Self {
        Self { conditions: places.map(|(at, value)| (at.to_owned(), Condition::Equals(value))).into() }
    }

    /// The same matcher with one more condition.
    #[must_use]
    pub fn and(mut self, at: impl Into<String>, condition: Condition) -> Self {
        self.conditions.push((at.into(), condition));
        self
    }

    /// The places and what must hold there.
    #[must_use]
    pub fn conditions(&self) -> &[(String, Condition)] {
        &self.conditions
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &Value) -> bool {
        self.conditions.iter().all(|(at, condition)| condition.holds(value_at(message, at)))
    }

    /// Whether a message with this text, or a frame that holds it, may match: cheap, as nothing is parsed. `false` is certain.
    pub(crate) fn may_match(&self, text: &str) -> bool {
        // An escape may stand for any character of what is looked for.
        self.conditions.iter().all(|(_, condition)| condition.may_hold(text)) || text.contains("\\u")
    }

    /// The smallest message that matches: each place with what it must hold, the first or lowest where several things will do, and `null`
    /// where any will. What is missing on the way becomes an object, or an array where the place names an index up to
    /// [`HIGHEST_INDEX`]. Of conditions that contradict each other, it meets one.
    pub(crate) fn message(&self) -> Value {
        let mut message = Value::Null;
        for (at, condition) in &self.conditions {
            if condition.holds(message.pointer(at)) {
                continue;
            }
            if let Some(place) = place(&mut message, at) {
                condition.make_hold(place);
            }
        }
        message
    }
}

/// The value at a place, a JSON pointer (RFC 6901). That of `serde_json` makes two texts of each name on the way; few names need them.
pub(super) fn value_at<'a>(message: &'a Value, place: &str) -> Option<&'a Value> {
    let (Value::Object(members), Some(way)) = (message, place.strip_prefix('/')) else {
        return message.pointer(place);
    };
    let (name, rest) = way.split_at(way.find('/').unwrap_or(way.len()));
    if name.contains('~') { message.pointer(place) } else { value_at(members.get(name)?, rest) }
}

/// The highest index for which [`Matcher::message`] makes an array; beyond it, the number is a member's name.
const HIGHEST_INDEX: usize = 63;

/// The place that a JSON pointer names, made where it is missing; `None` if it is no pointer.
pub(super) fn place<'a>(message: &'a mut Value, at: &str) -> Option<&'a mut Value> {
    if at.is_empty() {
        return Some(message);
    }
    at.strip_prefix('/')?.split('/').try_fold(message, |parent, token| {
        let name = token.replace("~1", "/").replace("~0", "~");
        let is_index =
            name == "0" || (!name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
        let index = name.parse().ok().filter(|index| is_index && *index <= HIGHEST_INDEX);
        if !parent.is_object() && !parent.is_array() {
            *parent = if index.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
        match (parent, index) {
            (Value::Array(elements), Some(index)) => {
                if elements.len() <= index {
                    elements.resize(index + 1, Value::Null);
                }
                elements.get_mut(index)
            }
            (Value::Object(members), _) => Some(members.entry(name).or_insert(Value::Null)),
            _ => None,
        }
    })
}

impl Condition {
    fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Equals(wanted) => value == Some(wanted),
            Self::OneOf(wanted) => value.is_some_and(|value| wanted.contains(value)),
            Self::Between(low, high) => {
                value.and_then(Value::as_i64).is_some_and(|number| (*low..=*high).contains(&number))
            }
            Self::Contains(part) => {
                value.and_then(Value::as_str).is_some_and(|text| text.contains(part.as_str()))
            }
            Self::Exists(wanted) => value.is_some() == *wanted,
        }
    }

    /// Whether it may hold somewhere in this text, in which nothing is escaped.
    fn may_hold(&self, text: &str) -> bool {
        let stands = |value: &Value| match value {
            Value::String(wanted) => !is_plain(wanted) || text.contains(wanted.as_str()),
            _ => true,
        };
        match self {
            Self::Equals(wanted) => stands(wanted),
            Self::OneOf(wanted) => wanted.iter().any(stands),
            Self::Contains(part) => !is_plain(part) || text.contains(part.as_str()),
            Self::Between(..) | Self::Exists(_) => true,
        }
    }

    fn make_hold(&self, place: &mut Value) {
        match self {
            Self::Equals(value) => *place = value.clone(),
            Self::OneOf(values) => *place = values.first().cloned().unwrap_or_default(),
            Self::Between(low, _) => *place = Value::from(*low),
            Self::Contains(part) => match place {
                Value::String(text) => text.push_str(part),
                _ => *place = Value::from(part.as_str()),
            },
            // It exists now, or can't be taken away again.
            Self::Exists(_) => {}
        }
    }
}

/// Whether a text of JSON can hold this only as it is, or by `\u`.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
}
