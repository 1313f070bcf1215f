//! Recognizing a message by the values at some of its places.

use serde_json::Value;

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

    /// Whether a message of this text may match, by a test that parses nothing.
    pub(crate) fn may_match(&self, _text: &str) -> bool {
        true
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &Value) -> bool {
        self.conditions.iter().all(|(at, condition)| condition.holds(message.pointer(at)))
    }
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
}
