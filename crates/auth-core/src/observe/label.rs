//! Text from a stranger, safe to record.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text from a stranger, made safe to record: at most 128 characters, controls and separators of lines replaced. Cloning it allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(Arc<str>);

impl Label {
    /// The most characters kept.
    pub const LONGEST: usize = 128;

    /// A label from any text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let ends_a_line = |character| matches!(character, '\u{2028}' | '\u{2029}');
        let safe = |character: char| {
            if character.is_control() || ends_a_line(character) { '\u{fffd}' } else { character }
        };
        Self(text.chars().take(Self::LONGEST).map(safe).collect::<String>().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn a_label_can_neither_forge_a_line_nor_flood_a_log() {
        let label = Label::new("a\r\n<85>1 forged\u{0}\u{2028}\u{85}");
        assert_eq!(label.as_str(), "a\u{fffd}\u{fffd}<85>1 forged\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(Label::new(&format!("{:1000}", 1)).as_str().chars().count(), Label::LONGEST);
    }
}
