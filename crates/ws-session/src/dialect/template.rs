//! A JSON message with a place for the credential: rendered by a client, read by a server.

use auth_core::Secret;
use serde_json::Value;

/// A flat JSON object in which one member is the credential.
///
/// ```
/// use auth_core::Secret;
/// use ws_session::dialect::Template;
///
/// let template: Template = r#"{"type":"auth","token":"${credential}"}"#.parse()?;
/// let message = template.render(&Secret::from("t\"1"));
/// assert_eq!(message.expose(), r#"{"type":"auth","token":"t\"1"}"#);
/// assert_eq!(template.read(message.expose()).unwrap().expose(), "t\"1");
/// assert!(template.read(r#"{"type":"ping"}"#).is_none());
/// # Ok::<(), ws_session::dialect::InvalidTemplate>(())
/// ```
#[derive(Debug, Clone)]
pub struct Template {
    before: String,
    after: String,
}

const CREDENTIAL: &str = "\"${credential}\"";

impl Template {
    /// A template from its two halves, without the quotation marks of the credential.
    pub(crate) fn around(before: &str, after: &str) -> Self {
        Self { before: before.to_owned(), after: after.to_owned() }
    }

    /// The message with this credential in its place; other bytes are as in the template.
    #[must_use]
    pub fn render(&self, credential: &Secret) -> Secret {
        let credential = Value::from(credential.expose()).to_string();
        Secret::from([&self.before, credential.as_str(), &self.after].concat())
    }

    /// The credential of a message that has this form; members that the template does not name are ignored.
    #[must_use]
    pub fn read(&self, message: &str) -> Option<Secret> {
        let Value::Object(message) = serde_json::from_str(message).ok()? else { return None };
        let Value::Object(form) = self.form() else { return None };
        let mut credential = None;
        for (name, expected) in &form {
            match (message.get(name)?, expected) {
                (Value::String(found), Value::Null) => credential = Some(Secret::from(found.as_str())),
                (found, expected) if found == expected => {}
                _ => return None,
            }
        }
        credential
    }

    /// The template as JSON, the credential's place being `null`.
    fn form(&self) -> Value {
        serde_json::from_str(&[&self.before, "null", &self.after].concat()).unwrap_or_default()
    }
}

impl std::str::FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let (before, after) = text.split_once(CREDENTIAL).ok_or(InvalidTemplate)?;
        let template = Self::around(before, after);
        let Value::Object(form) = template.form() else { return Err(InvalidTemplate) };
        let places = form.values().filter(|value| value.is_null()).count();
        let flat = !form.values().any(|value| value.is_object() || value.is_array());
        if places == 1 && flat && !after.contains(CREDENTIAL) { Ok(template) } else { Err(InvalidTemplate) }
    }
}

/// A text that is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a template is a flat JSON object in which exactly one member is \"${{credential}}\"")]
#[non_exhaustive]
pub struct InvalidTemplate;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "",
            "{}",
            r#"["${credential}"]"#,
            r#"{"a":{"b":"${credential}"}}"#,
            r#"{"a":"x${credential}"}"#,
            r#"{"a":"${credential}","b":"${credential}"}"#,
            r#"{"a":"${credential}","b":null}"#,
        ] {
            assert_eq!(text.parse::<Template>().unwrap_err(), InvalidTemplate, "{text}");
        }
    }

    #[test]
    fn a_message_of_another_form_holds_no_credential() {
        let template: Template = r#"{"type":"auth","token":"${credential}"}"#.parse().unwrap();
        for message in [
            "",
            "[]",
            "{",
            r#"{"type":"auth"}"#,
            r#"{"type":"auth","token":5}"#,
            r#"{"type":"x","token":"t"}"#,
        ] {
            assert!(template.read(message).is_none(), "{message}");
        }
        assert!(template.read(r#"{"token":"t","sessionId":"s","type":"auth"}"#).is_some());
    }
}
