//! A strict reader of CEF, written from its rules for headers and extensions, and every event before it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::samples::{self, for_each_rendering};
use crate::Entry;
use crate::format::Format;
use crate::format::fields::{Fields, is_unsafe, text};

/// A record that was read.
#[derive(Debug)]
struct Record {
    /// Vendor, product, version, signature, name, severity.
    header: Vec<String>,
    extension: BTreeMap<String, String>,
}

fn read(record: &str) -> Result<Record, String> {
    if record.contains(['\n', '\r']) {
        return Err("a record is one line".to_owned());
    }
    let mut rest = record.strip_prefix("CEF:0|").ok_or("there is no CEF:0 in front")?.chars();
    let mut header = Vec::new();
    while header.len() < 6 {
        let mut field = String::new();
        loop {
            match rest.next().ok_or("the header does not end")? {
                '|' => break,
                '\\' => match rest.next() {
                    Some(escaped @ ('|' | '\\')) => field.push(escaped),
                    other => return Err(format!("{other:?} is escaped in the header")),
                },
                other => field.push(other),
            }
        }
        header.push(field);
    }
    if !header[5].parse::<u8>().is_ok_and(|severity| severity <= 10) {
        return Err(format!("{} is no severity", header[5]));
    }
    Ok(Record { header, extension: extension(rest.as_str())? })
}

/// `key=value` with a space between: each unescaped `=` ends a key, which is the word before it.
fn extension(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    let mut key: Option<String> = None;
    let mut value = String::new();
    // Where the last word of the value began, unescaped and as it is written.
    let mut characters = text.chars();
    let mut last_word: Option<(usize, String)> = Some((0, String::new()));
    while let Some(character) = characters.next() {
        match character {
            '=' => {
                let (start, word) = last_word.take().ok_or("there is no key before =")?;
                if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return Err(format!("{word:?} is no key"));
                }
                value.truncate(start);
                match key.take() {
                    Some(key) => store(&mut pairs, key, value.strip_suffix(' ').unwrap_or(&value))?,
                    None if value.is_empty() => {}
                    None => return Err("something stands before the first key".to_owned()),
                }
                (key, value) = (Some(word), String::new());
                continue;
            }
            '\\' => {
                let unescaped = match characters.next() {
                    Some(escaped @ ('\\' | '=')) => escaped,
                    Some('n') => '\n',
                    Some('r') => '\r',
                    other => return Err(format!("{other:?} is escaped in the extension")),
                };
                value.push(unescaped);
                last_word = None;
            }
            ' ' => {
                value.push(' ');
                last_word = Some((value.len(), String::new()));
            }
            other => {
                value.push(other);
                if let Some((_, word)) = &mut last_word {
                    word.push(other);
                }
            }
        }
    }
    store(&mut pairs, key.ok_or("there is no key")?, &value)?;
    Ok(pairs)
}

fn store(pairs: &mut BTreeMap<String, String>, key: String, value: &str) -> Result<(), String> {
    match pairs.insert(key.clone(), value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(format!("{key} is there twice")),
    }
}

/// Complains unless `record` reads as `entry`, cut only where it says so.
fn check(entry: &Entry, record: &str) {
    let read = read(record).unwrap_or_else(|error| panic!("{error}: {record}"));
    assert_eq!((read.header[0].as_str(), read.header[3].as_str()), ("realtime-auth", entry.event.name()));
    let is_cut = read.extension.contains_key("rtauthTruncated");
    assert!(!read.extension.contains_key("forged"), "{record}");
    let mut fields = Fields::of(&entry.event);
    let peer = fields.take_peer();
    assert_eq!(read.extension.get("src"), peer.map(|peer| peer.ip().to_string()).as_ref(), "{record}");
    let mut fields = fields.rest();
    if let Some(session) = &entry.session {
        fields.insert("session".to_owned(), session.as_str().into());
    }
    for (name, value) in fields {
        let shown = |character: char| match character {
            '\r' | '\n' => character,
            other if is_unsafe(other) => '\u{fffd}',
            other => other,
        };
        let value: String = text(&value).chars().map(shown).collect();
        let key = match name.as_str() {
            "client_id" => "suser",
            "reason" | "kind" => "reason",
            "latency_ms" | "took_ms" | "lasted_ms" => "cn1",
            "code" => "cn2",
            "key_name" => "cs1",
            "missing" => "cs2",
            "required" | "scope" => "cs3",
            "session_id" => "cs4",
            "token" => "cs5",
            "session" => "cs6",
            "attempt" => "rtauthAttempt",
            "retry_in_ms" => "rtauthRetryInMs",
            "target" => "rtauthTarget",
            "note" => "rtauthNote",
            _ => {
                let found =
                    read.extension.iter().any(|(key, read)| key.starts_with("rtauth") && *read == value);
                assert!(found || is_cut || value.is_empty(), "{name} is missing: {record}");
                continue;
            }
        };
        let read = read.extension.get(key);
        let cut = |read: &String| read.strip_suffix('…').is_some_and(|read| value.starts_with(read));
        let same =
            read == Some(&value) || (value.is_empty() && read.is_none()) || (is_cut && read.is_none_or(cut));
        assert!(same, "{name} is {read:?}, not {value:?}: {record}");
    }
}

#[test]
fn every_event_reads_as_it_is_whatever_it_holds() {
    for_each_rendering(Format::Cef, check);
}

#[test]
fn custom_slots_are_labelled() {
    for_each_rendering(Format::Cef, |_, record| {
        let read = read(record).unwrap();
        let is_cut = read.extension.contains_key("rtauthTruncated");
        for key in read.extension.keys().filter(|key| key.len() == 3 && key.starts_with('c')) {
            assert!(is_cut || read.extension.contains_key(&format!("{key}Label")), "{key}: {record}");
        }
    });
}

proptest! {
    #[test]
    fn any_text_reads_back_as_it_was(text in any::<String>(), index in any::<prop::sample::Index>()) {
        let entries = samples::entries(&text);
        let entry = &entries[index.index(entries.len())];
        check(entry, &samples::renderer(Format::Cef).render(entry));
    }
}

/// What a renderer that escapes nothing would give: the same record with the text of a stranger as it is.
fn unescaped(text: &str) -> String {
    let entries = samples::entries("PLACE");
    let entry = entries.iter().find(|entry| entry.event.name() == "connection_delayed").unwrap();
    samples::renderer(Format::Cef).render(entry).replacen("PLACE", text, 1)
}

#[test]
fn without_escapes_the_reader_sees_a_forgery() {
    let pair = read(&unescaped("x forged=1")).unwrap();
    assert_eq!(pair.extension["forged"].split(' ').next(), Some("1"));
    let line = unescaped("x\nCEF:0|a|b|c|forged|e|9|act=forged");
    assert!(read(line.lines().nth(1).unwrap()).is_ok(), "{line}");
    for broken in ["x\\", "x\\q", "x\ny", "forged\u{e9}=1", "act=twice"] {
        assert!(read(&unescaped(broken)).is_err(), "{broken}");
    }
    assert!(read(&unescaped("plain")).is_ok(), "the control");
    // In the header it is the pipe that ends a field.
    let product = unescaped("x").replacen("|gateway|", "|gate|way|", 1);
    assert!(read(&product).is_err() || read(&product).unwrap().header[3] != "connection_delayed");
}
