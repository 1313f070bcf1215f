//! A strict reader of JSON objects from strangers: one pass, duplicate members refused, depth bounded.
//!
//! JSON libraries let the last of two equal members win, and so two readers of one token can see two different tokens.
//! Here equal names are refused at every level, after their escapes are resolved.

mod scanner;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize as _;

use self::scanner::Scanner;

/// How deep objects and arrays may nest, the outermost included.
pub(crate) const DEEPEST: usize = 32;

/// An object, its members kept as places in the text.
#[derive(Clone)]
pub(crate) struct Document {
    text: String,
    /// Strings that had escapes, resolved.
    resolved: String,
    members: Vec<Member>,
}

/// A value as it is handed out. Nested ones are whole JSON texts, known to be well-formed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Boolean(bool),
    /// As written; its value is finite.
    Number(&'a str),
    Text(&'a str),
    Array(&'a str),
    Object(&'a str),
}

impl<'a> Value<'a> {
    /// The string, if it is one.
    pub(crate) const fn as_text(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    NotUtf8,
    Syntax,
    NotAnObject,
    Duplicate,
    TooDeep,
    NumberRange,
    LoneSurrogate,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    name: Place,
    value: Place,
}

/// What stands where. Flat on purpose: an enum with the spans inside is copied in pieces, and that is a tenth of the time
/// that a token takes.
#[derive(Debug, Clone, Copy)]
struct Place {
    kind: Kind,
    span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    True,
    False,
    Number,
    /// A string, in the text itself.
    Text,
    /// A string, among the resolved ones.
    ResolvedText,
    Array,
    Object,
}

/// Half the size of two `usize`: a text is never as long as 4 GiB.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Document {
    /// Reads an object.
    pub(crate) fn parse(text: Vec<u8>) -> Result<Self, Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed::Syntax);
        }
        let text = String::from_utf8(text).map_err(|_| Malformed::NotUtf8)?;
        let mut scanner = Scanner::new(&text);
        scanner.space();
        if scanner.peek() != Some(b'{') {
            // What is no JSON at all is a mistake of another kind.
            scanner.value(1)?;
            scanner.end()?;
            return Err(Malformed::NotAnObject);
        }
        let mut members = Vec::with_capacity(8);
        scanner.object(1, |member: Member| members.push(member))?;
        if scanner.has_equal_names(members.iter().map(|member| member.name)) {
            return Err(Malformed::Duplicate);
        }
        scanner.end()?;
        let resolved = scanner.into_resolved();
        Ok(Self { text, resolved, members })
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'_>> {
        let member = self.members.iter().find(|member| self.text_of(member.name) == name)?;
        Some(self.value_of(member.value))
    }

    /// The value of a member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_text)
    }

    /// All members in order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.members.iter().map(|member| (self.text_of(member.name), self.value_of(member.value)))
    }

    /// The value of the member at this place in the order of [`members`](Self::members).
    pub(crate) fn at(&self, index: usize) -> Option<Value<'_>> {
        self.members.get(index).map(|member| self.value_of(member.value))
    }

    /// Wipes the text, for one that held a secret.
    pub(crate) fn wipe(&mut self) {
        let Self { text, resolved, members } = self;
        text.zeroize();
        resolved.zeroize();
        members.clear();
    }

    /// The whole text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn text_of(&self, place: Place) -> &str {
        place.text(&self.text, &self.resolved)
    }

    fn value_of(&self, place: Place) -> Value<'_> {
        let text = self.text_of(place);
        match place.kind {
            Kind::Null => Value::Null,
            Kind::True => Value::Boolean(true),
            Kind::False => Value::Boolean(false),
            Kind::Number => Value::Number(text),
            Kind::Text | Kind::ResolvedText => Value::Text(text),
            Kind::Array => Value::Array(text),
            Kind::Object => Value::Object(text),
        }
    }
}

impl Place {
    /// The text that stands there, given the text itself and the resolved strings.
    fn text<'a>(self, text: &'a str, resolved: &'a str) -> &'a str {
        self.span.of(if self.kind == Kind::ResolvedText { resolved } else { text })
    }
}

impl fmt::Debug for Document {
    /// Leaves the text out: it may be of a key, or of a person.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Document({} members)", self.members.len())
    }
}

/// The strings of an array, as it was handed out; `None` when one element is something else.
pub(crate) fn strings(array: &str) -> Option<Vec<String>> {
    serde_json::from_str(array).ok()
}

/// The strings of an array that is a list of names, such as `crit` and `key_ops`; `None` when one is something else, when
/// one stands twice, or when they are more than 16: no honest list is that long, and each is compared with each.
pub(crate) fn names(array: &str) -> Option<Vec<String>> {
    let names = strings(array).filter(|names| names.len() <= 16)?;
    let stands_twice =
        |(index, name): (usize, &String)| names.iter().take(index).any(|earlier| earlier == name);
    if names.iter().enumerate().any(stands_twice) { None } else { Some(names) }
}

/// The elements of an array, as it was handed out, each as its own text.
pub(crate) fn elements(array: &str) -> Result<Vec<&str>, Malformed> {
    let mut scanner = Scanner::new(array);
    let mut elements = Vec::new();
    scanner.array(1, |span| elements.push(span))?;
    Ok(elements.into_iter().map(|span: Span| span.of(array)).collect())
}

impl Span {
    const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
