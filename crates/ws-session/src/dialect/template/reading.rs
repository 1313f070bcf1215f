//! Taking the credential out of a text that a template made, on the other end.

use auth_core::Secret;
use serde_json::Value;

use super::encoding::Encoding;
use super::piece::{Piece, pieces};
use super::{CREDENTIAL, Form, Template};
use crate::dialect::assembly::wipe;
use crate::dialect::codec::Read;

impl Template {
    /// The credential in a text of this form; `None` if it has another form, holds none, or an empty one.
    ///
    /// JSON: members that the template does not name are ignored. A text: each piece must be there, but not what ends the text (CR, LF,
    /// 0x1E); a template of several lines is recognized by the one that holds the credential.
    /// Other placeholders match anything, up to the first occurrence of what follows them.
    pub(crate) fn read(&self, text: &str) -> Option<Secret> {
        match &self.form {
            Form::Json(form) => {
                let mut message = serde_json::from_str(text).ok()?;
                let found = read_json(form, &message);
                wipe(&mut message);
                found
            }
            Form::Text(form) => read_text(form, text.trim_end_matches(['\r', '\n', '\x1e'])),
        }
    }

    /// The credential in a message that a codec has read: by its value for a template of JSON, and by its text for another.
    pub(crate) fn read_message(&self, message: &Read<'_>) -> Option<Secret> {
        match &self.form {
            Form::Json(form) => read_json(form, &message.value),
            Form::Text(_) => self.read(message.text),
        }
    }

    /// Whether a message that a codec has read has this form, with a credential or without.
    pub(crate) fn fits(&self, message: &Read<'_>) -> bool {
        match &self.form {
            Form::Json(form) => is_alike(form, &message.value, &mut None),
            Form::Text(form) => {
                pieces(form.trim_end()).is_ok_and(|pieces| fits(&pieces, message.text, &mut None))
            }
        }
    }
}

fn read_json(form: &Value, message: &Value) -> Option<Secret> {
    let mut found = None;
    let alike = is_alike(form, message, &mut found);
    found.filter(|found: &Secret| alike && !found.is_empty())
}

fn read_text(form: &str, text: &str) -> Option<Secret> {
    let mut lines = form.trim_end().split('\n').map(|line| line.trim_end_matches('\r'));
    let line = lines.clone().find(|line| line.contains("${credential"))?;
    let single = lines.nth(1).is_none();
    let read = |text: &str| {
        let mut found = None;
        let alike = fits(&pieces(line).ok()?, text, &mut found);
        // What holds a control character was not written by this template.
        found
            .filter(|found: &Secret| alike && !found.is_empty() && !found.expose().contains(char::is_control))
    };
    if single { read(text) } else { text.lines().find_map(read) }
}

fn is_alike(form: &Value, message: &Value, found: &mut Option<Secret>) -> bool {
    match (form, message) {
        (Value::Object(form), Value::Object(message)) => {
            form.iter().all(|(name, form)| match message.get(name) {
                Some(message) => is_alike(form, message, found),
                // Left out where there is no connection before.
                None => form.as_str().is_some_and(|form| form.contains("${last.")),
            })
        }
        (Value::Array(form), Value::Array(message)) => {
            form.len() == message.len()
                && form.iter().zip(message).all(|(form, message)| is_alike(form, message, found))
        }
        (Value::String(form), message) => match (pieces(form).as_deref(), message) {
            (Ok(pieces), Value::String(text)) => fits(pieces, text, found),
            (Ok([Piece::Placeholder { name, .. }]), _) => *name != CREDENTIAL,
            _ => false,
        },
        (form, message) => form == message,
    }
}

/// Whether a text is what these pieces make.
fn fits(pieces: &[Piece<'_>], text: &str, found: &mut Option<Secret>) -> bool {
    let mut rest = text;
    for (index, piece) in pieces.iter().enumerate() {
        let end = match (piece, pieces.get(index + 1)) {
            (Piece::Literal(literal), _) => match rest.strip_prefix(literal.as_ref()) {
                Some(after) => {
                    rest = after;
                    continue;
                }
                None => return false,
            },
            (Piece::Placeholder { .. }, None) => Some(rest.len()),
            (Piece::Placeholder { .. }, Some(Piece::Literal(next))) if index + 2 == pieces.len() => {
                rest.strip_suffix(next.as_ref()).map(str::len)
            }
            (Piece::Placeholder { .. }, Some(Piece::Literal(next))) => rest.find(next.as_ref()),
            // Nothing says where the one ends and the other begins.
            (Piece::Placeholder { .. }, Some(Piece::Placeholder { .. })) => None,
        };
        let Some(end) = end else { return false };
        if !take(piece, &rest[..end], found) {
            return false;
        }
        rest = &rest[end..];
    }
    rest.is_empty()
}

/// Takes what stands in a placeholder; a credential that stands in two must be the same in both.
fn take(piece: &Piece<'_>, text: &str, found: &mut Option<Secret>) -> bool {
    match piece {
        Piece::Placeholder { name, encoding } if *name == CREDENTIAL => {
            let Some(credential) = encoding.unwrap_or(Encoding::Raw).decode(text) else { return false };
            found.get_or_insert_with(|| credential.clone()) == &credential
        }
        Piece::Placeholder { .. } | Piece::Literal(_) => true,
    }
}
