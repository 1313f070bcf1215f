//! A template's text as literal pieces and placeholders.

use std::borrow::Cow;

use super::InvalidTemplate;
use super::encoding::Encoding;

/// One piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// What stands as it is. Two of them never stand side by side.
    Literal(Cow<'a, str>),
    /// What is filled in.
    Placeholder {
        /// Its name, checked for its form only.
        name: &'a str,
        /// How what is filled in is encoded, if the template says so.
        encoding: Option<Encoding>,
    },
}

/// Takes a text apart.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, InvalidTemplate> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            literal(&mut pieces, before);
            literal(&mut pieces, "${");
            rest = &from[2..];
            continue;
        }
        literal(&mut pieces, before);
        let (placeholder, after) = from[2..].split_once('}').ok_or(InvalidTemplate::Unclosed)?;
        pieces.push(read(placeholder)?);
        rest = after;
    }
    literal(&mut pieces, rest);
    Ok(pieces)
}

fn literal<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(before)) => before.to_mut().push_str(text),
        _ => pieces.push(Piece::Literal(Cow::Borrowed(text))),
    }
}

fn read(placeholder: &str) -> Result<Piece<'_>, InvalidTemplate> {
    let (name, encoding) = match placeholder.split_once('|') {
        Some((name, encoding)) => (name, Some(Encoding::named(encoding)?)),
        None => (placeholder, None),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.is_empty() || !name.bytes().all(legal) {
        return Err(InvalidTemplate::Unknown(name.to_owned()));
    }
    Ok(Piece::Placeholder { name, encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_literals_and_placeholders() {
        let found = pieces("a${credential}b${uuid|url}").unwrap();
        let expected = [
            Piece::Literal("a".into()),
            Piece::Placeholder { name: "credential", encoding: None },
            Piece::Literal("b".into()),
            Piece::Placeholder { name: "uuid", encoding: Some(Encoding::Url) },
        ];
        assert_eq!(found, expected);
        assert_eq!(pieces("").unwrap(), []);
    }

    #[test]
    fn a_doubled_dollar_makes_a_brace_literal() {
        assert_eq!(pieces("a$${b}").unwrap(), [Piece::Literal("a${b}".into())]);
        assert_eq!(pieces("$5 and {} and $").unwrap(), [Piece::Literal("$5 and {} and $".into())]);
    }

    #[test]
    fn what_is_no_placeholder_is_an_error_that_says_so() {
        assert_eq!(pieces("a${b"), Err(InvalidTemplate::Unclosed));
        assert_eq!(pieces("${}"), Err(InvalidTemplate::Unknown(String::new())));
        assert_eq!(pieces("${a b}"), Err(InvalidTemplate::Unknown("a b".to_owned())));
        assert_eq!(pieces("${a|rot13}"), Err(InvalidTemplate::Encoding("rot13".to_owned())));
        assert_eq!(pieces("${a|}"), Err(InvalidTemplate::Encoding(String::new())));
    }
}
