//! OAuth scopes (RFC 6749 §3.3): what a token grants, what a caller requires, and what is missing.

mod validation;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::validation::{AuditPayload, ScopeValidation, validate, validate_claims, validate_token};

/// A set of scopes, kept in the order in which they were given. Cloning it allocates nothing.
///
/// ```
/// use auth_core::scope::Scopes;
///
/// let granted: Scopes = "conversation:read user:read".parse()?;
/// let required = Scopes::of(["conversation:read", "analytics:read"])?;
/// assert_eq!(granted.missing(&required).to_string(), "analytics:read");
/// # Ok::<(), auth_core::scope::InvalidScope>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Scopes(Arc<[String]>);

/// The most scopes that one set holds; more is an attack or a mistake.
pub const MOST_SCOPES: usize = 100;

impl Scopes {
    /// The set of the given scopes.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] when one is empty or has a character outside RFC 6749 §3.3 (a space, a quotation mark, a
    /// backslash, a control or non-ASCII character), or when there are more than [`MOST_SCOPES`].
    pub fn of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, InvalidScope> {
        let mut set = Vec::new();
        for scope in scopes {
            insert(&mut set, scope.as_ref())?;
        }
        Ok(Self(set.into()))
    }

    /// Whether a space-delimited list could be read, without reading it. A list that has too many only because scopes are
    /// repeated in it is refused all the same.
    pub(crate) fn check(text: &str) -> Result<(), InvalidScope> {
        let mut count = 0;
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            check_grammar(scope)?;
            count += 1;
        }
        if count > MOST_SCOPES { Err(InvalidScope::TooMany) } else { Ok(()) }
    }

    /// Whether the set holds exactly this scope; scopes are case-sensitive and have no wildcards.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
    }

    /// The scopes of `required` that this set lacks, in their order.
    #[must_use]
    pub fn missing(&self, required: &Self) -> Self {
        Self(required.iter().filter(|scope| !self.contains(scope)).map(ToOwned::to_owned).collect())
    }

    /// Whether this set holds every scope of `required`.
    #[must_use]
    pub fn covers(&self, required: &Self) -> bool {
        required.iter().all(|scope| self.contains(scope))
    }

    /// The scopes that both sets hold, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.iter().filter(|scope| other.contains(scope)).map(ToOwned::to_owned).collect())
    }

    /// The scopes of both sets, those of this one first.
    ///
    /// # Errors
    ///
    /// [`InvalidScope::TooMany`] when they are more than [`MOST_SCOPES`].
    pub fn union(&self, other: &Self) -> Result<Self, InvalidScope> {
        Self::of(self.iter().chain(other.iter()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl PartialEq for Scopes {
    /// Whether both hold the same scopes, in whatever order.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.covers(other)
    }
}

impl Eq for Scopes {}

fn insert(set: &mut Vec<String>, scope: &str) -> Result<(), InvalidScope> {
    check_grammar(scope)?;
    if !set.iter().any(|held| held == scope) {
        if set.len() == MOST_SCOPES {
            return Err(InvalidScope::TooMany);
        }
        set.push(scope.to_owned());
    }
    Ok(())
}

fn check_grammar(scope: &str) -> Result<(), InvalidScope> {
    let is_scope_character = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !scope.is_empty() && scope.bytes().all(is_scope_character) {
        Ok(())
    } else {
        Err(InvalidScope::Grammar)
    }
}

impl core::str::FromStr for Scopes {
    type Err = InvalidScope;

    /// Reads a space-delimited list; an empty text is the empty set.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::of(text.split(' ').filter(|scope| !scope.is_empty()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    /// Reads a space-delimited string, or an array of strings as some servers send.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopesVisitor)
    }
}

struct ScopesVisitor;

impl<'de> Visitor<'de> for ScopesVisitor {
    type Value = Scopes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a space-delimited string or an array of scopes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scopes, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Scopes, A::Error> {
        let mut set = Vec::new();
        while let Some(scope) = sequence.next_element::<String>()? {
            insert(&mut set, &scope).map_err(serde::de::Error::custom)?;
        }
        Ok(Scopes(set.into()))
    }
}

/// Why a text is no set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidScope {
    /// A scope is empty or has a character that RFC 6749 §3.3 does not allow.
    Grammar,
    /// There are more than [`MOST_SCOPES`].
    TooMany,
}

impl fmt::Display for InvalidScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grammar => formatter.write_str(
                "a scope must be printable ASCII without spaces, quotation marks and backslashes (RFC 6749 §3.3)",
            ),
            Self::TooMany => write!(formatter, "at most {MOST_SCOPES} scopes are read"),
        }
    }
}

impl core::error::Error for InvalidScope {}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_clone_of_a_set_shares_it() {
        let scopes: Scopes = "a b".parse().unwrap();
        assert!(Arc::ptr_eq(&scopes.0, &scopes.clone().0));
    }

    #[test]
    fn a_repeated_scope_counts_once_and_order_is_kept() {
        let scopes: Scopes = "b a  b".parse().unwrap();
        assert_eq!(scopes.to_string(), "b a");
        assert_eq!(scopes, "a b".parse().unwrap(), "a set is a set in any order");
        assert_ne!(scopes, "a c".parse().unwrap());
    }

    #[test]
    fn characters_outside_the_grammar_are_refused() {
        for scope in ["", " ", "a b", "a\"", "a\\", "a\n", "é", "a\u{7f}"] {
            assert_eq!(Scopes::of([scope]), Err(InvalidScope::Grammar), "{scope:?}");
        }
    }

    #[test]
    fn a_flood_of_scopes_is_refused() {
        let many = |count| Scopes::of((0..count).map(|number| format!("s{number}")));
        assert!(many(MOST_SCOPES).is_ok());
        assert_eq!(many(MOST_SCOPES + 1), Err(InvalidScope::TooMany));
    }

    #[test]
    fn json_is_read_as_a_string_or_an_array() {
        for text in [r#""a b""#, r#"["a","b"]"#] {
            assert_eq!(serde_json::from_str::<Scopes>(text).unwrap(), Scopes::of(["a", "b"]).unwrap());
        }
        for text in ["5", "null", r#"["a",5]"#, r#"["a b"]"#, r#"{"a":1}"#] {
            assert!(serde_json::from_str::<Scopes>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_algebra_of_sets_keeps_the_order() {
        let set = |text: &str| text.parse::<Scopes>().unwrap();
        assert_eq!(set("c a b").intersection(&set("b c d")).to_string(), "c b");
        assert_eq!(set("c a").union(&set("a b")).unwrap().to_string(), "c a b");
        assert!(set("a b").covers(&set("b")) && set("a").covers(&set("")) && !set("a").covers(&set("a b")));
        let many = |from: usize| Scopes::of((from..from + 60).map(|number| format!("s{number}"))).unwrap();
        assert_eq!(many(0).union(&many(60)), Err(InvalidScope::TooMany));
    }

    #[test]
    fn missing_is_exact_and_never_by_prefix() {
        let granted: Scopes = "conversation:read:own Conversation:read".parse().unwrap();
        let required: Scopes = "conversation:read".parse().unwrap();
        assert_eq!(granted.missing(&required), required);
    }
}
