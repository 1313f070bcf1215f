//! An Ably token with what is known about it (TD).

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::TokenClientId;
use super::number::Integer;
use crate::capability::{Capability, InvalidCapability};
use crate::json::from_object;
use crate::time::{Now, Timestamp};
use crate::{Error, ErrorKind, Secret};

/// A token as Ably issues it, or as an auth callback hands it over. A bare token string has nothing but itself: such a
/// token is never looked into (TN1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDetails {
    token: Secret,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    capability: Option<String>,
    client_id: Option<TokenClientId>,
    key_name: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    token: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued: Option<Integer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Integer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capability: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_name: Option<Cow<'a, str>>,
}

impl TokenDetails {
    /// A token about which nothing else is known.
    #[must_use]
    pub const fn new(token: Secret) -> Self {
        Self { token, issued: None, expires: None, capability: None, client_id: None, key_name: None }
    }

    /// The same token with the time of its issue (TD4).
    #[must_use]
    pub fn with_issued(self, issued: Timestamp) -> Self {
        Self { issued: Some(issued), ..self }
    }

    /// The same token with the time of its expiry (TD3).
    #[must_use]
    pub fn with_expires(self, expires: Timestamp) -> Self {
        Self { expires: Some(expires), ..self }
    }

    /// The same token with the capability that was granted (TD5).
    #[must_use]
    pub fn with_capability(self, capability: &Capability) -> Self {
        Self { capability: Some(capability.canonical_text().to_owned()), ..self }
    }

    /// The same token with whom it speaks for (TD6).
    #[must_use]
    pub fn with_client_id(self, client_id: impl Into<TokenClientId>) -> Self {
        Self { client_id: Some(client_id.into()), ..self }
    }

    /// The same token with the name of the key that it was issued under.
    #[must_use]
    pub fn with_key_name(self, key_name: impl Into<String>) -> Self {
        Self { key_name: Some(key_name.into()), ..self }
    }

    /// Reads token details from JSON (TD7). Integers may be numeric strings, absent members may be `null`, unknown members
    /// are ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedResponse`] when it is no object with a `token`; nothing of the text is repeated.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let details = Self::read(json)?;
        if details.token.is_empty() {
            return Err(malformed("there is no token in the answer, or an empty one"));
        }
        Ok(details)
    }

    /// Reads what [`to_json_without_token`](Self::to_json_without_token) wrote of this token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedResponse`] when it wrote something else.
    pub fn parse_of(token: Secret, json: &str) -> Result<Self, Error> {
        Self::read(json.as_bytes()).map(|details| Self { token, ..details })
    }

    fn read(json: &[u8]) -> Result<Self, Error> {
        let wire: Wire<'_> = from_object(json)
            .map_err(|_| malformed("the answer is no TokenDetails: a JSON object with a token"))?;
        let time = |member: Option<Integer>| {
            let millis = member.map(|Integer(millis)| u64::try_from(millis)).transpose();
            millis
                .map(|millis| millis.map(Timestamp::from_millis))
                .map_err(|_| malformed("issued and expires must be milliseconds since the Unix epoch"))
        };
        let client_id = wire.client_id.as_deref().map(TokenClientId::new).transpose();
        Ok(Self {
            token: Secret::from(wire.token.into_owned()),
            issued: time(wire.issued)?,
            expires: time(wire.expires)?,
            capability: wire.capability.map(Cow::into_owned),
            client_id: client_id.map_err(|_| malformed("the clientId of the token can't be one"))?,
            key_name: wire.key_name.map(Cow::into_owned),
        })
    }

    /// The JSON to send or to print, the token in clear.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        Secret::from(self.written(self.token.expose()))
    }

    /// The same without the token: what is known about it, to be kept beside it.
    #[must_use]
    pub fn to_json_without_token(&self) -> String {
        self.written("")
    }

    fn written(&self, token: &str) -> String {
        let time = |time: Option<Timestamp>| {
            time.map(|time| Integer(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
        };
        let wire = Wire {
            token: Cow::Borrowed(token),
            issued: time(self.issued),
            expires: time(self.expires),
            capability: self.capability.as_deref().map(Cow::Borrowed),
            client_id: self.client_id.as_ref().map(|client_id| Cow::Borrowed(client_id.as_str())),
            key_name: self.key_name.as_deref().map(Cow::Borrowed),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// The token itself (TD2).
    #[must_use]
    pub const fn token(&self) -> &Secret {
        &self.token
    }

    /// When it was issued, by the server's clock.
    #[must_use]
    pub const fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// When it expires, by the server's clock.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The capability as the server wrote it (TC2). [`capability`](Self::capability) reads it.
    #[must_use]
    pub fn capability_text(&self) -> Option<&str> {
        self.capability.as_deref()
    }

    /// The capability that was granted, where the server told it.
    ///
    /// # Errors
    ///
    /// [`InvalidCapability`] when the server named an operation that is not known here, or worse.
    pub fn capability(&self) -> Result<Option<Capability>, InvalidCapability> {
        self.capability.as_deref().map(str::parse).transpose()
    }

    /// Whom it speaks for; `None` for an anonymous token, and for one about which nothing is known.
    #[must_use]
    pub const fn client_id(&self) -> Option<&TokenClientId> {
        self.client_id.as_ref()
    }

    /// The name of the key that it was issued under.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.key_name.as_deref()
    }

    /// Whether it is known to have expired (RSA4b1): only when its expiry is known, and only by the server's clock, which
    /// is what `server_now` must be. A clock of one's own proves nothing: leave it to the server then.
    #[must_use]
    pub fn has_expired(&self, server_now: Now) -> bool {
        self.expires.is_some_and(|expires| expires <= server_now.wall)
    }
}

fn malformed(text: &'static str) -> Error {
    Error::new(ErrorKind::MalformedResponse, text)
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;
    use crate::ably::ClientId;
    use crate::time::Moment;

    #[test]
    fn td7_what_ably_sends_is_read_and_written_again() {
        let json = br#"{"token":"appid1.abc","keyName":"appid1.keyid1","issued":1700000000000,"expires":1700003600000,
            "capability":"{\"*\":[\"*\"]}","clientId":"alice","more":[1]}"#;
        let details = TokenDetails::parse(json).unwrap();
        assert_eq!(details.token().expose(), "appid1.abc");
        assert_eq!(details.expires(), Some(Timestamp::from_millis(1_700_003_600_000)));
        assert_eq!(details.capability().unwrap().unwrap().canonical_text(), r#"{"*":["*"]}"#);
        let expected = TokenDetails::new(Secret::from("appid1.abc"))
            .with_issued(Timestamp::from_millis(1_700_000_000_000))
            .with_expires(Timestamp::from_millis(1_700_003_600_000))
            .with_capability(&r#"{"*":["*"]}"#.parse().unwrap())
            .with_client_id(ClientId::new("alice").unwrap())
            .with_key_name("appid1.keyid1");
        assert_eq!(details, expected);
        assert_eq!(TokenDetails::parse(expected.to_json().expose().as_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_is_known_of_a_token_can_be_kept_apart_from_it() {
        let json =
            r#"{"issued":1,"expires":2,"capability":"{\"*\":[\"*\"]}","clientId":"alice","keyName":"a.b"}"#;
        let details = TokenDetails::parse_of(Secret::from("canary"), json).unwrap();
        assert_eq!(
            (details.token().expose(), details.expires()),
            ("canary", Some(Timestamp::from_millis(2)))
        );
        assert_eq!(details.to_json_without_token(), json);
        let bare = TokenDetails::new(Secret::from("canary"));
        assert_eq!(bare.to_json_without_token(), "{}");
        assert_eq!(TokenDetails::parse_of(Secret::from("canary"), "{}").unwrap(), bare);
        assert!(TokenDetails::parse_of(Secret::from("canary"), "[]").is_err());
    }

    #[test]
    fn td6_a_client_id_is_absent_wildcard_or_one_client() {
        let client_id = |member: &str| {
            let json = format!(r#"{{"token":"t"{member}}}"#);
            TokenDetails::parse(json.as_bytes()).map(|details| details.client_id().cloned())
        };
        assert_eq!(client_id("").unwrap(), None);
        assert_eq!(client_id(r#","clientId":null"#).unwrap(), None);
        assert_eq!(client_id(r#","clientId":"*""#).unwrap(), Some(TokenClientId::Wildcard));
        assert!(client_id(r#","clientId":"""#).is_err());
    }

    #[test]
    fn what_is_no_token_details_is_malformed_and_not_quoted() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"token":""}"#,
            r#"{"token":5}"#,
            r#"{"token":"canary","issued":"canary"}"#,
            r#"{"token":"canary","expires":-1}"#,
            r#"{"token":"canary","token":"canary"}"#,
        ] {
            let error = TokenDetails::parse(json.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MalformedResponse, "{json}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn rsa4b1_only_a_known_expiry_can_have_passed() {
        let now = Now { wall: Timestamp::from_millis(1_000), mono: Moment::ORIGIN };
        let token = TokenDetails::new(Secret::from("t"));
        assert!(!token.has_expired(now));
        assert!(token.clone().with_expires(Timestamp::from_millis(1_000)).has_expired(now));
        assert!(!token.with_expires(Timestamp::from_millis(1_001)).has_expired(now));
    }
}
