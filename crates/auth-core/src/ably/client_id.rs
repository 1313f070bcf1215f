//! Who a token speaks for: one client, any client, or nobody in particular (RSA7, TD6).

use alloc::string::ToString as _;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use super::ErrorCode;
use crate::Error;

/// The identity of one client.
///
/// Any text that is not empty, is not exactly `*`, and has no control characters: those could forge a header, a log line
/// or a line of the text that is signed. A `*` inside is literal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// The longest identity, in bytes.
    pub const LONGEST: usize = 1_024;

    /// Reads an identity (RSA7c).
    ///
    /// # Errors
    ///
    /// [`InvalidClientId`] when it is empty, `*`, too long, or has control characters.
    pub fn new(text: &str) -> Result<Self, InvalidClientId> {
        match text {
            "" => Err(InvalidClientId::Empty),
            "*" => Err(InvalidClientId::Wildcard),
            _ if text.len() > Self::LONGEST => Err(InvalidClientId::TooLong),
            _ if text.contains(char::is_control) => Err(InvalidClientId::Control),
            _ => Ok(Self(Arc::from(text))),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(text: &str) -> Result<Self, InvalidClientId> {
        Self::new(text)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The `clientId` of a token or of a request for one. Where there is none at all, the token is anonymous.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "TD6 knows these cases, and `None` for an anonymous token")]
pub enum TokenClientId {
    /// `*`: the bearer may take any identity.
    Wildcard,
    /// The bearer is this client and no other.
    Identified(ClientId),
}

impl TokenClientId {
    /// Reads `*` or an identity.
    ///
    /// # Errors
    ///
    /// [`InvalidClientId`] as for [`ClientId::new`], except for `*`.
    pub fn new(text: &str) -> Result<Self, InvalidClientId> {
        match ClientId::new(text) {
            Err(InvalidClientId::Wildcard) => Ok(Self::Wildcard),
            identified => identified.map(Self::Identified),
        }
    }

    /// The text without a copy, where there is one already.
    pub(super) fn shared(&self) -> Arc<str> {
        match self {
            Self::Wildcard => Arc::from("*"),
            Self::Identified(ClientId(text)) => Arc::clone(text),
        }
    }

    /// The text, `*` for the wildcard.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Wildcard => "*",
            Self::Identified(client_id) => client_id.as_str(),
        }
    }

    /// Whether a library that was configured with `configured` may use a token with this identity (RSA15a): a wildcard
    /// fits everybody, another identity nobody.
    #[must_use]
    pub fn admits(&self, configured: &ClientId) -> bool {
        match self {
            Self::Wildcard => true,
            Self::Identified(client_id) => client_id == configured,
        }
    }
}

impl From<ClientId> for TokenClientId {
    fn from(client_id: ClientId) -> Self {
        Self::Identified(client_id)
    }
}

/// Checks the identity of a library against the one of the token it was given (RSA15a, RSA15c). An anonymous token fits:
/// the server decides, as it does about a bare token string, whose identity is not known.
///
/// # Errors
///
/// Code 40102 when they differ: such a token must not be used, and asking again gives the same one.
pub fn check_identity(configured: Option<&ClientId>, token: Option<&TokenClientId>) -> Result<(), Error> {
    match (configured, token) {
        (Some(configured), Some(token)) if !token.admits(configured) => {
            Err(ErrorCode::INCOMPATIBLE_CREDENTIALS.error(
                "the token's clientId differs from the configured one; ask for a token for this client",
            ))
        }
        _ => Ok(()),
    }
}

/// Why a text is no client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClientId {
    /// It is empty.
    #[error("a clientId must not be empty; leave it out for an anonymous client")]
    Empty,
    /// It is `*`, which a token may have, but no client.
    #[error("a clientId must not be `*`; ask for a token with the wildcard instead")]
    Wildcard,
    /// It has a control character.
    #[error("a clientId must not have control characters")]
    Control,
    /// It is longer than [`ClientId::LONGEST`].
    #[error("a clientId has at most {} bytes", ClientId::LONGEST)]
    TooLong,
}

impl InvalidClientId {
    /// Ably's number for it, which goes with HTTP status 400.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        ErrorCode::INVALID_CLIENT_ID
    }
}

impl From<InvalidClientId> for Error {
    fn from(error: InvalidClientId) -> Self {
        error.code().error(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa7c_only_the_exact_wildcard_and_unsafe_texts_are_refused() {
        for text in ["alice", "zoë ☃", "a*", "**", " ", "a:b"] {
            assert_eq!(ClientId::new(text).unwrap().as_str(), text);
        }
        for (text, reason) in [
            ("", InvalidClientId::Empty),
            ("*", InvalidClientId::Wildcard),
            ("a\nb", InvalidClientId::Control),
            ("a\u{0}", InvalidClientId::Control),
            ("a\u{85}", InvalidClientId::Control),
        ] {
            assert_eq!(ClientId::new(text), Err(reason), "{text:?}");
        }
        assert_eq!(ClientId::new(&"a".repeat(1_025)), Err(InvalidClientId::TooLong));
    }

    #[test]
    fn rsa15a_a_token_fits_its_own_client_and_a_wildcard_fits_all() {
        let alice = ClientId::new("alice").unwrap();
        let token = |text| TokenClientId::new(text).unwrap();
        assert!(check_identity(Some(&alice), Some(&token("alice"))).is_ok());
        assert!(check_identity(Some(&alice), Some(&token("*"))).is_ok());
        assert!(check_identity(Some(&alice), None).is_ok());
        assert!(check_identity(None, Some(&token("bob"))).is_ok());
        let error = check_identity(Some(&alice), Some(&token("bob"))).unwrap_err();
        assert_eq!(error.code(), Some(40_102));
    }
}
