//! The capability text that each library signs. Where one differs from ours is written down here, and nowhere else.

use std::collections::BTreeSet;

use super::sets::{Resources, quoted};

/// Ours, and the specification's: resources by UTF-16 unit, operations by name and each once, no blanks.
pub(super) fn ours(resources: &Resources) -> String {
    let mut sorted: Vec<_> = resources.iter().collect();
    sorted.sort_by(|(one, _), (other, _)| by_units(one, other));
    object(sorted, ",", ":", quoted, |operations| {
        operations.iter().collect::<BTreeSet<_>>().into_iter().collect()
    })
}

/// That of ably-js. It differs in two ways: an operation that was named twice stays there twice, and names that
/// JavaScript takes for indexes of an array stand first, in the order of their numbers.
pub(super) fn javascript(resources: &Resources) -> String {
    let mut sorted: Vec<_> = resources.iter().collect();
    sorted.sort_by(|(one, _), (other, _)| {
        let order = |name| index(name).map_or((true, 0), |index| (false, index));
        order(one).cmp(&order(other)).then_with(|| by_units(one, other))
    });
    object(sorted, ",", ":", quoted, |operations| {
        let mut operations: Vec<_> = operations.iter().collect();
        operations.sort();
        operations
    })
}

/// That of ably-python. It differs in three ways: a blank follows each comma and colon, what is not ASCII is escaped,
/// and names are in the order of their code points. So only sets without a capability are identical.
pub(super) fn python(resources: &Resources) -> String {
    let mut sorted: Vec<_> = resources.iter().collect();
    sorted.sort();
    object(sorted, ", ", ": ", ascii, |operations| {
        operations.iter().collect::<BTreeSet<_>>().into_iter().collect()
    })
}

fn object<'a>(
    resources: Vec<&'a (String, Vec<String>)>,
    comma: &str,
    colon: &str,
    quote: fn(&str) -> String,
    list: impl Fn(&'a Vec<String>) -> Vec<&'a String>,
) -> String {
    let entries = resources.into_iter().map(|(name, operations)| {
        let operations: Vec<_> = list(operations).into_iter().map(|operation| quote(operation)).collect();
        format!("{}{colon}[{}]", quote(name), operations.join(comma))
    });
    format!("{{{}}}", entries.collect::<Vec<_>>().join(comma))
}

fn by_units(one: &str, other: &str) -> std::cmp::Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

/// The number that a name is, where JavaScript takes it for the index of an array: at most 2³² − 2.
fn index(name: &str) -> Option<u32> {
    name.parse().ok().filter(|index: &u32| *index != u32::MAX && index.to_string() == name)
}

/// A JSON string with an escape for each character that is not printable ASCII.
fn ascii(text: &str) -> String {
    let escape = |character: char| match character {
        ' '..='~' => String::from(character),
        _ => character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    // Control characters are escaped already, by both in the same way.
    quoted(text).chars().map(escape).collect()
}
