//! How what is filled in is encoded, and how that is undone.

use auth_core::Secret;
use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::InvalidTemplate;
use crate::dialect::assembly::Assembly;

/// An encoding of what is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Raw,
    /// As the inside of a JSON string (RFC 8259 §7).
    Json,
    /// Base64 with padding (RFC 4648 §4).
    Base64,
    /// Base64url without padding (RFC 4648 §5).
    Base64Url,
    /// Percent-encoded, all but the unreserved characters (RFC 3986 §2.3).
    Url,
}

impl Encoding {
    pub(super) fn named(name: &str) -> Result<Self, InvalidTemplate> {
        Ok(match name {
            "raw" => Self::Raw,
            "json" => Self::Json,
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url,
            "url" => Self::Url,
            _ => return Err(InvalidTemplate::Encoding(name.to_owned())),
        })
    }

    /// Appends a text in this encoding.
    pub(crate) fn append(self, text: &str, to: &mut Assembly) {
        match self {
            Self::Raw => to.push(text),
            Self::Json if each_byte(text, is_plain) => to.push(text),
            Self::Json => escape(text, to),
            Self::Base64 => to.push_shown(Base64Display::new(text.as_bytes(), &STANDARD)),
            Self::Base64Url => to.push_shown(Base64Display::new(text.as_bytes(), &URL_SAFE_NO_PAD)),
            Self::Url => percent_encode(text, to),
        }
    }

    /// Whether a text stays as it is.
    pub(crate) fn keeps(self, text: &str) -> bool {
        match self {
            Self::Raw => true,
            Self::Json => each_byte(text, is_plain) || !text.contains(is_escaped),
            Self::Url => each_byte(text, is_unreserved),
            Self::Base64 | Self::Base64Url => text.is_empty(),
        }
    }

    /// What was encoded; `None` if it was encoded wrongly.
    pub(crate) fn decode(self, text: &str) -> Option<Secret> {
        let mut bytes = match self {
            Self::Raw => return Some(Secret::from(text)),
            Self::Json => return unescape(text),
            Self::Base64 => Zeroizing::new(STANDARD.decode(text).ok()?),
            Self::Base64Url => Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?),
            Self::Url => percent_decode(text)?,
        };
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Some(Secret::from(text)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                None
            }
        }
    }
}

/// Whether this holds of each byte. Without an early end, many are looked at together: tokens are long.
fn each_byte(text: &str, holds: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & holds(byte))
}

/// Whether this stands in JSON as it is, as most of all tokens does.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
}

/// Whether this is escaped in JSON: all control characters too, also those that JSON would let stand, as no reader takes them for an end of line.
fn is_escaped(character: char) -> bool {
    matches!(character, '"' | '\\') || character.is_control()
}

fn escape(text: &str, to: &mut Assembly) {
    for part in text.split_inclusive(is_escaped) {
        let mut plain = part.chars();
        match plain.next_back() {
            Some(special @ ('"' | '\\')) => {
                for text in [plain.as_str(), "\\", special.encode_utf8(&mut [0; 4])] {
                    to.push(text);
                }
            }
            Some(control) if control.is_control() => {
                to.push(plain.as_str());
                to.push_shown(format_args!("\\u{:04x}", u32::from(control)));
            }
            Some(_) | None => to.push(part),
        }
    }
}

fn unescape(text: &str) -> Option<Secret> {
    let mut quoted = Assembly::new();
    quoted.push("\"");
    quoted.push(text);
    quoted.push("\"");
    serde_json::from_str::<String>(quoted.as_str()).ok().map(Secret::from)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~')
}

fn percent_encode(text: &str, to: &mut Assembly) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            to.push(char::from(byte).encode_utf8(&mut [0; 4]));
        } else {
            to.push_shown(format_args!("%{byte:02X}"));
        }
    }
}

fn percent_decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            _ => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a+b/c==\"\\\n\u{e9}~";

    fn encoded(encoding: Encoding) -> String {
        let mut assembly = Assembly::new();
        encoding.append(TEXT, &mut assembly);
        assembly.finish().expose().to_owned()
    }

    #[test]
    fn each_encoding_is_the_one_of_its_specification() {
        assert_eq!(encoded(Encoding::Raw), TEXT);
        assert_eq!(encoded(Encoding::Json), r#"a+b/c==\"\\\u000aé~"#);
        assert_eq!(encoded(Encoding::Base64), "YStiL2M9PSJcCsOpfg==");
        assert_eq!(encoded(Encoding::Base64Url), "YStiL2M9PSJcCsOpfg");
        assert_eq!(encoded(Encoding::Url), "a%2Bb%2Fc%3D%3D%22%5C%0A%C3%A9~");
    }

    #[test]
    fn what_an_encoding_keeps_is_what_it_changes_nothing_of() {
        for character in (0..=0x2ff).filter_map(char::from_u32) {
            for encoding in
                [Encoding::Raw, Encoding::Json, Encoding::Base64, Encoding::Base64Url, Encoding::Url]
            {
                let text = format!("ab{character}");
                let mut form = Assembly::new();
                encoding.append(&text, &mut form);
                assert_eq!(encoding.keeps(&text), form.as_str() == text, "{encoding:?} {text:?}");
            }
        }
    }

    #[test]
    fn what_is_encoded_wrongly_is_nothing() {
        for (encoding, wrong) in [
            (Encoding::Json, "a\"b"),
            (Encoding::Json, "\\x"),
            (Encoding::Json, "\\ud800"),
            (Encoding::Base64, "YQ"),
            (Encoding::Base64, "YQ==="),
            (Encoding::Base64, "YR=="),
            (Encoding::Base64, "/w=="),
            (Encoding::Base64Url, "YQ=="),
            (Encoding::Base64Url, "a+/b"),
            (Encoding::Base64Url, "_w"),
            (Encoding::Url, "%"),
            (Encoding::Url, "%4"),
            (Encoding::Url, "%+1"),
            (Encoding::Url, "%ff"),
        ] {
            assert_eq!(encoding.decode(wrong), None, "{encoding:?} {wrong}");
        }
        assert_eq!(Encoding::Url.decode("%41+").unwrap().expose(), "A+");
    }
}
