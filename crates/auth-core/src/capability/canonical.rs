//! The text that is signed: resources and operations in order, no blanks, characters as they are.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::resource::Grant;

/// The canonical text, as `JSON.stringify` writes an object with sorted keys.
pub(super) fn text_of(grants: &[Grant]) -> String {
    let mut sorted: Vec<_> = grants.iter().collect();
    sorted.sort_unstable_by(|one, other| utf16_order(&one.resource, &other.resource));
    let mut text = String::new();
    for grant in sorted {
        text.push(if text.is_empty() { '{' } else { ',' });
        push_string(&mut text, &grant.resource);
        text.push(':');
        for (index, name) in grant.operations.names().enumerate() {
            text.push_str(if index == 0 { "[\"" } else { ",\"" });
            text.push_str(name);
            text.push('"');
        }
        text.push(']');
    }
    text.push('}');
    text
}

fn push_string(text: &mut String, string: &str) {
    if string.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        text.push_str(&serde_json::Value::from(string).to_string());
    } else {
        text.push('"');
        text.push_str(string);
        text.push('"');
    }
}

/// The order of JavaScript, and of RFC 8785 §3.2.3: by UTF-16 code units.
///
/// It is the order of bytes, save that the characters from U+E000 to U+FFFF, which begin with 0xEE and 0xEF, come after
/// those beyond, which begin with 0xF0 to 0xF4: in UTF-16 the latter begin with a surrogate, 0xD800 to 0xDBFF.
fn utf16_order(one: &str, other: &str) -> Ordering {
    let rank = |byte| if matches!(byte, 0xee | 0xef) { byte + 0x10 } else { byte };
    one.bytes().map(rank).cmp(other.bytes().map(rank))
}
