//! A strict reader of RFC 5424, written from its grammar (§6), and every event before it.

use auth_core::observe::Label;
use auth_core::time::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::samples::{self, for_each_rendering};
use crate::Entry;
use crate::format::Format;
use crate::format::fields::{Fields, is_unsafe, text};

/// A message that was read.
#[derive(Debug)]
struct Message {
    severity: u8,
    host: String,
    application: String,
    process: String,
    id: String,
    elements: Vec<(String, Vec<(String, String)>)>,
    text: String,
}

/// What is left to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn expect(&mut self, text: &str) -> Result<(), String> {
        self.0 = self.0.strip_prefix(text).ok_or_else(|| format!("no {text:?} before {:?}", self.0))?;
        Ok(())
    }

    fn until(&mut self, end: char) -> Result<&'a str, String> {
        let (text, rest) = self.0.split_once(end).ok_or_else(|| format!("no {end:?} in {:?}", self.0))?;
        self.0 = rest;
        Ok(text)
    }

    /// A word of the header, and the space after it.
    fn word(&mut self, longest: usize) -> Result<String, String> {
        let word = self.until(' ')?;
        let printable = word.bytes().all(|byte| (33..=126).contains(&byte));
        if word.is_empty() || word.len() > longest || !printable {
            return Err(format!("{word:?} is no word of the header"));
        }
        Ok(word.to_owned())
    }

    /// SD-NAME.
    fn name(&mut self, ends: &[char]) -> Result<String, String> {
        let end = self.0.find(ends).ok_or("a name does not end")?;
        let (name, rest) = self.0.split_at(end);
        let allowed = |byte: u8| (33..=126).contains(&byte) && !matches!(byte, b'=' | b']' | b'"');
        if name.is_empty() || name.len() > 32 || !name.bytes().all(allowed) {
            return Err(format!("{name:?} is no name"));
        }
        self.0 = rest;
        Ok(name.to_owned())
    }

    /// PARAM-VALUE and the quotation mark after it.
    fn value(&mut self) -> Result<String, String> {
        let mut value = String::new();
        let mut characters = self.0.chars();
        loop {
            match characters.next().ok_or("a value does not end")? {
                '"' => break,
                ']' => return Err("a bracket is not escaped".to_owned()),
                '\\' => match characters.next() {
                    Some(escaped @ ('"' | '\\' | ']')) => value.push(escaped),
                    other => return Err(format!("{other:?} is escaped")),
                },
                other => value.push(other),
            }
        }
        self.0 = characters.as_str();
        Ok(value)
    }
}

fn read(message: &str) -> Result<Message, String> {
    let mut rest = Rest(message);
    rest.expect("<")?;
    let priority: u8 = rest.until('>')?.parse().map_err(|_| "the priority is no number")?;
    if priority > 191 || !message.starts_with(&format!("<{priority}>1 ")) {
        return Err("the priority, or the version, is not written so".to_owned());
    }
    rest.expect("1 ")?;
    rest.word(32)?.parse::<Timestamp>().map_err(|_| "there is no time")?;
    let (host, application) = (rest.word(255)?, rest.word(48)?);
    let (process, id) = (rest.word(128)?, rest.word(32)?);
    let mut elements: Vec<(String, Vec<_>)> = Vec::new();
    while rest.expect("[").is_ok() {
        let name = rest.name(&[' ', ']'])?;
        if elements.iter().any(|(other, _)| *other == name) {
            return Err(format!("{name} is there twice"));
        }
        let mut parameters = Vec::new();
        while rest.expect(" ").is_ok() {
            let name = rest.name(&['='])?;
            rest.expect("=\"")?;
            parameters.push((name, rest.value()?));
        }
        rest.expect("]")?;
        elements.push((name, parameters));
    }
    rest.expect(" ")?;
    let text = rest.0.to_owned();
    Ok(Message { severity: priority & 7, host, application, process, id, elements, text })
}

/// What the structured data of `entry` must say of its fields.
fn expected(entry: &Entry) -> Vec<(String, String)> {
    let mut fields = Fields::of(&entry.event);
    let mut expected = Vec::new();
    if let Some(peer) = fields.take_peer() {
        expected.push(("src".to_owned(), peer.ip().to_string()));
        expected.push(("spt".to_owned(), peer.port().to_string()));
    }
    let shown = |character: char| match character {
        '\n' => '␤',
        other if is_unsafe(other) => '\u{fffd}',
        other => other,
    };
    let shown = |value: &Value| text(value).chars().map(shown).collect();
    let fields = fields.rest().into_iter().map(|(name, value)| (name, shown(&value)));
    expected.extend(fields);
    if let Some(session) = &entry.session {
        expected.push(("session".to_owned(), session.to_string()));
    }
    expected
}

/// Complains unless `message` reads as `entry`, cut only where it says so.
fn check(entry: &Entry, message: &str) {
    let read = read(message).unwrap_or_else(|error| panic!("{error}: {message}"));
    let names: Vec<&str> = read.elements.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["origin", "rtauth@32473"], "{message}");
    assert_eq!(read.id, entry.event.name());
    assert!(read.text.is_ascii() && !read.text.is_empty(), "{message}");
    let parameters = &read.elements[1].1;
    let find = |name: &str| parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let is_cut = find("truncated").is_some();
    let expected = expected(entry);
    let ours = ["id", "seq", "outcome", "service", "truncated"];
    for (name, _) in parameters {
        let known = ours.contains(&name.as_str()) || expected.iter().any(|(other, _)| other == name);
        assert!(known, "{name} is forged: {message}");
    }
    for (name, value) in expected {
        let read = find(&name);
        let cut = |read: &String| read.strip_suffix('…').is_some_and(|read| value.starts_with(read));
        let same = read == Some(&value) || (is_cut && read.is_none_or(cut));
        assert!(same, "{name} is {read:?}, not {value:?}: {message}");
    }
}

#[test]
fn every_event_reads_as_it_is_whatever_it_holds() {
    for_each_rendering(Format::Syslog, check);
}

#[test]
fn the_header_says_who_speaks_and_how_much_it_matters() {
    let entries = samples::entries("x");
    let severities: Vec<u8> = ["client_authenticated", "token_revoked", "client_rejected", "replay_rejected"]
        .into_iter()
        .map(|name| {
            let entry = entries.iter().find(|entry| entry.event.name() == name).unwrap();
            let message = read(&samples::renderer(Format::Syslog).render(entry)).unwrap();
            let who = [message.host.as_str(), &message.application, &message.process];
            assert_eq!(who, ["gw-1.example", "gateway", "4711"]);
            message.severity
        })
        .collect();
    assert_eq!(severities, [6, 5, 4, 3]);
}

#[test]
fn names_that_do_not_fit_the_header_are_made_to_fit() {
    let origin = crate::format::Origin::new(&"höst ".repeat(100), "").with_enterprise_number(u32::MAX);
    let text = crate::format::Renderer::new(Format::Syslog, origin).render(&samples::entries("x")[0]);
    let message = read(&text).unwrap();
    assert_eq!((message.host.len(), message.application.as_str()), (255, "-"));
    assert!(message.host.starts_with("h?st?h?st?") && message.process == "-");
    assert_eq!(message.elements[1].0, "rtauth@4294967295");
}

proptest! {
    #[test]
    fn any_text_reads_back_as_it_was(text in any::<String>(), index in any::<prop::sample::Index>()) {
        let entries = samples::entries(&text);
        let entry = &entries[index.index(entries.len())];
        check(entry, &samples::renderer(Format::Syslog).render(entry));
    }
}

/// What a renderer that escapes nothing would give: the same record with the text of a stranger as it is.
fn unescaped(text: &str) -> String {
    let entries = samples::entries("PLACE");
    let entry = entries.iter().find(|entry| entry.event.name() == "client_rejected").unwrap();
    samples::renderer(Format::Syslog).render(entry).replacen("PLACE", text, 1)
}

#[test]
fn without_escapes_the_reader_sees_a_forgery() {
    let parameter = read(&unescaped(r#"x" forged="1"#)).unwrap();
    assert!(parameter.elements[1].1.iter().any(|(name, _)| name == "forged"));
    let element = unescaped(r#"x"][forged@1 x="1"#);
    assert!(element.contains("[forged@1 "), "{element}");
    let line = unescaped("x\"] x\n<85>1 2026-11-22T05:00:00.000Z evil app - forged [x y=\"");
    assert!(line.lines().count() > 1 && read(line.lines().nth(1).unwrap()).is_ok(), "{line}");
    for broken in ["x]", "x\\n", "x\""] {
        assert!(read(&unescaped(broken)).is_err(), "{broken}");
    }
    assert!(read(&unescaped(Label::new("plain").as_str())).is_ok(), "the control");
}
