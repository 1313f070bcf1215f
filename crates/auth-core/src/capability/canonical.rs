//! The text that is signed: resources and operations in order, no blanks, characters as they are.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::resource::Grant;

/// The canonical text, as `JSON.stringify` writes an object with sorted keys.
pub(super) fn text_of(grants: &[Grant]) -> String {
    let mut sorted: Vec<_> = grants.iter().collect();
    // JavaScript's order, and that of RFC 8785 §3.2.3. It differs from the order of bytes, which is that of code
    // points, where a character beyond U+FFFF meets one from U+E000 on.
    sorted.sort_unstable_by(|one, other| one.resource.encode_utf16().cmp(other.resource.encode_utf16()));
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
