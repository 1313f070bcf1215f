//! Tokens that carry what they grant under a MAC, so that nothing has to be remembered about those that live.

use std::time::Duration;

use auth_core::Secret;
use auth_core::ably::TokenClientId;
use auth_core::capability::Capability;
use auth_core::time::{Deadline, Moment, Now, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::app_of;

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct IssuedToken {
    pub(in super::super) key_name: String,
    /// Which of the keys of this name that were served one after the other.
    pub(in super::super) serial: u64,
    pub(in super::super) issued: Now,
    pub(in super::super) lifetime: Duration,
    pub(in super::super) client_id: Option<TokenClientId>,
    /// `None` for all that its key may do.
    pub(in super::super) capability: Option<Capability>,
}

impl IssuedToken {
    pub(in super::super) fn expires(&self) -> Timestamp {
        self.issued.wall.saturating_add(self.lifetime)
    }

    /// The same expiry on both clocks.
    pub(in super::super) fn expiry(&self) -> Deadline {
        self.issued.expiry(self.lifetime)
    }
}

/// What makes tokens that nobody else can make: `appId.`, what a token says in base64, and the MAC of all before it.
#[derive(Clone)]
pub(in super::super) struct Seal(Hmac<Sha256>);

impl Seal {
    /// The bytes of a token that only make it different from every other.
    const FRESH: usize = 16;

    /// The length of a MAC in base64.
    const MAC: usize = 43;

    pub(super) fn new(key: [u8; 32]) -> Self {
        // HMAC itself fills a short key up with zeros (RFC 2104 §2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key);
        Self(Hmac::new(&block.into()))
    }

    pub(in super::super) fn seal(&self, token: &IssuedToken, fresh: [u8; 32]) -> Secret {
        let mut content = fresh[..Self::FRESH].to_vec();
        content.extend(serde_json::to_vec(&Wire::from(token)).unwrap_or_default());
        let mut text = format!("{}.{}", app_of(&token.key_name), URL_SAFE_NO_PAD.encode(content));
        let mac = self.mac(&text);
        text.push_str(mac.expose());
        Secret::from(text)
    }

    /// What a token says; `None` for a text that was not sealed here.
    pub(super) fn open(&self, token: &str) -> Option<IssuedToken> {
        let (text, mac) = token.split_at_checked(token.len().checked_sub(Self::MAC)?)?;
        if self.mac(text) != Secret::from(mac) {
            return None;
        }
        let (_, content) = text.split_once('.')?;
        let content = URL_SAFE_NO_PAD.decode(content).ok()?;
        serde_json::from_slice::<Wire>(content.get(Self::FRESH..)?).ok()?.read()
    }

    /// In base64, which has one text for each MAC: a token has no second text by which it would escape a revocation.
    fn mac(&self, text: &str) -> Secret {
        let mac = self.0.clone().chain_update(text).finalize();
        Secret::from(URL_SAFE_NO_PAD.encode(mac.into_bytes()))
    }
}

/// A token in JSON: an array, as short as can be. Times are in milliseconds, that of the monotonic clock in microseconds.
#[derive(Serialize, Deserialize)]
struct Wire(String, u64, u64, u64, u64, Option<String>, Option<String>);

impl From<&IssuedToken> for Wire {
    fn from(token: &IssuedToken) -> Self {
        let IssuedToken { key_name, serial, issued, lifetime, client_id, capability } = token;
        Self(
            key_name.clone(),
            *serial,
            issued.wall.as_millis(),
            issued.mono.elapsed().as_micros() as u64,
            lifetime.as_millis() as u64,
            client_id.as_ref().map(|client_id| client_id.as_str().to_owned()),
            capability.as_ref().map(|capability| capability.canonical_text().to_owned()),
        )
    }
}

impl Wire {
    fn read(self) -> Option<IssuedToken> {
        let Self(key_name, serial, wall, mono, lifetime, client_id, capability) = self;
        let mono = Moment::since_origin(Duration::from_micros(mono));
        Some(IssuedToken {
            key_name,
            serial,
            issued: Now { wall: Timestamp::from_millis(wall), mono },
            lifetime: Duration::from_millis(lifetime),
            client_id: client_id.map(|text| TokenClientId::new(&text)).transpose().ok()?,
            capability: capability.map(|text| Capability::parse(&text)).transpose().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(client_id: Option<&str>, capability: Option<&str>) -> IssuedToken {
        IssuedToken {
            key_name: "appid1.keyid1".to_owned(),
            serial: 7,
            issued: Now {
                wall: Timestamp::from_millis(1_700_000_000_123),
                mono: Moment::since_origin(Duration::from_micros(12_345_678)),
            },
            lifetime: Duration::from_secs(60),
            client_id: client_id.map(|text| TokenClientId::new(text).unwrap()),
            capability: capability.map(|text| Capability::parse(text).unwrap()),
        }
    }

    #[test]
    fn what_was_sealed_is_opened_under_the_same_seal_only() {
        let seal = Seal::new([1; 32]);
        for token in [
            token(None, None),
            token(Some("*"), Some(r#"{"*":["*"]}"#)),
            token(Some("zoë \"☃\""), Some(r#"{"[meta]log":["subscribe"],"chat:*":["history","publish"]}"#)),
        ] {
            let text = seal.seal(&token, [2; 32]);
            assert!(text.expose().starts_with("appid1."));
            assert_eq!(seal.open(text.expose()), Some(token.clone()));
            assert_eq!(Seal::new([3; 32]).open(text.expose()), None);
            assert_ne!(seal.seal(&token, [4; 32]), text, "no two tokens are the same");
        }
    }

    #[test]
    fn a_usual_token_is_short() {
        let text = Seal::new([1; 32]).seal(&token(Some("alice"), None), [2; 32]);
        assert!(text.expose().len() < 180, "{}", text.expose().len());
    }

    proptest! {
        #[test]
        fn a_token_has_no_other_text(at in any::<prop::sample::Index>(), other in "[ -~é]{0,2}", cut in 0_usize..3) {
            let seal = Seal::new([1; 32]);
            let text = seal.seal(&token(Some("alice"), Some(r#"{"*":["*"]}"#)), [2; 32]).expose().to_owned();
            let start = at.index(text.len());
            let mut changed = text.clone();
            changed.replace_range(start..(start + cut).min(text.len()), &other);
            prop_assert_eq!(seal.open(&changed).is_some(), changed == text);
        }

        #[test]
        fn no_text_of_a_stranger_is_opened(text in "\\PC{0,200}") {
            prop_assert_eq!(Seal::new([1; 32]).open(&text), None);
        }
    }
}
