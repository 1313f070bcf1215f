//! A signed request for an Ably token (TE, RSA9): made by whoever has the key, sent by a client that has not.

mod refused;

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

pub use self::refused::TokenRequestRefused;
use super::number::Integer;
use super::{ApiKey, Nonce, TokenClientId, TokenParams};
use crate::Secret;
use crate::capability::Capability;
use crate::json::from_object;
use crate::time::{Now, Timestamp};

/// A token request: the parameters, a timestamp, a nonce, and the MAC that the key's owner put over them.
///
/// Whoever holds it can exchange it for a token, once and within two minutes, so its `Debug` leaves the MAC out.
///
/// ```
/// use auth_core::ably::{ApiKey, Nonce, TokenParams, TokenRequest};
/// use auth_core::time::{Moment, Now, Timestamp};
///
/// let key = ApiKey::parse("appid1.keyid1:SecretSecretSecret")?;
/// let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
/// let nonce = Nonce::new("0123456789abcdef")?;
/// let request = TokenRequest::sign(&key, &TokenParams::new(), now, nonce);
/// assert_eq!(request.mac().expose(), "w1Pdm0EnbxxZVp3a0dpHrAzsquMfrSAYVHDznXtCZB0=");
///
/// // The other end has received it as JSON, and knows the key.
/// let received = TokenRequest::parse(request.to_json().as_bytes())?;
/// assert_eq!(received.verify(&key, now)?.nonce.as_str(), "0123456789abcdef");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    key_name: Arc<str>,
    /// In milliseconds. Kept as received: the MAC is checked before the value.
    ttl: Option<i64>,
    /// As received, byte for byte: that is what was signed.
    capability: Option<Arc<str>>,
    client_id: Option<Arc<str>>,
    timestamp: i64,
    nonce: String,
    mac: Secret,
}

/// A token request whose MAC is right and whose values can be granted.
///
/// Not everything is done with that: whoever issues the token must refuse a nonce that was used before (code 40105),
/// intersect the capability with the key's (40160), and bound the lifetime to what the key may give.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedTokenRequest {
    /// The lifetime asked for, at most a day; `None` for the server's default.
    pub ttl: Option<Duration>,
    /// The capability asked for; `None` for the key's own.
    pub capability: Option<Capability>,
    /// The client asked for; `None` for an anonymous one.
    pub client_id: Option<TokenClientId>,
    /// When it was signed.
    pub timestamp: Timestamp,
    /// To be remembered for twice [`TokenRequest::WINDOW`], with the key's name and the timestamp.
    pub nonce: Nonce,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    key_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<Integer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capability: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Cow<'a, str>>,
    timestamp: Integer,
    nonce: Cow<'a, str>,
    mac: Cow<'a, str>,
}

impl TokenRequest {
    /// How far the timestamp may be from the server's clock, either way: two minutes, as at Ably.
    pub const WINDOW: Duration = Duration::from_secs(120);
    /// The longest lifetime that can be asked for: a day, as at Ably.
    pub const LONGEST_TTL: Duration = Duration::from_secs(86_400);
    /// The longest JSON text that is read, in bytes: room for the largest capability, and a bound for strangers.
    pub const LONGEST_JSON: usize = 512 * 1_024;

    /// Signs `params` with `key`: no I/O, no clock, no randomness. The timestamp is `now` and the nonce is `fresh` unless
    /// the parameters name their own.
    #[must_use]
    pub fn sign(key: &ApiKey, params: &TokenParams, now: Now, fresh: Nonce) -> Self {
        let timestamp = params.timestamp().unwrap_or(now.wall);
        let mut request = Self {
            key_name: key.shared_name(),
            ttl: params.ttl().map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
            capability: params.capability().map(|capability| Arc::from(capability.canonical_text())),
            client_id: params.client_id().map(|client_id| Arc::from(client_id.as_str())),
            timestamp: i64::try_from(timestamp.as_millis()).unwrap_or(i64::MAX),
            nonce: params.nonce().map_or_else(|| fresh.to_string(), Nonce::to_string),
            mac: Secret::from(""),
        };
        request.mac = Secret::from(STANDARD.encode(request.mac_under(key).finalize().into_bytes()));
        request
    }

    /// Reads a request from JSON (TE6). Integers may be numeric strings, absent members may be `null`, unknown members are
    /// ignored: Ably's libraries send all of these.
    ///
    /// # Errors
    ///
    /// [`TokenRequestRefused::Malformed`] when it is no such object; nothing of the text is repeated.
    pub fn parse(json: &[u8]) -> Result<Self, TokenRequestRefused> {
        if json.len() > Self::LONGEST_JSON {
            return Err(TokenRequestRefused::Malformed);
        }
        let wire: Wire<'_> = from_object(json).map_err(|_| TokenRequestRefused::Malformed)?;
        Ok(Self {
            key_name: Arc::from(wire.key_name),
            ttl: wire.ttl.map(|Integer(ttl)| ttl),
            capability: wire.capability.map(Arc::from),
            client_id: wire.client_id.map(Arc::from),
            timestamp: wire.timestamp.0,
            nonce: wire.nonce.into_owned(),
            mac: Secret::from(wire.mac.into_owned()),
        })
    }

    /// The JSON to send.
    #[must_use]
    pub fn to_json(&self) -> String {
        let wire = Wire {
            key_name: self.key_name.to_string(),
            ttl: self.ttl.map(Integer),
            capability: self.capability.as_deref().map(Cow::Borrowed),
            client_id: self.client_id.as_deref().map(Cow::Borrowed),
            timestamp: Integer(self.timestamp),
            nonce: Cow::Borrowed(&self.nonce),
            mac: Cow::Borrowed(self.mac.expose()),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// The name of the key that signed it, as far as it says so itself: to find the key.
    #[must_use]
    pub fn key_name(&self) -> &str {
        &self.key_name
    }

    /// The MAC, in base64.
    #[must_use]
    pub const fn mac(&self) -> &Secret {
        &self.mac
    }

    /// Verifies the request under the key that it names: the MAC first and in constant time, over the capability text as
    /// received; then each value; then the timestamp, before the nonce is anybody's to remember.
    ///
    /// # Errors
    ///
    /// [`TokenRequestRefused`] says which check failed; its `code()` and `status()` are what Ably's servers answer.
    pub fn verify(&self, key: &ApiKey, now: Now) -> Result<VerifiedTokenRequest, TokenRequestRefused> {
        if *self.key_name != *key.name() {
            return Err(TokenRequestRefused::OtherKey);
        }
        let mac = STANDARD.decode(self.mac.expose()).map_err(|_| TokenRequestRefused::Mac)?;
        self.mac_under(key).verify_slice(&mac).map_err(|_| TokenRequestRefused::Mac)?;
        let verified = VerifiedTokenRequest {
            ttl: self.checked_ttl()?,
            client_id: self.client_id.as_deref().map(TokenClientId::new).transpose()?,
            // Ably's libraries sign an empty text for a capability that they leave out.
            capability: self
                .capability
                .as_deref()
                .filter(|text| !text.is_empty())
                .map(str::parse)
                .transpose()?,
            timestamp: self.checked_timestamp(now)?,
            nonce: Nonce::new(self.nonce.as_str())?,
        };
        Ok(verified)
    }

    fn checked_ttl(&self) -> Result<Option<Duration>, TokenRequestRefused> {
        let Some(ttl) = self.ttl else { return Ok(None) };
        let ttl = u64::try_from(ttl).map(Duration::from_millis).map_err(|_| TokenRequestRefused::Ttl)?;
        if ttl > Self::LONGEST_TTL {
            return Err(TokenRequestRefused::Ttl);
        }
        Ok((!ttl.is_zero()).then_some(ttl))
    }

    fn checked_timestamp(&self, now: Now) -> Result<Timestamp, TokenRequestRefused> {
        let timestamp = u64::try_from(self.timestamp).map_err(|_| TokenRequestRefused::Timestamp)?;
        if timestamp.abs_diff(now.wall.as_millis()) > Self::WINDOW.as_millis() as u64 {
            return Err(TokenRequestRefused::Timestamp);
        }
        Ok(Timestamp::from_millis(timestamp))
    }

    /// The MAC over the signing text: six values in a fixed order, each followed by a line feed, an absent one empty. A
    /// lifetime of zero counts as absent.
    ///
    /// The text is unambiguous because no value but the capability can have a line feed in a request that is accepted.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn mac_under(&self, key: &ApiKey) -> Hmac<Sha256> {
        let secret = key.secret().expose().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        let mut digits = Digits::new();
        let mut line = |text: &str| {
            mac.update(text.as_bytes());
            mac.update(b"\n");
        };
        line(&self.key_name);
        line(self.ttl.filter(|ttl| *ttl != 0).map_or("", |ttl| digits.write(ttl)));
        line(self.capability.as_deref().unwrap_or_default());
        line(self.client_id.as_deref().unwrap_or_default());
        line(digits.write(self.timestamp));
        line(&self.nonce);
        mac
    }
}

/// Decimal digits without an allocation.
struct Digits([u8; 20]);

impl Digits {
    const fn new() -> Self {
        Self([0; 20])
    }

    fn write(&mut self, value: i64) -> &str {
        let (mut magnitude, mut start) = (value.unsigned_abs(), self.0.len());
        loop {
            start -= 1;
            self.0[start] = b'0' + (magnitude % 10) as u8;
            magnitude /= 10;
            if magnitude == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            self.0[start] = b'-';
        }
        core::str::from_utf8(&self.0[start..]).unwrap_or_default()
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_name, ttl, capability, client_id, timestamp, nonce: _, mac: _ } = self;
        formatter
            .debug_struct("TokenRequest")
            .field("key_name", key_name)
            .field("ttl", ttl)
            .field("capability", capability)
            .field("client_id", client_id)
            .field("timestamp", timestamp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
