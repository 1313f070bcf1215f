//! What of a credential goes into the upgrade, and where.

use super::Template;

/// What goes into the upgrade. Nothing, by default.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Placement {
    /// Headers by name.
    pub headers: Vec<(String, Template)>,
    /// Parameters of the query by name; values are percent-encoded.
    pub query: Vec<(String, Template)>,
    /// Cookies by name.
    pub cookies: Vec<(String, Template)>,
    /// Entries of `Sec-WebSocket-Protocol`, in order.
    pub subprotocols: Vec<SubprotocolEntry>,
    /// Whether the credential is the URL, in the place of the configured one.
    pub is_url: bool,
}

/// An entry of `Sec-WebSocket-Protocol`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SubprotocolEntry {
    /// A protocol, which the server may select.
    Name(String),
    /// A text with the credential, which it must not select. It must be a token (RFC 9110 §5.6.2) once it is filled in:
    /// a JWT is one, what has blanks or padding is not, and needs an encoding.
    Credential(Template),
    /// A prefix, and behind it a JSON object in base64url, as AppSync wants it.
    Json {
        /// What stands before it.
        prefix: String,
        /// The object.
        form: Template,
    },
}
