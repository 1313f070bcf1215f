//! The claims of a token that is about to be minted.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::{Algorithm, PublicKey};
use crate::scope::Scopes;
use crate::time::Timestamp;

/// Claims to be signed, in the order in which they were first set. Setting one again replaces it.
///
/// ```
/// use auth_core::jwt::{Draft, HmacKey};
/// use auth_core::time::Timestamp;
///
/// let key = HmacKey::hs256(&[7; 32])?; // of random bytes, in earnest
/// let draft = Draft::new()
///     .with_subject("alice")
///     .with_issued_at(Timestamp::from_millis(1_700_000_000_000))
///     .with_expiry(Timestamp::from_millis(1_700_000_060_000))
///     .with_token_id("3f0c…") // for a token that serves once
///     .with_text("room", "lobby");
/// assert_eq!(key.mint(&draft).expose().split('.').count(), 3);
/// # Ok::<(), auth_core::jwt::WeakKey>(())
/// ```
#[derive(Clone, Default)]
pub struct Draft {
    token_type: Option<String>,
    /// The public key that stands in the header, as JSON.
    header_key: Option<String>,
    /// Names, and values as JSON.
    claims: Vec<(Cow<'static, str>, String)>,
}

impl Draft {
    /// A token without claims.
    #[must_use]
    pub const fn new() -> Self {
        Self { token_type: None, header_key: None, claims: Vec::new() }
    }

    /// Sets `typ` in the header, `JWT` by default; `at+jwt` for an access token of RFC 9068.
    #[must_use]
    pub fn with_type(self, token_type: impl Into<String>) -> Self {
        Self { token_type: Some(token_type.into()), ..self }
    }

    /// Puts the public key of the signer into the header (`jwk`), as a DPoP proof has it (RFC 9449 §4.2). A verifier of any
    /// other token must ignore it. The key needs no name then, so `kid` is left out.
    #[must_use]
    pub fn with_header_key(self, key: &PublicKey) -> Self {
        Self { header_key: Some(key.to_jwk()), ..self }
    }

    /// Sets who issues the token (`iss`).
    #[must_use]
    pub fn with_issuer(self, issuer: &str) -> Self {
        self.with_text("iss", issuer)
    }

    /// Sets whom the token speaks of (`sub`).
    #[must_use]
    pub fn with_subject(self, subject: &str) -> Self {
        self.with_text("sub", subject)
    }

    /// Sets whom the token is meant for (`aud`), as one string.
    #[must_use]
    pub fn with_audience(self, audience: &str) -> Self {
        self.with_text("aud", audience)
    }

    /// Sets the OAuth client that the token is issued to (`client_id`).
    #[must_use]
    pub fn with_client_id(self, client_id: &str) -> Self {
        self.with_text("client_id", client_id)
    }

    /// Sets the scopes granted (`scope`), as a space-delimited string.
    #[must_use]
    pub fn with_scope(self, scope: &Scopes) -> Self {
        let scope = scope.to_string();
        self.with_text("scope", &scope)
    }

    /// Sets when the token is issued (`iat`), in whole seconds, rounded down.
    #[must_use]
    pub fn with_issued_at(self, issued_at: Timestamp) -> Self {
        self.with_seconds("iat", issued_at.as_secs())
    }

    /// Sets before when the token must be refused (`nbf`), in whole seconds, rounded down.
    #[must_use]
    pub fn with_not_before(self, not_before: Timestamp) -> Self {
        self.with_seconds("nbf", not_before.as_secs())
    }

    /// Sets from when on the token must be refused (`exp`), in whole seconds, rounded down.
    #[must_use]
    pub fn with_expiry(self, expires: Timestamp) -> Self {
        self.with_seconds("exp", expires.as_secs())
    }

    /// Sets `iat`, and `exp` this much later, rounded up to a whole second: the token never dies earlier than its holder was
    /// told.
    #[must_use]
    pub fn with_lifetime(self, issued_at: Timestamp, lifetime: Duration) -> Self {
        let expires = issued_at.saturating_add(lifetime).as_millis().div_ceil(1_000);
        self.with_issued_at(issued_at).with_seconds("exp", expires)
    }

    /// Sets the token's own name (`jti`). A token that serves once needs one, unguessable and never used before.
    #[must_use]
    pub fn with_token_id(self, token_id: &str) -> Self {
        self.with_text("jti", token_id)
    }

    /// Sets a claim of any name to a string.
    #[must_use]
    pub fn with_text(self, name: impl Into<Cow<'static, str>>, text: &str) -> Self {
        self.with_json(name.into(), quoted(text))
    }

    /// Sets a claim of any name to an array of strings.
    #[must_use]
    pub fn with_texts(
        self,
        name: impl Into<Cow<'static, str>>,
        texts: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        let texts: Vec<_> = texts.into_iter().map(|text| quoted(text.as_ref())).collect();
        self.with_json(name.into(), alloc::format!("[{}]", texts.join(",")))
    }

    /// Sets a claim of any name to null, for whoever wants it to be there all the same.
    #[must_use]
    pub fn with_null(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with_json(name.into(), String::from("null"))
    }

    fn with_seconds(self, name: &'static str, seconds: u64) -> Self {
        self.with_json(Cow::Borrowed(name), seconds.to_string())
    }

    fn with_json(mut self, name: Cow<'static, str>, json: String) -> Self {
        match self.claims.iter_mut().find(|(set, _)| *set == name) {
            Some((_, value)) => *value = json,
            None => self.claims.push((name, json)),
        }
        self
    }

    pub(super) fn header(&self, algorithm: Algorithm, key_id: Option<&str>) -> String {
        let token_type = self.token_type.as_deref().unwrap_or("JWT");
        let mut members = alloc::vec![("typ", quoted(token_type)), ("alg", quoted(algorithm.name()))];
        match &self.header_key {
            Some(key) => members.push(("jwk", key.clone())),
            None => members.extend(key_id.map(|key_id| ("kid", quoted(key_id)))),
        }
        object(members.iter().map(|(name, json)| (*name, json.as_str())))
    }

    /// The claims as they will be signed: a JSON object.
    #[must_use]
    pub fn payload(&self) -> String {
        object(self.claims.iter().map(|(name, json)| (&**name, json.as_str())))
    }
}

impl fmt::Debug for Draft {
    /// Names the claims, and leaves out what they say.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.claims.iter().map(|(name, _)| name)).finish()
    }
}

fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("{");
    for (index, (name, json)) in members.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(json);
    }
    text.push('}');
    text
}

/// A text as a JSON string. A string always serializes.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
