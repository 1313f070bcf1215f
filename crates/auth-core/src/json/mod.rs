//! Reading JSON: serde for models, and a strict reader for what must not be read in two ways.

pub(crate) mod strict;

use serde::de::{DeserializeOwned, Error as _};

/// Reads `T` from a text that must be a JSON object.
///
/// A derived reader would take an array as well, member by member in the order of the fields.
pub(crate) fn from_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(text),
        Some(_) | None => Err(serde_json::Error::custom("expected an object")),
    }
}
