//! The names of all events, as their own types have them.

use std::fmt;
use std::iter;

use audit::TrailEvent;
use auth_core::AuthEvent;
use serde::Deserialize;
use serde::de;
use serde::de::value::MapDeserializer;

/// The names of the events that a record may tell of.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    listed::<AuthEvent>().iter().chain(listed::<TrailEvent>()).copied()
}

/// What an event of no name is told could have stood there.
fn listed<'de, E: Deserialize<'de>>() -> &'static [&'static str] {
    let nameless: MapDeserializer<'_, _, Expected> = MapDeserializer::new(iter::once(("event", "")));
    E::deserialize(nameless).map_or_else(|expected| expected.0, |_| &[])
}

/// An error that keeps nothing but the list of the closed vocabulary.
#[derive(Debug)]
struct Expected(&'static [&'static str]);

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no event of this name")
    }
}

impl std::error::Error for Expected {}

impl de::Error for Expected {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_both_kinds_of_events_are_known() {
        let names: Vec<_> = names().collect();
        for name in ["renewal_started", "client_disconnected", "segment_opened", "checkpoint_signed"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        assert!(names.len() > 40 && !names.contains(&""), "{names:?}");
    }
}
