//! A secret text in the making.

use std::fmt::{self, Write as _};
use std::mem;

use auth_core::Secret;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// A text that grows into a [`Secret`]: what it outgrows is wiped, which a `String` would leave behind.
pub(crate) struct Assembly(Zeroizing<String>);

impl Assembly {
    pub(crate) fn new() -> Self {
        Self::with_room(256)
    }

    /// With room for so many bytes: one that grows copies what it holds, and wipes what it outgrows.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(bytes)))
    }

    pub(crate) fn push(&mut self, text: &str) {
        let length = self.0.len() + text.len();
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(length.max(2 * self.0.capacity())));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(text);
    }

    /// Appends what `Display` shows.
    pub(crate) fn push_shown(&mut self, shown: impl fmt::Display) {
        // Writing to an assembly can't fail.
        let _ = write!(self, "{shown}");
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn finish(mut self) -> Secret {
        Secret::from(mem::take(&mut *self.0))
    }
}

impl fmt::Write for Assembly {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

/// Overwrites the strings of a message that held a credential.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(elements) => elements.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_grow_beyond_any_first_guess() {
        let mut assembly = Assembly::new();
        for _ in 0..1_000 {
            assembly.push("ab");
        }
        assert_eq!(assembly.finish().expose(), "ab".repeat(1_000));
    }
}
