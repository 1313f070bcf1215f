//! Reading JSON: serde for what we asked for, and a strict reader for what strangers sign.

pub(crate) mod strict;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};

/// Reads `T` from a text that must be a JSON object.
///
/// A derived reader would take an array as well, member by member in the order of the fields.
pub(crate) fn from_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(text),
        Some(_) | None => Err(serde_json::Error::custom("expected an object")),
    }
}

/// The names of an object's members; none when the text is something else.
pub(crate) fn member_names(text: &[u8]) -> BTreeSet<String> {
    from_object::<BTreeMap<String, IgnoredAny>>(text)
        .map(|members| members.into_keys().collect())
        .unwrap_or_default()
}
