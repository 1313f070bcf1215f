//! The `Authorization` header: a key over TLS only, or a token.

use auth_core::Secret;
use auth_core::ably::ApiKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// What a request is authenticated with.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "RSC9 knows two schemes")]
pub enum Credential {
    /// The key itself (RSA11). Over TLS only (RSA1).
    Basic(ApiKey),
    /// A token (RSA3b).
    Bearer(Secret),
}

/// How a token stands in the `Authorization` header. Ably's service takes either (RSA3b).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RSA3b knows two")]
pub enum BearerFormat {
    /// In base64, as ably-js, ably-go and ably-python send it: the default.
    #[default]
    Base64,
    /// As it is: for what stands before the service and wants to read a JWT.
    Raw,
}

impl BearerFormat {
    pub(super) fn header(self, token: &Secret) -> Option<HeaderValue> {
        match self {
            Self::Base64 => header("Bearer ", &Secret::from(STANDARD.encode(token.expose()))),
            Self::Raw => header("Bearer ", token),
        }
    }
}

/// The header of a key.
pub(super) fn basic(key: &ApiKey) -> Option<HeaderValue> {
    header("Basic ", &key.basic_credentials())
}

fn header(scheme: &str, credentials: &Secret) -> Option<HeaderValue> {
    let text = Secret::from([scheme, credentials.expose()].concat());
    let mut value = HeaderValue::from_str(text.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa11_basic_credentials_are_the_base64_of_the_whole_key() {
        let value = basic(&ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()).unwrap();
        assert_eq!(value, "Basic YXBwaWQxLmtleWlkMTpTZWNyZXRTZWNyZXRTZWNyZXQ=");
        assert!(!format!("{value:?}").contains("YXBw"));
    }

    #[test]
    fn rsa3b_a_token_stands_there_in_base64_or_as_it_is() {
        let token = Secret::from("7qO6uH.zu0Zp9Qk");
        assert_eq!(BearerFormat::default().header(&token).unwrap(), "Bearer N3FPNnVILnp1MFpwOVFr");
        assert_eq!(BearerFormat::Raw.header(&token).unwrap(), "Bearer 7qO6uH.zu0Zp9Qk");
        assert!(BearerFormat::Raw.header(&Secret::from("two\nlines")).is_none());
    }
}
