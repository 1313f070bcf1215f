//! Whoever sends an authenticated request, and what they may do.

use auth_core::ably::{ClientId, ErrorCode, TokenClientId};
use auth_core::capability::{Capability, Operation};
use auth_core::time::{Deadline, Timestamp};

use super::credentials::invalid_client_id;
use super::records::app_of;
use super::{Refusal, code};

/// Whoever sends an authenticated request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The key that they presented, or that their token was issued under.
    pub key_name: String,
    /// Whom they speak for; `None` for an anonymous client. Whoever has the key may speak for anybody.
    pub client_id: Option<TokenClientId>,
    /// What they may do.
    pub capability: Capability,
    /// When their token expires; `None` for the key itself.
    pub expires: Option<Timestamp>,
    /// When their token will be revoked: a revocation with `allowReauthMargin` leaves it some time.
    pub revoked: Option<Deadline>,
}

impl Caller {
    /// The application that they belong to: channels are its own.
    #[must_use]
    pub fn application(&self) -> &str {
        app_of(&self.key_name)
    }

    /// The same caller as the client that they say they are: in `X-Ably-ClientId`, or in the query of a connection.
    ///
    /// # Errors
    ///
    /// 40102 when their token is not for this client, or for no client in particular.
    pub fn declared_as(self, declared: Option<&ClientId>) -> Result<Self, Refusal> {
        let Some(declared) = declared else { return Ok(self) };
        if self.client_id.as_ref().is_some_and(|client_id| client_id.admits(declared)) {
            Ok(Self { client_id: Some(declared.clone().into()), ..self })
        } else {
            Err(Refusal::new(
                ErrorCode::INCOMPATIBLE_CREDENTIALS,
                "the token is not for this clientId; get a token for it, or use the token's own",
            ))
        }
    }

    /// Lets an operation on a channel pass.
    ///
    /// # Errors
    ///
    /// 40160 that names the operation and the channel, when the capability does not allow it; 40010 when this can't be the
    /// name of a channel.
    pub fn require(&self, operation: Operation, channel: &str) -> Result<(), Refusal> {
        check_name(channel)?;
        if self.capability.permits(channel, operation) {
            return Ok(());
        }
        // The words are cut to what a log bears: what matters stands first.
        let text = format!("the capability does not allow {operation} on the channel {channel:?}");
        Err(Refusal::new(ErrorCode::CAPABILITY, &text))
    }

    /// Whom a message is from, given the `clientId` that it names itself (RSL1g, RSL1m).
    ///
    /// # Errors
    ///
    /// 40012 when it can't be one, or when the caller may not speak for it.
    pub fn message_client_id(&self, named: Option<&str>) -> Result<Option<ClientId>, Refusal> {
        let named =
            named.map(ClientId::new).transpose().map_err(|error| invalid_client_id(&error.to_string()))?;
        match (&self.client_id, named) {
            (None, None) | (Some(TokenClientId::Wildcard), None) => Ok(None),
            (Some(TokenClientId::Identified(client_id)), None) => Ok(Some(client_id.clone())),
            (Some(client_id), Some(named)) if client_id.admits(&named) => Ok(Some(named)),
            (_, Some(_)) => {
                Err(invalid_client_id("the message names a clientId that its sender may not speak for"))
            }
        }
    }
}

/// The longest name of a channel, in bytes.
const LONGEST_NAME: usize = 2_048;

/// Whether this can be the name of a channel.
pub(super) fn check_name(channel: &str) -> Result<(), Refusal> {
    // Parameters (`[?rewind=1]`) are no part of a name, and none is served.
    let qualified = channel.starts_with('[');
    if channel.is_empty()
        || channel.starts_with(':')
        || qualified && channel.contains('?')
        || channel.len() > LONGEST_NAME
    {
        return Err(Refusal::new(code::CHANNEL_NAME, "this can't be the name of a channel"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(client_id: Option<&str>) -> Caller {
        Caller {
            key_name: "a.b".to_owned(),
            client_id: client_id.map(|text| TokenClientId::new(text).unwrap()),
            capability: Capability::parse(r#"{"chat:*":["publish"],"[meta]log":["subscribe"]}"#).unwrap(),
            expires: None,
            revoked: None,
        }
    }

    fn number(refusal: Refusal) -> u32 {
        refusal.info().code.number()
    }

    #[test]
    fn a_refusal_names_the_operation_and_the_channel() {
        let caller = caller(None);
        assert_eq!(caller.require(Operation::Publish, "chat:lobby"), Ok(()));
        assert_eq!(caller.require(Operation::Subscribe, "[meta]log"), Ok(()));
        let refusal = caller.require(Operation::History, "chat:lobby").unwrap_err();
        assert_eq!((refusal.info().code, refusal.info().status), (ErrorCode::CAPABILITY, 401));
        let expected = r#"the capability does not allow history on the channel "chat:lobby""#;
        assert_eq!(refusal.info().message.as_str(), expected);
        let long = "x".repeat(2_049);
        for channel in ["", ":a", "[?rewind=1]chat:lobby", "[meta?x=1]log", &long] {
            assert_eq!(number(caller.require(Operation::Publish, channel).unwrap_err()), 40_010, "{channel}");
        }
    }

    /// RSA15a, RSA15b, RSA15c: each credential with each declared clientId.
    #[test]
    fn a_declared_client_id_must_be_one_that_the_credentials_are_good_for() {
        let declared = |token: Option<&str>, declared: Option<&str>| {
            let declared = declared.map(|text| ClientId::new(text).unwrap());
            let declared = caller(token).declared_as(declared.as_ref());
            declared.map(|caller| caller.client_id.map(|id| id.as_str().to_owned())).map_err(number)
        };
        for (token, client_id, expected) in [
            (None, None, Ok(None)),
            (None, Some("v"), Err(40_102)),
            (Some("c"), None, Ok(Some("c"))),
            (Some("c"), Some("c"), Ok(Some("c"))),
            (Some("c"), Some("v"), Err(40_102)),
            (Some("*"), None, Ok(Some("*"))),
            (Some("*"), Some("v"), Ok(Some("v"))),
        ] {
            let expected = expected.map(|client_id: Option<&str>| client_id.map(str::to_owned));
            assert_eq!(declared(token, client_id), expected, "{token:?} {client_id:?}");
        }
    }

    /// RSL1m1 to RSL1m4: each sender with each clientId that a message may name.
    #[test]
    fn a_message_is_from_a_client_that_its_sender_may_speak_for() {
        for (sender, named, expected) in [
            (None, None, Ok(None)),
            (None, Some("v"), Err(40_012)),
            (Some("c"), None, Ok(Some("c"))),
            (Some("c"), Some("c"), Ok(Some("c"))),
            (Some("c"), Some("v"), Err(40_012)),
            (Some("*"), None, Ok(None)),
            (Some("*"), Some("v"), Ok(Some("v"))),
            (Some("*"), Some("*"), Err(40_012)),
            (Some("*"), Some(""), Err(40_012)),
        ] {
            let from = caller(sender).message_client_id(named).map_err(number);
            let expected = expected.map(|client_id| client_id.map(|text: &str| ClientId::new(text).unwrap()));
            assert_eq!(from, expected, "{sender:?} {named:?}");
        }
    }
}
