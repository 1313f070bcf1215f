//! The bodies of the four calls, with a limit on each thing in them.

use auth_core::Secret;
use bytes::Bytes;
use http::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::Refusal;
use crate::spatium::wire::LONGEST_TOKEN_ID;

/// The most permissions of a session.
const MOST_PERMISSIONS: usize = 64;
/// The longest permission or user name, in bytes.
const LONGEST_NAME: usize = 128;
/// The most security tokens that are presented together.
const MOST_SECURITY_TOKENS: usize = 16;

/// A text that is a secret from the start.
pub(super) struct Hidden(pub(super) Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::from(text)))
    }
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Hidden,
}

/// What a session is to be.
pub(super) struct Wanted {
    pub(super) token_id: String,
    pub(super) permissions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(try_from = "WireByFactors")]
pub(super) struct ByFactors {
    pub(super) session: Wanted,
    pub(super) security_tokens: Vec<Hidden>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireByFactors {
    token_id: String,
    permissions: Vec<String>,
    security_tokens: Vec<Hidden>,
}

#[derive(Deserialize)]
#[serde(try_from = "WireByKey")]
pub(super) struct ByKey {
    pub(super) session: Wanted,
    pub(super) merchant_key: Hidden,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireByKey {
    token_id: String,
    permissions: Vec<String>,
    merchant_key: Hidden,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Redeem {
    pub(super) permission_refresh_token: Hidden,
}

impl Wanted {
    fn new(token_id: String, permissions: Vec<String>) -> Result<Self, &'static str> {
        let fits = |text: &str, longest| (1..=longest).contains(&text.len());
        let bounded = fits(&token_id, LONGEST_TOKEN_ID)
            && (1..=MOST_PERMISSIONS).contains(&permissions.len())
            && permissions.iter().all(|permission| fits(permission, LONGEST_NAME));
        if bounded { Ok(Self { token_id, permissions }) } else { Err("out of bounds") }
    }
}

impl TryFrom<WireByFactors> for ByFactors {
    type Error = &'static str;

    fn try_from(wire: WireByFactors) -> Result<Self, Self::Error> {
        if !(1..=MOST_SECURITY_TOKENS).contains(&wire.security_tokens.len()) {
            return Err("out of bounds");
        }
        let session = Wanted::new(wire.token_id, wire.permissions)?;
        Ok(Self { session, security_tokens: wire.security_tokens })
    }
}

impl TryFrom<WireByKey> for ByKey {
    type Error = &'static str;

    fn try_from(wire: WireByKey) -> Result<Self, Self::Error> {
        let session = Wanted::new(wire.token_id, wire.permissions)?;
        Ok(Self { session, merchant_key: wire.merchant_key })
    }
}

/// Reads a body. It must be an object: a derived reader would take an array as well.
pub(super) fn read<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, Refusal> {
    let begins = request.body().iter().find(|byte| !byte.is_ascii_whitespace());
    if begins != Some(&b'{') {
        return Err(Refusal::BadRequest);
    }
    serde_json::from_slice(request.body()).map_err(|_| Refusal::BadRequest)
}
