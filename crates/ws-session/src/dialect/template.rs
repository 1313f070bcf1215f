//! A message, or another text, with places for the credential and for what goes with it.

use auth_core::Secret;
use auth_core::time::Now;
use serde_json::Value;

use super::{Authenticator, Captures, Unplaceable};

/// A text with placeholders: `${credential}`, `${uuid}` (random, version 4), `${now_ms}` and `${now_s}` (the wall clock, since the
/// epoch), `${session_id}`, the name of a [capture](super::Captured), or one that an [`Authenticator`] fills.
///
/// `${credential|base64url}` encodes what is filled in: `raw`, `json` (the inside of a JSON string), `base64`, `base64url` (without
/// padding) or `url` (percent-encoded). Without one it is `json` in a message of JSON, and `raw` in a text.
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
    /// For `${uuid}`; a service may take it for a secret.
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

    /// Whether the credential is filled in somewhere.
    pub(crate) fn names_credential(&self) -> bool {
        match &self.form {
            Form::Json(form) => form.to_string().contains("${credential"),
            Form::Text(text) => text.contains("${credential"),
        }
    }

    pub(crate) fn render(&self, filling: &Filling<'_>) -> Result<Secret, Unplaceable> {
        let text = match &self.form {
            Form::Json(form) => form.to_string(),
            Form::Text(text) => text.clone(),
        };
        let credential =
            filling.credential.map(|credential| credential.expose().to_owned()).unwrap_or_default();
        Ok(Secret::from(text.replace("${credential}", &credential)))
    }
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no placeholder: use ${{credential}}, ${{uuid}}, ${{now_ms}}, ${{now_s}}, ${{session_id}} or the name of a capture"
)]
#[non_exhaustive]
pub struct InvalidTemplate(pub String);
