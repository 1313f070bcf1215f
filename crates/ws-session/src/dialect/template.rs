//! A message, or another text, with places for the credential and for what goes with it.

mod encoding;
mod piece;
mod reading;
#[cfg(test)]
mod tests;

use auth_core::Secret;
use auth_core::time::Now;
use serde_json::Value;

pub(crate) use self::encoding::Encoding;
use self::piece::{Piece, pieces};
use super::assembly::Assembly;
use super::{Authenticator, Captures, Unplaceable};

/// A text with placeholders: `${credential}`, `${uuid}` (random, version 4), `${now_ms}` and `${now_s}` (the wall clock, since the
/// epoch), `${session_id}`, the name of a [capture](super::Captured), or one that an [`Authenticator`] fills. `$${` stands
/// for `${` itself.
///
/// `${last.session_id}` and `${last.name}` are what was captured on the connection before, for a server that takes up its session again. Where
/// nothing was, as on the first one, and after an attempt that was refused with it, the member, parameter, header, cookie or subprotocol that
/// holds it is left out; in a text of another kind it is empty.
///
/// `${credential|base64url}` encodes what is filled in: `raw` (as it is, the default), `json` (the inside of a JSON string),
/// `base64`, `base64url` (without padding) or `url` (percent-encoded).
///
/// In a message of JSON placeholders stand in the strings, which are escaped as JSON wants it once they are filled; `json` is for JSON within
/// a string. A string that is nothing but a placeholder without an encoding becomes what is filled in: a number for
/// the time, and for a capture the value that the server sent. In a text nothing is escaped, and a control character that would be filled in is
/// refused: a credential must not begin a line of its own.
///
/// ```
/// use serde_json::json;
/// use ws_session::dialect::Template;
///
/// let message = Template::json(json!({"type": "auth", "token": "${credential}", "at": "${now_ms}"}));
/// assert!(message.check(|_| false).is_ok());
/// assert!(Template::text("Bearer ${credentials}").check(|_| false).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Json(Value),
    Text(String),
}

/// What placeholders are filled from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling<'a> {
    pub(crate) credential: Option<&'a Secret>,
    pub(crate) captures: &'a Captures,
    pub(crate) fresh: Fresh,
    pub(crate) authenticator: Option<&'a dyn Authenticator>,
}

/// What a driver brings for one message or upgrade: the time, and bytes from a secure random source.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a driver builds it")]
pub struct Fresh {
    /// Both clocks.
    pub now: Now,
    /// For `${uuid}`, the same wherever it stands in one message or upgrade, and for an [`Authenticator`]; a service may take it for a
    /// secret.
    pub random: [u8; 16],
}

impl Template {
    /// A message of JSON, its placeholders in its strings.
    #[must_use]
    pub const fn json(form: Value) -> Self {
        Self { form: Form::Json(form) }
    }

    /// A text of any form.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { form: Form::Text(text.into()) }
    }

    /// The message of JSON, if it is one.
    #[must_use]
    pub const fn as_json(&self) -> Option<&Value> {
        match &self.form {
            Form::Json(form) => Some(form),
            Form::Text(_) => None,
        }
    }

    /// The text, if it is not a message of JSON.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.form {
            Form::Json(_) => None,
            Form::Text(text) => Some(text),
        }
    }

    /// Checks that each placeholder is one that can be filled: a known one, or one of which `is_known` says so, which is asked for
    /// captures and for what an [`Authenticator`] fills.
    ///
    /// # Errors
    ///
    /// [`InvalidTemplate`] names the first that is not.
    pub fn check(&self, is_known: impl Fn(&str) -> bool) -> Result<(), InvalidTemplate> {
        self.check_each(&is_known, &is_known)
    }

    /// The same, with others that the connection before may have been told.
    pub(crate) fn check_each(
        &self,
        is_known: impl Fn(&str) -> bool,
        was_known: impl Fn(&str) -> bool,
    ) -> Result<(), InvalidTemplate> {
        self.each_name(&mut |name| {
            let known = match name.strip_prefix(LAST) {
                Some(name) => name == "session_id" || was_known(name),
                None => KNOWN.contains(&name) || is_known(name),
            };
            if known { Ok(()) } else { Err(InvalidTemplate::Unknown(name.to_owned())) }
        })
    }

    /// Whether the credential goes into it.
    pub(crate) fn has_credential(&self) -> bool {
        self.has(|name| name == CREDENTIAL)
    }

    /// Whether something goes into it that was said on the connection before.
    pub(crate) fn takes_up(&self) -> bool {
        self.has(|name| name.starts_with(LAST))
    }

    fn has(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let mut found = false;
        let valid = self.each_name(&mut |name| {
            found |= wanted(name);
            Ok(())
        });
        found && valid.is_ok()
    }

    /// Whether it is to be left out: it holds what was not said on the connection before.
    pub(crate) fn is_left_out(&self, captures: &Captures) -> bool {
        self.as_text().is_some_and(|text| is_left_out(text, captures))
    }

    /// The text with everything filled in.
    pub(crate) fn render(&self, filling: &Filling<'_>) -> Result<Secret, Unplaceable> {
        let credential = filling.credential.map_or(0, |credential| credential.expose().len());
        let mut assembly = Assembly::with_room(256 + credential);
        match &self.form {
            Form::Json(form) => filling.render_json(form, &mut assembly)?,
            Form::Text(text) => filling.render_text(text, &mut assembly)?,
        }
        Ok(assembly.finish())
    }

    fn each_name(&self, visit: &mut Visit<'_>) -> Result<(), InvalidTemplate> {
        match &self.form {
            Form::Json(form) => each_name_in_json(form, visit),
            Form::Text(text) => each_name_in_text(text, visit),
        }
    }
}

type Visit<'a> = dyn FnMut(&str) -> Result<(), InvalidTemplate> + 'a;

/// Whether a text holds what was not said on the connection before.
fn is_left_out(text: &str, captures: &Captures) -> bool {
    text.contains("${last.")
        && pieces(text).is_ok_and(|pieces| {
            pieces.iter().any(|piece| match piece {
                Piece::Placeholder { name, .. } => {
                    name.strip_prefix(LAST).is_some_and(|name| !said(captures, name))
                }
                Piece::Literal(_) => false,
            })
        })
}

fn said(captures: &Captures, name: &str) -> bool {
    captures.last().is_some_and(|last| match name {
        "session_id" => last.session_name().is_some(),
        name => last.named(name).is_some(),
    })
}

const CREDENTIAL: &str = "credential";
/// What begins the name of something that was captured on the connection before.
const LAST: &str = "last.";
/// What placeholders have names of their own for.
pub(in crate::dialect) const KNOWN: [&str; 5] = [CREDENTIAL, "uuid", "now_ms", "now_s", "session_id"];

fn each_name_in_json(form: &Value, visit: &mut Visit<'_>) -> Result<(), InvalidTemplate> {
    match form {
        Value::Object(members) => members.iter().try_for_each(|(name, form)| {
            if name.contains("${") {
                return Err(InvalidTemplate::InName(name.clone()));
            }
            each_name_in_json(form, visit)
        }),
        Value::Array(elements) => elements.iter().try_for_each(|form| each_name_in_json(form, visit)),
        Value::String(text) => each_name_in_text(text, visit),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn each_name_in_text(text: &str, visit: &mut Visit<'_>) -> Result<(), InvalidTemplate> {
    pieces(text)?.iter().try_for_each(|piece| match piece {
        Piece::Placeholder { name, .. } => visit(name),
        Piece::Literal(_) => Ok(()),
    })
}

/// What stands for a placeholder.
enum Filled<'a> {
    /// A text.
    Text(Secret),
    /// What the server said, of any type.
    Value(&'a Value),
    /// A time.
    Number(u64),
}

impl<'a> Filling<'a> {
    fn render_json(&self, form: &Value, to: &mut Assembly) -> Result<(), Unplaceable> {
        let separate = |index: usize, to: &mut Assembly| to.push(if index == 0 { "" } else { "," });
        match form {
            Value::Object(members) => {
                to.push("{");
                let left_out =
                    |form: &Value| form.as_str().is_some_and(|text| is_left_out(text, self.captures));
                let members = members.iter().filter(|(_, form)| !left_out(form));
                for (index, (name, form)) in members.enumerate() {
                    separate(index, to);
                    push_string(name, to);
                    to.push(":");
                    self.render_json(form, to)?;
                }
                to.push("}");
            }
            Value::Array(elements) => {
                to.push("[");
                for (index, form) in elements.iter().enumerate() {
                    separate(index, to);
                    self.render_json(form, to)?;
                }
                to.push("]");
            }
            Value::String(text) => self.render_string(text, to)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => to.push_shown(form),
        }
        Ok(())
    }

    fn render_string(&self, text: &str, to: &mut Assembly) -> Result<(), Unplaceable> {
        let pieces = pieces(text).map_err(|_| MALFORMED)?;
        if let [Piece::Placeholder { name, encoding: None }] = pieces[..] {
            match self.fill(name)? {
                Filled::Text(text) => push_string(text.expose(), to),
                Filled::Value(value) => to.push_shown(value),
                Filled::Number(number) => to.push_shown(number),
            }
            return Ok(());
        }
        let mut inside = Assembly::new();
        for piece in &pieces {
            self.render_piece(piece, &mut inside)?;
        }
        push_string(inside.as_str(), to);
        Ok(())
    }

    fn render_text(&self, text: &str, to: &mut Assembly) -> Result<(), Unplaceable> {
        for piece in &pieces(text).map_err(|_| MALFORMED)? {
            let before = to.as_str().len();
            self.render_piece(piece, to)?;
            let is_filled = matches!(piece, Piece::Placeholder { .. });
            if is_filled && to.as_str()[before..].contains(char::is_control) {
                return Err(Unplaceable(
                    "what is filled into a text must hold no control character, such as the end of a line; trim it, or encode it with |json, \
                     |base64, |base64url or |url",
                ));
            }
        }
        Ok(())
    }

    fn render_piece(&self, piece: &Piece<'_>, to: &mut Assembly) -> Result<(), Unplaceable> {
        match piece {
            Piece::Literal(literal) => to.push(literal),
            Piece::Placeholder { name, encoding } => {
                let text = self.fill(name)?.into_text();
                encoding.unwrap_or(Encoding::Raw).append(text.expose(), to);
            }
        }
        Ok(())
    }

    fn fill(&self, name: &str) -> Result<Filled<'a>, Unplaceable> {
        if let Some(name) = name.strip_prefix(LAST) {
            let last = self.captures.last();
            let session_id = || last.and_then(Captures::session_name).map(Secret::from);
            return Ok(match (name, last.and_then(|last| last.named(name))) {
                ("session_id", _) => Filled::Text(session_id().unwrap_or_else(|| Secret::from(""))),
                (_, Some(value)) => Filled::Value(value),
                (_, None) => Filled::Text(Secret::from("")),
            });
        }
        let now = self.fresh.now.wall;
        Ok(match name {
            CREDENTIAL => Filled::Text(self.credential()?.clone()),
            "uuid" => Filled::Text(uuid(self.fresh.random)),
            "now_ms" => Filled::Number(now.as_millis()),
            "now_s" => Filled::Number(now.as_secs()),
            "session_id" => Filled::Text(Secret::from(self.captures.session_name().ok_or(UNKNOWN_CAPTURE)?)),
            _ => match (self.captures.named(name), self.authenticator) {
                (Some(value), _) => Filled::Value(value),
                (None, Some(authenticator)) => {
                    let text = authenticator.fill(name, self.credential()?, self.captures, self.fresh);
                    Filled::Text(text.ok_or(UNFILLED)?)
                }
                (None, None) => return Err(UNKNOWN_CAPTURE),
            },
        })
    }

    fn credential(&self) -> Result<&'a Secret, Unplaceable> {
        match self.credential {
            Some(credential) if credential.is_empty() => Err(Unplaceable("it is empty; look at its source")),
            Some(credential) => Ok(credential),
            None => Err(Unplaceable("there is none, where the dialect wants one")),
        }
    }
}

const MALFORMED: Unplaceable =
    Unplaceable("the dialect's template is malformed; check it by Template::check, which says where");
const UNKNOWN_CAPTURE: Unplaceable = Unplaceable(
    "the template wants what the server has not said yet; let the step wait for the message that says it",
);
const UNFILLED: Unplaceable = Unplaceable(
    "neither what the server has said nor the dialect's authenticator fills a placeholder of the template: correct its name, or have the \
     authenticator fill it",
);

impl Filled<'_> {
    fn into_text(self) -> Secret {
        match self {
            Self::Text(text) => text,
            Self::Value(Value::String(text)) => Secret::from(text.as_str()),
            Self::Value(value) => Secret::from(value.to_string()),
            Self::Number(number) => Secret::from(number.to_string()),
        }
    }
}

fn push_string(text: &str, to: &mut Assembly) {
    to.push("\"");
    Encoding::Json.append(text, to);
    to.push("\"");
}

/// A random UUID (RFC 9562 §5.4).
pub(crate) fn uuid(mut random: [u8; 16]) -> Secret {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = Assembly::new();
    for (index, byte) in random.into_iter().enumerate() {
        let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
        text.push_shown(format_args!("{dash}{byte:02x}"));
    }
    text.finish()
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// A placeholder that nothing fills.
    #[error(
        "{0:?} is no placeholder: use ${{credential}}, ${{uuid}}, ${{now_ms}}, ${{now_s}}, ${{session_id}} or the name of a capture"
    )]
    Unknown(String),
    /// An encoding that does not exist.
    #[error("{0:?} is no encoding: use raw, json, base64, base64url or url")]
    Encoding(String),
    /// A placeholder without an end.
    #[error("a placeholder has no end: write ${{name}}, or $${{ where these two characters are meant")]
    Unclosed,
    /// A placeholder in the name of a member.
    #[error("the member {0:?} has a placeholder in its name: only values may have one")]
    InName(String),
}
