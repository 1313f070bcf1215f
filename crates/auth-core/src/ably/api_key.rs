//! An Ably API key: a public name and a secret, written `appId.keyId:secret`.

use alloc::string::ToString as _;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::ErrorCode;
use crate::mac::keyed;
use crate::{Error, Secret};

/// A key of an Ably application. It signs [`TokenRequest`](super::TokenRequest)s and JWTs, and stays on the server
/// that owns it.
///
/// ```
/// use auth_core::ably::ApiKey;
///
/// let key: ApiKey = "appid1.keyid1:SecretSecretSecret".parse()?;
/// assert_eq!(key.name(), "appid1.keyid1");
/// assert_eq!(format!("{key:?}"), "ApiKey(appid1.keyid1:…)");
/// # Ok::<(), auth_core::ably::InvalidApiKey>(())
/// ```
#[derive(Clone)]
pub struct ApiKey {
    name: Arc<str>,
    secret: Secret,
    /// The hash with the secret already in it, wiped when dropped: signing begins with a copy.
    keyed: Arc<Hmac<Sha256>>,
}

impl ApiKey {
    /// The longest key that is read, in bytes. Ably's own have about 60.
    pub const LONGEST: usize = 1_024;

    /// Reads `name:secret`. The name ends at the first colon and has no white space; the secret has neither white space,
    /// nor a dot, nor a further colon, as Ably's own libraries check it.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKey`], which says what is wrong and repeats nothing of the text.
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        if text.len() > Self::LONGEST {
            return Err(InvalidApiKey::TooLong);
        }
        let (name, secret) = text.split_once(':').ok_or(InvalidApiKey::NoColon)?;
        let blank = |character: char| character.is_whitespace() || character.is_control();
        if name.is_empty() || name.contains(blank) {
            return Err(InvalidApiKey::Name);
        }
        let forbidden = |character: char| matches!(character, ':' | '.') || blank(character);
        if secret.is_empty() || secret.contains(forbidden) {
            return Err(InvalidApiKey::Secret);
        }
        Ok(Self {
            name: Arc::from(name),
            secret: Secret::from(secret),
            keyed: Arc::new(keyed(secret.as_bytes())),
        })
    }

    /// The public part, `appId.keyId`: the `keyName` of a token request, and the `kid` of an Ably JWT.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The HMAC under the secret, before anything is hashed.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        (*self.keyed).clone()
    }

    /// The secret part, whose bytes are the HMAC key as they stand.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What follows `Basic ` in an `Authorization` header (RSA11). Only over TLS (RSA1).
    #[must_use]
    pub fn basic_credentials(&self) -> Secret {
        let pair = Zeroizing::new([&*self.name, ":", self.secret.expose()].concat());
        Secret::from(STANDARD.encode(&*pair))
    }
}

impl FromStr for ApiKey {
    type Err = InvalidApiKey;

    fn from_str(text: &str) -> Result<Self, InvalidApiKey> {
        Self::parse(text)
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.secret == other.secret
    }
}

impl Eq for ApiKey {}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, secret: _, keyed: _ } = self;
        write!(formatter, "ApiKey({name}:…)")
    }
}

/// One text that is a key or a token, as Ably's constructors take it (RSC1a): a colon makes it a key.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "RSC1a knows two cases")]
pub enum KeyOrToken {
    /// The text is an API key.
    Key(ApiKey),
    /// The text is a token, about whose inside nothing is known (TN1).
    Token(Secret),
}

impl KeyOrToken {
    /// Tells the two apart.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKey`] when the text is empty, or there is a colon and what stands around it is no key.
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        match text {
            "" => Err(InvalidApiKey::NoColon),
            _ if text.contains(':') => ApiKey::parse(text).map(Self::Key),
            _ => Ok(Self::Token(Secret::from(text))),
        }
    }
}

/// Why a text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidApiKey {
    /// There is no colon.
    #[error("an API key is `appId.keyId:secret`; this text has no colon")]
    NoColon,
    /// The part before the colon is empty, or has white space.
    #[error("the name of an API key, before the colon, must not be empty nor have white space")]
    Name,
    /// The part after the colon is empty, or has white space, a dot or a colon.
    #[error(
        "the secret of an API key, after the colon, must not be empty nor have white space, a dot or a colon"
    )]
    Secret,
    /// The text is longer than [`ApiKey::LONGEST`].
    #[error("an API key has at most {} bytes; is this the right file?", ApiKey::LONGEST)]
    TooLong,
}

impl InvalidApiKey {
    /// Ably's number for it, which goes with HTTP status 404.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        ErrorCode::NOT_FOUND
    }
}

impl From<InvalidApiKey> for Error {
    fn from(error: InvalidApiKey) -> Self {
        error.code().error(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn the_example_of_the_facts_gives_its_basic_credentials() {
        let key = ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap();
        assert_eq!((key.name(), key.secret().expose()), ("appid1.keyid1", "SecretSecretSecret"));
        let basic = key.basic_credentials();
        assert_eq!(basic.expose(), "YXBwaWQxLmtleWlkMTpTZWNyZXRTZWNyZXRTZWNyZXQ=");
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", InvalidApiKey::NoColon),
            ("appid1.keyid1", InvalidApiKey::NoColon),
            (":secret", InvalidApiKey::Name),
            ("app id:secret", InvalidApiKey::Name),
            ("a\n:secret", InvalidApiKey::Name),
            ("abc:", InvalidApiKey::Secret),
            ("a.b:c:d", InvalidApiKey::Secret),
            ("a.b:c.d", InvalidApiKey::Secret),
            ("a.b:c\n", InvalidApiKey::Secret),
            ("a.b:\0", InvalidApiKey::Secret),
        ] {
            assert_eq!(ApiKey::parse(text), Err(reason), "{text:?}");
        }
        assert_eq!(ApiKey::parse(&"a:b".repeat(400)), Err(InvalidApiKey::TooLong));
    }

    #[test]
    fn a_colon_tells_a_key_from_a_token() {
        assert!(matches!(KeyOrToken::parse("a.b:c"), Ok(KeyOrToken::Key(_))));
        assert!(matches!(KeyOrToken::parse("xyz.token"), Ok(KeyOrToken::Token(_))));
        assert!(KeyOrToken::parse("a.b:").is_err() && KeyOrToken::parse("").is_err());
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_secret() {
        let key = ApiKey::parse("a.b:canary").unwrap();
        assert!(!format!("{key:?} {key:#?}").contains("canary"));
        let error = ApiKey::parse("a.b:canary canary").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(Error::from(error).to_string().matches("code 40400").count(), 1);
    }
}
