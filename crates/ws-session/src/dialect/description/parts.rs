//! The small parts of a description: messages, matchers, codes, times.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::InvalidDescription;
use super::node::{Document, Node, Table};
use super::words::EXPIRES_AT;
use crate::dialect::{Codes, Condition, InForm, InUnit, Matcher, Template, Unit};

/// The longest time that a description may state.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400);

type Read<T> = Result<T, InvalidDescription>;

impl<'a> Document<'a> {
    /// A template under `key`, or, as the text of a JSON value, under `key_json`.
    pub(super) fn template(
        &self,
        table: &mut Table<'a>,
        key: &'static str,
        key_json: &'static str,
    ) -> Read<Option<Template>> {
        match (table.take(key), table.take(key_json)) {
            (None, None) => Ok(None),
            (Some(node), None) => self.message(&node).map(Some),
            (None, Some(node)) => json_text(&node).map(|form| Some(Template::json(form))),
            (Some(_), Some(node)) => Err(node.wrong(format!("this and `{key}` are one thing said twice"))),
        }
    }

    /// A text, or a table or an array, which is a message of JSON.
    pub(super) fn message(&self, node: &Node<'a>) -> Read<Template> {
        if node.is_text() {
            return node.text().map(Template::text);
        }
        match self.json(node)? {
            form @ (Value::Object(_) | Value::Array(_)) => Ok(Template::json(form)),
            _ => Err(node.wrong("a message is a table, an array or a text")),
        }
    }

    /// Matchers of which any will do, one of them or an array. Where a matcher without a condition would be no more than a slip,
    /// it is refused.
    pub(super) fn matchers(&self, node: &Node<'a>, may_match_all: bool) -> Read<Vec<Matcher>> {
        let nodes = self.one_or_more(node);
        nodes.iter().map(|node| self.matcher(node, may_match_all)).collect()
    }

    pub(super) fn matcher(&self, node: &Node<'a>, may_match_all: bool) -> Read<Matcher> {
        let conditions = self.table_of(node.clone())?.rest();
        if conditions.is_empty() && !may_match_all {
            return Err(node.wrong("this would match every message; say what it must hold"));
        }
        conditions.into_iter().try_fold(Matcher::default(), |matcher, (at, node)| {
            check_pointer(at, &node)?;
            Ok(matcher.and(at, self.condition(&node)?))
        })
    }

    fn condition(&self, node: &Node<'a>) -> Read<Condition> {
        if !node.is_table() {
            return match self.json(node)? {
                Value::Array(values) if values.is_empty() => Err(node.wrong("none of these ever matches")),
                Value::Array(_) => {
                    let values = self.one_or_more(node);
                    Ok(Condition::OneOf(values.iter().map(|value| self.wanted(value)).collect::<Read<_>>()?))
                }
                value => Ok(Condition::Equals(value)),
            };
        }
        let mut table = self.table_of(node.clone())?;
        let found = [
            table.take("json").map(|node| json_text(&node).map(Condition::Equals)),
            table.take("between").map(|node| self.between(&node)),
            table.take("contains").map(|node| match node.text()? {
                "" => Err(node.wrong("every text contains the empty one")),
                text => Ok(Condition::Contains(text.to_owned())),
            }),
            table.take("exists").map(|node| node.flag().map(Condition::Exists)),
        ];
        table.finish()?;
        let mut found = found.into_iter().flatten();
        match (found.next(), found.next()) {
            (Some(condition), None) => condition,
            _ => Err(node.wrong("say one of `json`, `between`, `contains` and `exists`")),
        }
    }

    /// A value that is looked for: as it is, or in a table under `json`.
    fn wanted(&self, node: &Node<'a>) -> Read<Value> {
        if !node.is_table() {
            return match self.json(node)? {
                Value::Array(_) => {
                    Err(node.wrong("write an array that is looked for as `{ json = \"[…]\" }`"))
                }
                value => Ok(value),
            };
        }
        let mut table = self.table_of(node.clone())?;
        let node = table.must("json", "it says which value is looked for, as a text of JSON")?;
        table.finish()?;
        json_text(&node)
    }

    fn between(&self, node: &Node<'a>) -> Read<Condition> {
        let ends = self.one_or_more(node);
        let ends = ends.iter().map(Node::integer).collect::<Read<Vec<_>>>()?;
        match ends[..] {
            [low, high] if low <= high => Ok(Condition::Between(low, high)),
            [_, _] => Err(node.wrong("this runs backwards; the lower end comes first")),
            _ => Err(node.wrong("this must be the two ends, as in `[40140, 40149]`")),
        }
    }

    /// Codes and ranges of them, one or an array, within `legal`.
    pub(super) fn codes(
        &self,
        node: &Node<'a>,
        legal: &RangeInclusive<u16>,
        may_be_none: bool,
    ) -> Read<Codes> {
        let mut codes = Codes { ranges: Vec::new(), or_none: false };
        for node in self.one_or_more(node) {
            match node.is_text().then(|| node.text()).transpose()? {
                Some("none") if may_be_none => codes.or_none = true,
                Some(text) => {
                    let ends = text
                        .split_once('-')
                        .and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
                    let (low, high) = ends.ok_or_else(|| {
                        let none = if may_be_none { ", or \"none\"" } else { "" };
                        node.wrong(format!("this must be a code, or a range such as \"4500-4999\"{none}"))
                    })?;
                    codes.ranges.push(legal_range(&node, low, high, legal)?);
                }
                None => {
                    let code = node.integer()?;
                    if may_be_none && matches!(code, 1005 | 1006 | 1015) {
                        return Err(node.wrong(format!(
                            "{code} is never sent (RFC 6455 §7.4.1); write \"none\" for a connection that ends without a code"
                        )));
                    }
                    let code = u16::try_from(code).unwrap_or_default();
                    codes.ranges.push(legal_range(&node, code, code, legal)?);
                }
            }
        }
        if codes.ranges.is_empty() && !codes.or_none {
            return Err(node.wrong("name a code"));
        }
        Ok(codes)
    }

    /// A time, in seconds or milliseconds by the key's end.
    pub(super) fn duration(
        &self,
        table: &mut Table<'a>,
        in_seconds: &'static str,
        in_milliseconds: &'static str,
    ) -> Read<Option<Duration>> {
        let Some((node, unit)) = in_either(table, in_seconds, in_milliseconds)? else { return Ok(None) };
        let number = u64::try_from(node.integer()?).unwrap_or_default();
        let duration = match unit {
            Unit::Seconds => Duration::from_secs(number),
            Unit::Milliseconds => Duration::from_millis(number),
        };
        if duration.is_zero() || duration > LONGEST {
            return Err(node.wrong("this must be more than nothing, and at most a day"));
        }
        Ok(Some(duration))
    }

    /// The place of a time in a message, in seconds or milliseconds by the key's end.
    pub(super) fn in_unit(
        &self,
        table: &mut Table<'a>,
        in_seconds: &'static str,
        in_milliseconds: &'static str,
    ) -> Read<Option<InUnit>> {
        let found = in_either(table, in_seconds, in_milliseconds)?;
        found.map(|(node, unit)| Ok(InUnit { at: pointer(&node)?, unit })).transpose()
    }

    /// The place of the credential's end in a message: how long it is until then, or when it is, in one of their forms by the key's end.
    pub(super) fn expiry(&self, table: &mut Table<'a>) -> Read<(Option<InUnit>, Option<InForm>)> {
        let expires_in = self.in_unit(table, "expires_in_s", "expires_in_ms")?;
        let mut expires_at = None;
        for (key, form) in EXPIRES_AT {
            let Some(node) = table.take(key) else { continue };
            if expires_in.is_some() || expires_at.is_some() {
                return Err(node.wrong("this and another `expires_…` are one thing said twice"));
            }
            expires_at = Some(InForm { at: pointer(&node)?, form });
        }
        Ok((expires_in, expires_at))
    }
}

/// A place in a message: a JSON pointer, but for the whole.
pub(super) fn pointer(node: &Node<'_>) -> Read<String> {
    let at = node.text()?;
    if at.is_empty() {
        return Err(node.wrong("this must be a place in the message, such as \"/sessionId\""));
    }
    check_pointer(at, node)?;
    Ok(at.to_owned())
}

fn check_pointer(at: &str, node: &Node<'_>) -> Read<()> {
    let escapes = at.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if escapes && (at.is_empty() || at.starts_with('/')) {
        Ok(())
    } else {
        Err(node.wrong(
            "a place is a JSON pointer (RFC 6901): it begins with a slash, as \"/error/code\", and writes ~ as ~0",
        ))
    }
}

fn json_text(node: &Node<'_>) -> Read<Value> {
    let value = serde_json::from_str(node.text()?);
    value.map_err(|_| node.wrong("this must be the text of a JSON value, as '{\"a\":null}' in single quotes"))
}

fn legal_range(
    node: &Node<'_>,
    low: u16,
    high: u16,
    legal: &RangeInclusive<u16>,
) -> Read<RangeInclusive<u16>> {
    if !legal.contains(&low) || !legal.contains(&high) {
        return Err(node.wrong(format!("codes are from {} to {}", legal.start(), legal.end())));
    }
    if low > high {
        return Err(node.wrong("this runs backwards; the lower end comes first"));
    }
    Ok(low..=high)
}

fn in_either<'a>(
    table: &mut Table<'a>,
    in_seconds: &'static str,
    in_milliseconds: &'static str,
) -> Read<Option<(Node<'a>, Unit)>> {
    match (table.take(in_seconds), table.take(in_milliseconds)) {
        (None, None) => Ok(None),
        (Some(node), None) => Ok(Some((node, Unit::Seconds))),
        (None, Some(node)) => Ok(Some((node, Unit::Milliseconds))),
        (Some(_), Some(node)) => Err(node.wrong(format!("this and `{in_seconds}` are one thing said twice"))),
    }
}
