//! What an auth callback or an auth URL may answer: a token, its details, or a request to be exchanged (RSA8c, RSA8d).

use alloc::string::ToString as _;

use super::{ErrorCode, TokenDetails, TokenRequest};
use crate::json::strict::Document;
use crate::{Error, Secret};

/// An answer to "give me a token for these parameters".
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RSA8d knows three kinds")]
pub enum TokenReply {
    /// A token string: an Ably token or a JWT, about which nothing else is known.
    Token(Secret),
    /// A token with its details.
    Details(TokenDetails),
    /// A signed request, which the client exchanges for a token.
    Request(TokenRequest),
}

impl TokenReply {
    /// The longest answer, in bytes (RSA4f).
    pub const LONGEST: usize = 128 * 1_024;

    /// Reads an answer of type `application/json`: with `token` or `issued` it is a token's details, else with `keyName` a
    /// token request. ably-js goes by `issued`, the specification by `token`; a server does well to send both.
    ///
    /// # Errors
    ///
    /// Code 40170 when it is neither, malformed, or too long.
    pub fn from_json(body: &[u8]) -> Result<Self, Error> {
        if body.len() > Self::LONGEST {
            return Err(unusable("the token provider's answer is longer than 128 KiB"));
        }
        let document = Document::parse(body.to_vec());
        let has = |name| document.as_ref().is_ok_and(|document| document.get(name).is_some());
        if has("token") || has("issued") {
            let details = TokenDetails::parse(body);
            return details.map(Self::Details).map_err(|error| unusable(error.to_string()));
        }
        if has("keyName") {
            let request = TokenRequest::parse(body);
            return request.map(Self::Request).map_err(|error| unusable(error.to_string()));
        }
        Err(unusable("the token provider's answer is neither TokenDetails nor a TokenRequest"))
    }

    /// Reads an answer of type `text/plain` or `application/jwt`: the token itself.
    ///
    /// # Errors
    ///
    /// Code 40170 when it is empty, the word `undefined` or `null`, JSON, or too long: each is a mistake that somebody made
    /// in a token provider.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        match text {
            "" => Err(unusable("the token provider answered nothing")),
            "undefined" | "null" => Err(unusable("the token provider answered the word undefined or null")),
            _ if text.len() > Self::LONGEST => {
                Err(unusable("the token provider's answer is longer than 128 KiB"))
            }
            _ if text.trim_start().starts_with('{') => Err(unusable(
                "the token provider answered JSON as text; answer with the content type application/json",
            )),
            _ if text.contains(|character: char| character.is_whitespace() || character.is_control()) => {
                Err(unusable(
                    "the token provider's answer has white space in it, which no token has; answer the token alone",
                ))
            }
            _ => Ok(Self::Token(Secret::from(text))),
        }
    }
}

fn unusable(message: impl Into<alloc::borrow::Cow<'static, str>>) -> Error {
    ErrorCode::PROVIDER_FAILED.error(message)
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn rsa8c_the_members_tell_what_an_object_is() {
        let read = |json: &str| TokenReply::from_json(json.as_bytes());
        assert!(matches!(read(r#"{"token":"t"}"#), Ok(TokenReply::Details(_))));
        assert!(matches!(read(r#"{"token":"t","issued":1,"keyName":"k"}"#), Ok(TokenReply::Details(_))));
        let request = r#"{"keyName":"k","timestamp":1,"nonce":"n","mac":"m"}"#;
        assert!(matches!(read(request), Ok(TokenReply::Request(_))));
        for json in [r#"{"issued":1}"#, r#"{"keyName":"k"}"#, "{}", "[]", "5", "", r#""t""#, r#"["token"]"#] {
            assert_eq!(read(json).unwrap_err().code(), Some(40_170), "{json}");
        }
    }

    #[test]
    fn rsa4f_texts_that_are_mistakes_are_refused() {
        assert!(matches!(TokenReply::from_text("xyz.abc"), Ok(TokenReply::Token(_))));
        let long = "a".repeat(TokenReply::LONGEST + 1);
        for text in
            ["", "undefined", "null", r#"{"token":"t"}"#, "\n{\"token\":\"t\"}", "tok\n", "to ken", &long]
        {
            assert_eq!(TokenReply::from_text(text).unwrap_err().code(), Some(40_170));
        }
        assert!(TokenReply::from_text(&"a".repeat(TokenReply::LONGEST)).is_ok());
        let long = format!(r#"{{"token":"{long}"}}"#);
        assert_eq!(TokenReply::from_json(long.as_bytes()).unwrap_err().code(), Some(40_170));
    }
}
