//! What may stand in an upgrade request, by the grammars of HTTP.

use crate::dialect::Unplaceable;

/// Whether a dialect may name a header so: legally (RFC 9110 §5.1), and as none that the upgrade itself needs.
pub(crate) fn check_header(name: &str) -> Result<(), Unplaceable> {
    let own = ["connection", "content-length", "cookie", "host", "transfer-encoding", "upgrade"];
    let lower = name.to_ascii_lowercase();
    if !is_token(name) {
        Err(Unplaceable("the dialect's header has a name that is none (RFC 9110 §5.1); correct it"))
    } else if own.contains(&lower.as_str()) || lower.starts_with("sec-websocket-") {
        Err(Unplaceable(
            "the dialect's header is one of the upgrade's own; subprotocols and cookies have places of their own",
        ))
    } else {
        Ok(())
    }
}

/// Whether a cookie may be named so (RFC 6265 §4.1.1).
pub(in crate::dialect) fn check_cookie(name: &str) -> Result<(), Unplaceable> {
    let text = "the dialect's cookie has a name that is none (RFC 6265 §4.1.1); correct it";
    if is_token(name) { Ok(()) } else { Err(Unplaceable(text)) }
}

/// Whether a subprotocol may be named so, or begin so (RFC 6455 §4.1).
pub(in crate::dialect) fn check_subprotocol(name: &str) -> Result<(), Unplaceable> {
    let text = "the dialect's subprotocol is no token (RFC 6455 §4.1); correct its name or prefix";
    if is_token(name) { Ok(()) } else { Err(Unplaceable(text)) }
}

/// A header's value, of visible ASCII and blanks between (RFC 9110 §5.5); what else that allows, few servers take.
pub(crate) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim_matches(' ').len() == text.len()
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

/// RFC 6265 §4.1.1.
pub(super) fn is_cookie_value(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e))
}
