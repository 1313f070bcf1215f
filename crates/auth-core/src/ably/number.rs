//! Integers as Ably's libraries send them: as numbers, as numeric strings, or `null` for "none".

use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer member that may be a number or its decimal text: a token request that was rebuilt from query parameters
/// has strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer(pub(super) i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an integer")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Integer, E> {
        Ok(Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
        i64::try_from(value).map(Integer).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Integer, E> {
        // Only what is written as JSON writes it: the text is signed, and "+1" is not "1".
        let digits = text.strip_prefix('-').unwrap_or(text);
        let canonical = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !digits.starts_with('0'));
        if !canonical {
            return Err(E::custom("not an integer"));
        }
        text.parse().map(Integer).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_texts_are_read_and_nothing_else() {
        for (json, value) in [("5", 5), ("-1", -1), (r#""5""#, 5), (r#""-1""#, -1), (r#""0""#, 0)] {
            assert_eq!(serde_json::from_str::<Integer>(json).unwrap(), Integer(value), "{json}");
        }
        for json in [
            "5.0",
            "1e3",
            "true",
            "null",
            r#""""#,
            r#""+1""#,
            r#""01""#,
            r#"" 1""#,
            r#""-""#,
            r#""-0""#,
            r#""1.0""#,
            "9223372036854775808",
            r#""9223372036854775808""#,
            "[1]",
            "{}",
        ] {
            assert!(serde_json::from_str::<Integer>(json).is_err(), "{json}");
        }
    }
}
