//! Recognizing a message by the values of some of its members.

use serde_json::{Map, Value};

/// Matches a JSON object in which certain members have certain texts.
#[derive(Debug, Clone)]
pub struct Matcher(Vec<(&'static str, &'static str)>);

impl Matcher {
    /// Matches when each member has the text beside it.
    #[must_use]
    pub fn of<const N: usize>(members: [(&'static str, &'static str); N]) -> Self {
        Self(members.to_vec())
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &Value) -> bool {
        self.0.iter().all(|(name, text)| message.get(name).and_then(Value::as_str) == Some(text))
    }

    /// The smallest message that matches, for the server's half.
    pub(crate) fn message(&self) -> Map<String, Value> {
        self.0.iter().map(|&(name, text)| (name.to_owned(), Value::from(text))).collect()
    }
}
