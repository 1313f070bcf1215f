//! A value of a description with the place where it stands, so that a complaint can say where.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::InvalidDescription;

/// The deepest that values may be nested: far beyond any login.
const DEEPEST: usize = 32;

/// The most that a complaint repeats of a word, which may be anything.
const LONGEST_SHOWN: usize = 48;

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node<'a> {
    value: &'a DeValue<'a>,
    place: String,
    line: usize,
}

/// A table whose entries are taken one after the other; those that are left over are unknown.
pub(super) struct Table<'a> {
    node: Node<'a>,
    entries: Vec<(&'a str, Node<'a>)>,
    known: Vec<&'static str>,
}

impl<'a> Node<'a> {
    /// A complaint about it.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> InvalidDescription {
        InvalidDescription { line: Some(self.line), place: self.place.clone(), problem: problem.into() }
    }

    pub(super) fn text(&self) -> Result<&'a str, InvalidDescription> {
        self.value.as_str().ok_or_else(|| self.wrong("this must be a text"))
    }

    pub(super) fn flag(&self) -> Result<bool, InvalidDescription> {
        self.value.as_bool().ok_or_else(|| self.wrong("this must be `true` or `false`"))
    }

    pub(super) fn integer(&self) -> Result<i64, InvalidDescription> {
        let integer = self.value.as_integer();
        let integer = integer.and_then(|text| i64::from_str_radix(text.as_str(), text.radix()).ok());
        integer.ok_or_else(|| self.wrong("this must be an integer of 64 bits"))
    }

    pub(super) const fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// What a text says, by a table of words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, InvalidDescription> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong(format!("{} is not known here; use {}", shown(text), known.join(", ")))
        })
    }
}

/// A description as it was parsed: it finds the lines of values.
pub(super) struct Document<'a> {
    value: &'a DeValue<'a>,
    line_ends: Vec<usize>,
}

impl<'a> Document<'a> {
    pub(super) fn new(text: &str, value: &'a DeValue<'a>) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
        Self { value, line_ends: line_ends.collect() }
    }

    /// The line of this offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|end| *end < offset) + 1
    }

    /// The whole.
    pub(super) fn root(&self) -> Result<Table<'a>, InvalidDescription> {
        self.table_of(Node { value: self.value, place: String::new(), line: 1 })
    }

    /// The line of a place, or of what is nearest around it.
    pub(super) fn line_of(&self, place: &str) -> Option<usize> {
        let mut nearest = Node { value: self.value, place: String::new(), line: 1 };
        for segment in place.split('.') {
            let (key, index) = segment.split_once('[').unwrap_or((segment, ""));
            let Ok(table) = self.table_of(nearest.clone()) else { break };
            let Some((_, node)) = table.entries.into_iter().find(|(name, _)| *name == key) else { break };
            let element = index.trim_end_matches(']').parse().ok();
            nearest = element
                .and_then(|index: usize| self.one_or_more(&node).into_iter().nth(index))
                .unwrap_or(node);
        }
        (!nearest.place.is_empty()).then_some(nearest.line)
    }

    /// The entries of a table, in the order in which they stand there.
    pub(super) fn table_of(&self, node: Node<'a>) -> Result<Table<'a>, InvalidDescription> {
        let DeValue::Table(table) = node.value else {
            return Err(node.wrong("this must be a table, such as `{ key = \"value\" }`"));
        };
        let entries = in_order(table).into_iter().map(|(key, offset, value)| {
            let name = if is_bare(key) && key.len() <= LONGEST_SHOWN { key.to_owned() } else { shown(key) };
            let place = match node.place.as_str() {
                "" => name,
                parent => format!("{parent}.{name}"),
            };
            (key, Node { value, place, line: self.line(offset) })
        });
        Ok(Table { entries: entries.collect(), node: node.clone(), known: Vec::new() })
    }

    /// The elements of an array; anything else stands for an array of it.
    pub(super) fn one_or_more(&self, node: &Node<'a>) -> Vec<Node<'a>> {
        let DeValue::Array(elements) = node.value else { return vec![node.clone()] };
        let elements = elements.iter().enumerate().map(|(index, value)| Node {
            value: value.get_ref(),
            place: format!("{}[{index}]", node.place),
            line: self.line(value.span().start),
        });
        elements.collect()
    }

    /// The value as JSON.
    pub(super) fn json(&self, node: &Node<'a>) -> Result<Value, InvalidDescription> {
        self.json_within(node, DEEPEST)
    }

    fn json_within(&self, node: &Node<'a>, depth: usize) -> Result<Value, InvalidDescription> {
        if depth == 0 {
            return Err(node.wrong("this is nested too deeply for a message"));
        }
        Ok(match node.value {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Integer(_) => Value::from(node.integer()?),
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                Value::from(number.ok_or_else(|| node.wrong("JSON has no such number"))?)
            }
            DeValue::Datetime(_) => {
                return Err(node.wrong("JSON has no dates; put this into quotes, or use `${now_ms}`"));
            }
            DeValue::Array(_) => {
                let elements = self.one_or_more(node);
                let elements = elements.iter().map(|element| self.json_within(element, depth - 1));
                Value::Array(elements.collect::<Result<_, _>>()?)
            }
            DeValue::Table(_) => {
                let members = self.table_of(node.clone())?.entries;
                let members = members
                    .into_iter()
                    .map(|(name, member)| Ok((name.to_owned(), self.json_within(&member, depth - 1)?)));
                Value::Object(members.collect::<Result<Map<_, _>, _>>()?)
            }
        })
    }
}

impl<'a> Table<'a> {
    /// The value of a key, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// The value of a key that must be there.
    pub(super) fn must(&mut self, key: &'static str, why: &str) -> Result<Node<'a>, InvalidDescription> {
        self.take(key).ok_or_else(|| self.wrong(format!("`{key}` is missing: {why}")))
    }

    /// All entries that were not taken.
    pub(super) fn rest(&mut self) -> Vec<(&'a str, Node<'a>)> {
        std::mem::take(&mut self.entries)
    }

    /// Complains about an entry that was not taken.
    pub(super) fn finish(&self) -> Result<(), InvalidDescription> {
        match self.entries.first() {
            None => Ok(()),
            Some((name, node)) => {
                let known = self.known.join("`, `");
                Err(node.wrong(format!("the key {} is not known here; there are `{known}`", shown(name))))
            }
        }
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> InvalidDescription {
        self.node.wrong(problem)
    }
}

/// A word of the file as a complaint repeats it.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(LONGEST_SHOWN).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}

fn in_order<'a>(table: &'a DeTable<'a>) -> Vec<(&'a str, usize, &'a DeValue<'a>)> {
    let entry =
        |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| -> (&'a str, usize, &'a DeValue<'a>) {
            let name: &std::borrow::Cow<'a, str> = key.get_ref();
            (name.as_ref(), key.span().start, value.get_ref())
        };
    let mut entries: Vec<_> = table.iter().map(entry).collect();
    entries.sort_by_key(|(_, offset, _)| *offset);
    entries
}

pub(super) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
