//! The fields of an event as JSON, which a format takes one by one; what it has no place for stays.

use std::net::SocketAddr;

use serde_json::{Map, Value};

use crate::entry::Event;

/// The fields of an event that have a value, under their names in the log.
#[derive(Debug, Clone)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Those of `event`, without its name. Numbers are at most 2⁶³ − 1, which is what receivers can store.
    pub(super) fn of(event: &Event) -> Self {
        let mut fields = match serde_json::to_value(event) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.remove("event");
        fields.retain(|_, value| !value.is_null());
        for value in fields.values_mut() {
            if value.as_u64().is_some_and(|number| number > LARGEST) {
                *value = LARGEST.into();
            }
        }
        Self(fields)
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Takes a field out as text.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).map(|value| text(&value))
    }

    /// Takes out where the other end is.
    pub(super) fn take_peer(&mut self) -> Option<SocketAddr> {
        self.0.remove("peer").and_then(|peer| peer.as_str()?.parse().ok())
    }

    /// Takes out how long it took, or lasted, in milliseconds. An event has one of these at most.
    pub(super) fn take_duration(&mut self) -> Option<u64> {
        ["latency_ms", "took_ms", "lasted_ms"].into_iter().find_map(|name| self.0.remove(name)?.as_u64())
    }

    /// Adds a field that the entry has, or whoever speaks.
    pub(super) fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// What is left.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.0
    }
}

/// The largest number that a signed 64-bit field of a receiver holds.
pub(super) const LARGEST: u64 = i64::MAX as u64;

/// Whether a reader of lines may take a character for an end of one, or a terminal for a command.
pub(super) fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// A value as text: lists with spaces between, as scopes are written.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// An object whose members are there only where they have a value.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The same with a member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a member, where there is one.
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with an object as a member, unless it is empty.
    pub(super) fn with_object(self, name: &str, object: Self) -> Self {
        if object.0.is_empty() { self } else { self.with(name, object.0) }
    }
}

impl From<Map<String, Value>> for Object {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&serde_json::to_string(&self.0).unwrap_or_default())
    }
}
