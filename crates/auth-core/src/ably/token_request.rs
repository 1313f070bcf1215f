//! A signed request for an Ably token (TE, RSA9): made by whoever has the key, sent by a client that has not.

mod refused;
mod signing;

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub use self::refused::TokenRequestRefused;
use super::number::Integer;
use super::{ApiKey, Nonce, TokenClientId, TokenParams};
use crate::Secret;
use crate::capability::{Capability, InvalidCapability};
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
/// let received = TokenRequest::parse(request.to_json().expose().as_bytes())?;
/// assert_eq!(received.verify(&key, now)?.nonce.as_str(), "0123456789abcdef");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenRequest {
    key_name: Arc<str>,
    /// In milliseconds. Kept as received: the MAC is checked before the value.
    ttl: Option<i64>,
    capability: CapabilityText,
    client_id: Option<Arc<str>>,
    timestamp: i64,
    nonce: String,
    /// `None` for what is no MAC at all, and so never verifies.
    mac: Option<Zeroizing<[u8; 32]>>,
}

#[derive(Debug, Clone)]
enum CapabilityText {
    Absent,
    /// Ours: the canonical text is signed.
    Canonical(Capability),
    /// A stranger's, byte for byte: that is what was signed.
    Received(String),
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
    /// The longest JSON text that is read, in bytes: room for the largest capability with each quotation mark escaped, and a
    /// bound for strangers.
    pub const LONGEST_JSON: usize = 1_024 * 1_024;

    /// Signs `params` with `key`: no I/O, no clock, no randomness. The timestamp is `now` and the nonce is `fresh` unless
    /// the parameters name their own.
    #[must_use]
    pub fn sign(key: &ApiKey, params: &TokenParams, now: Now, fresh: Nonce) -> Self {
        let timestamp = params.timestamp().unwrap_or(now.wall);
        let capability = params.capability().cloned();
        let mut request = Self {
            key_name: key.shared_name(),
            ttl: params.ttl().map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
            capability: capability.map_or(CapabilityText::Absent, CapabilityText::Canonical),
            client_id: params.client_id().map(TokenClientId::shared),
            timestamp: i64::try_from(timestamp.as_millis()).unwrap_or(i64::MAX),
            nonce: params.nonce().cloned().unwrap_or(fresh).into_string(),
            mac: None,
        };
        request.mac = Some(Zeroizing::new(request.mac_under(key).finalize().into_bytes().into()));
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
            capability: wire
                .capability
                .map_or(CapabilityText::Absent, |text| CapabilityText::Received(text.into_owned())),
            client_id: wire.client_id.map(Arc::from),
            timestamp: wire.timestamp.0,
            nonce: wire.nonce.into_owned(),
            mac: mac_of_text(&wire.mac),
        })
    }

    /// The JSON to send: a secret, as long as it has not been exchanged.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        let wire = Wire {
            key_name: self.key_name.to_string(),
            ttl: self.ttl.map(Integer),
            capability: self.capability.as_str().map(Cow::Borrowed),
            client_id: self.client_id.as_deref().map(Cow::Borrowed),
            timestamp: Integer(self.timestamp),
            nonce: Cow::Borrowed(&self.nonce),
            mac: Cow::Owned(self.mac_text()),
        };
        Secret::from(serde_json::to_string(&wire).unwrap_or_default())
    }

    /// The name of the key that signed it, as far as it says so itself: to find the key.
    #[must_use]
    pub fn key_name(&self) -> &str {
        &self.key_name
    }

    /// The lifetime that it asks for (TE2); `None` when it names none, or one that can't be.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl.and_then(|ttl| u64::try_from(ttl).ok()).map(Duration::from_millis)
    }

    /// The capability that it asks for, as it stands there (TE3).
    #[must_use]
    pub fn capability_text(&self) -> Option<&str> {
        self.capability.as_str()
    }

    /// The client that it asks for, as it stands there (TE4).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// When it says that it was signed (TE5); `None` for what is no time.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        u64::try_from(self.timestamp).ok().map(Timestamp::from_millis)
    }

    /// The nonce, as it stands there (TE6).
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The MAC in base64; empty when what was received is no MAC.
    #[must_use]
    pub fn mac(&self) -> Secret {
        Secret::from(self.mac_text())
    }

    fn mac_text(&self) -> String {
        self.mac.as_ref().map(|mac| STANDARD.encode(mac.as_slice())).unwrap_or_default()
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
        let mac = self.mac.as_ref().ok_or(TokenRequestRefused::Mac)?;
        self.mac_under(key).verify_slice(&**mac).map_err(|_| TokenRequestRefused::Mac)?;
        let verified = VerifiedTokenRequest {
            ttl: self.checked_ttl()?,
            client_id: self.client_id.as_deref().map(TokenClientId::new).transpose()?,
            capability: self.capability.read()?,
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
}

impl CapabilityText {
    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Canonical(capability) => Some(capability.canonical_text()),
            Self::Received(text) => Some(text),
        }
    }

    fn read(&self) -> Result<Option<Capability>, InvalidCapability> {
        match self {
            Self::Absent => Ok(None),
            Self::Canonical(capability) => Ok(Some(capability.clone())),
            // Ably's libraries sign an empty text for a capability that they leave out.
            Self::Received(text) if text.is_empty() => Ok(None),
            Self::Received(text) => text.parse().map(Some),
        }
    }
}

impl PartialEq for CapabilityText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CapabilityText {}

fn mac_of_text(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

impl PartialEq for TokenRequest {
    /// Compares the MACs in constant time.
    fn eq(&self, other: &Self) -> bool {
        let Self { key_name, ttl, capability, client_id, timestamp, nonce, mac } = self;
        let macs = match (mac, &other.mac) {
            (Some(mac), Some(other)) => mac.ct_eq(&**other).into(),
            (None, None) => true,
            _ => false,
        };
        macs && *key_name == other.key_name
            && *ttl == other.ttl
            && *capability == other.capability
            && *client_id == other.client_id
            && *timestamp == other.timestamp
            && *nonce == other.nonce
    }
}

impl Eq for TokenRequest {}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_name, ttl, capability, client_id, timestamp, nonce: _, mac: _ } = self;
        formatter
            .debug_struct("TokenRequest")
            .field("key_name", key_name)
            .field("ttl", ttl)
            .field("capability", &capability.as_str())
            .field("client_id", client_id)
            .field("timestamp", timestamp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
