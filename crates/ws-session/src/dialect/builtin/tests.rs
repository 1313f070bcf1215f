//! What the built-in dialects make of what servers say.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::codec::Codec;
use super::super::{
    Acceptance, Captures, CredentialUse, Dialect, Failure, Incoming, Occurrence, Phase, Reconnection,
    Renewal, Trigger, Verdict,
};

mod messages;
mod verdicts;

/// What a server says in one frame, as the dialect's matchers see it.
fn said(dialect: &Dialect, wire: &str) -> Value {
    let mut read = match dialect.codec {
        Codec::Nats => dialect.codec.read(Incoming::Binary(wire.as_bytes())),
        _ => dialect.codec.read(Incoming::Text(wire)),
    };
    let message = read.next().unwrap();
    assert_eq!(read.next(), None, "{wire:?} holds one message");
    message.value.clone()
}

fn named(name: &str) -> Dialect {
    Dialect::named(name).unwrap_or_else(|| panic!("{name} is built in"))
}

#[test]
fn every_built_in_dialect_has_the_name_under_which_it_is_found() {
    let names: Vec<_> = Dialect::names().collect();
    for name in &names {
        assert_eq!(named(name).name, *name);
    }
    assert!(names.is_sorted());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(Dialect::named("Genesys"), None);
    assert_eq!(Dialect::named(""), None);
}

#[test]
fn no_built_in_dialect_equals_another() {
    let all: Vec<_> = Dialect::names().map(named).collect();
    for (index, one) in all.iter().enumerate() {
        assert_eq!(*one, one.clone());
        for another in &all[..index] {
            assert_ne!(one, another);
        }
    }
}

#[test]
fn a_dialect_that_differs_in_one_part_is_another() {
    let one = Dialect::home_assistant();
    let other = Dialect::socket_io();
    for (part, changed) in [
        ("name", Dialect { name: other.name.clone(), ..one.clone() }),
        ("codec", Dialect { codec: other.codec, ..one.clone() }),
        ("placement", Dialect { placement: other.placement.clone(), ..one.clone() }),
        ("login", Dialect { login: other.login.clone(), ..one.clone() }),
        ("acceptance", Dialect { acceptance: other.acceptance.clone(), ..one.clone() }),
        ("captured", Dialect { captured: other.captured.clone(), ..one.clone() }),
        ("renewal", Dialect { renewal: Dialect::ably().renewal, ..one.clone() }),
        ("credential_use", Dialect { credential_use: CredentialUse::Once, ..one.clone() }),
        ("reconnection", Dialect { reconnection: Reconnection::Current, ..one.clone() }),
        ("replies", Dialect { replies: other.replies.clone(), ..one.clone() }),
        ("requests", Dialect { requests: Dialect::ably().requests, ..one.clone() }),
        ("ping", Dialect { ping: other.ping.clone(), ..one.clone() }),
        ("heartbeats", Dialect { heartbeats: Dialect::ably().heartbeats, ..one.clone() }),
        ("farewell", Dialect { farewell: Dialect::ably().farewell, ..one.clone() }),
        ("rules", Dialect { rules: other.rules.clone(), ..one.clone() }),
    ] {
        assert_ne!(changed, one, "{part}");
        assert_eq!(changed, changed.clone(), "{part}");
    }
}

#[cfg(feature = "description")]
#[test]
fn every_built_in_dialect_is_the_same_once_it_was_written_and_read() {
    for name in Dialect::names() {
        let text = named(name).to_toml().unwrap_or_else(|error| panic!("{name}: {error}"));
        let read = Dialect::from_toml(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        assert_eq!(read, named(name), "{text}");
        assert_eq!(read.to_toml().as_deref(), Ok(text.as_str()));
    }
}
