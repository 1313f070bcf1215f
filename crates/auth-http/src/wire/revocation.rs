//! Revocation (RFC 7009): telling a server that a token is no longer needed.

use auth_core::time::Timestamp;
use auth_core::{Error, Secret};
use bytes::Bytes;
use http::{Request, Response};

use super::reply::failure;
use super::token::post;
use super::url::EndpointUrl;
use super::{ClientAuthentication, ConfigError, TokenForm};

/// A revocation endpoint, and the client whose tokens are revoked there.
#[derive(Debug, Clone)]
pub struct RevocationEndpoint {
    url: EndpointUrl,
    client: ClientAuthentication,
}

/// What kind of token it is, for a server that would have to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two kinds of RFC 7009")]
pub enum TokenHint {
    /// An access token.
    AccessToken,
    /// A refresh token; the access tokens that came of it go with it, at most servers.
    RefreshToken,
}

impl TokenHint {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl RevocationEndpoint {
    /// The endpoint at `uri`. Take it from the server's metadata or its documentation: a token is sent there.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`].
    pub fn new(uri: &str, client: ClientAuthentication) -> Result<Self, ConfigError> {
        Ok(Self { url: EndpointUrl::parse(uri)?, client })
    }

    /// The request (RFC 7009 §2.1).
    ///
    /// # Errors
    ///
    /// Those of the key that signs, if one does.
    pub fn request(
        &self,
        token: &Secret,
        hint: TokenHint,
        server_time: Option<Timestamp>,
    ) -> Result<Request<Bytes>, Error> {
        let form =
            TokenForm::empty().with("token", token).with("token_type_hint", &Secret::from(hint.name()));
        post(&self.url, &self.client, &form, server_time)
    }

    /// What a reply means. A success says that the token is good for nothing now, even if the server never knew it
    /// (RFC 7009 §2.2). After any error it must be taken to be good still.
    ///
    /// # Errors
    ///
    /// As for a token endpoint; [`Refused`](auth_core::ErrorKind::Refused) for `unsupported_token_type`.
    pub fn read(&self, response: &Response<Bytes>) -> Result<(), Error> {
        if response.status().is_success() {
            Ok(())
        } else {
            Err(failure("the revocation endpoint", response))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::{ErrorKind, Retry};

    use super::*;
    use crate::testing::reply;

    fn endpoint() -> RevocationEndpoint {
        let client = ClientAuthentication::basic("s6BhdRkqt3", &Secret::from("gX1fBat3bV")).unwrap();
        RevocationEndpoint::new("https://server.example.com/revoke", client).unwrap()
    }

    /// RFC 7009 §2.1.
    #[test]
    fn the_request_is_that_of_rfc_7009() {
        let request =
            endpoint().request(&Secret::from("45ghiukldjahdnhzdauz"), TokenHint::RefreshToken, None).unwrap();
        assert_eq!(request.headers()["authorization"], "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
        assert_eq!(&request.body()[..], b"token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token");
    }

    #[test]
    fn a_success_is_one_whatever_its_body_says() {
        for body in ["", "<html>", r#"{"error":"invalid_token"}"#] {
            endpoint().read(&reply(200, &[], body)).unwrap();
        }
    }

    #[test]
    fn after_an_error_the_token_is_taken_to_exist_still() {
        let read = |status, headers: &[(&str, &str)], body| {
            endpoint().read(&reply(status, headers, body)).unwrap_err()
        };
        assert_eq!(read(400, &[], r#"{"error":"unsupported_token_type"}"#).kind(), ErrorKind::Refused);
        assert_eq!(read(401, &[], r#"{"error":"invalid_client"}"#).kind(), ErrorKind::InvalidClient);
        let busy = read(503, &[("retry-after", "30")], "");
        assert_eq!(
            (busy.kind(), busy.retry()),
            (ErrorKind::ServerFailed, Retry::After(Duration::from_secs(30)))
        );
    }
}
