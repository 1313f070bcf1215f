//! JSON Web Tokens that nobody verifies: the machine reads no more of them than their end.

use crate::trace::MARKER;

/// A token with these claims, both in seconds.
pub(crate) fn unverified(serial: u64, issued: u64, expires: u64) -> String {
    let header = base64url(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = base64url(format!(r#"{{"iat":{issued},"exp":{expires},"jti":"{serial}"}}"#).as_bytes());
    // 24 digits: base64url is read strictly.
    format!("{header}.{payload}.{MARKER}sig{serial:015}")
}

/// Without padding, as RFC 7515 §2 wants it.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_the_rfc() {
        // RFC 7515, appendix C.
        assert_eq!(base64url(&[3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(base64url(b""), "");
    }
}
