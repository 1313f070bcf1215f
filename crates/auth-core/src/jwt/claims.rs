//! The claims of a token (RFC 7519 §4), read strictly: the registered ones have their types, the others are at hand.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Rejection;
use super::compact::{Segments, decode};
use crate::capability::Capability;
use crate::json::strict::{Document, Value, strings};
use crate::scope::{InvalidScope, Scopes};
use crate::time::Timestamp;

/// The claims of a token. Each claim that is present has the type that its specification gives it: reading fails
/// otherwise.
///
/// Times are whole milliseconds here; on the wire they are seconds since the Unix epoch, as an integer or a fraction, which
/// is rounded down.
#[derive(Debug, Clone)]
pub struct Claims {
    document: Document,
    expires: Option<Timestamp>,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    audience: Vec<String>,
    scope: Option<Scopes>,
}

impl Claims {
    pub(super) fn read(segments: &Segments<'_>) -> Result<Self, Rejection> {
        if segments.payload.is_empty() {
            return Err(Rejection::EmptySegment);
        }
        Self::parse(decode(segments.payload)?)
    }

    fn parse(payload: Vec<u8>) -> Result<Self, Rejection> {
        let mut claims = Self {
            document: Document::parse(payload).map_err(Rejection::of_payload)?,
            expires: None,
            not_before: None,
            issued_at: None,
            audience: Vec::new(),
            scope: None,
        };
        let (mut expires, mut not_before, mut issued_at) = (None, None, None);
        let (mut audience, mut scope) = (Vec::new(), None);
        for (name, value) in claims.document.members() {
            match name {
                "exp" => expires = Some(time(value, Rejection::ExpiryInvalid)?),
                "nbf" => not_before = Some(time(value, Rejection::NotBeforeInvalid)?),
                "iat" => issued_at = Some(time(value, Rejection::IssuedAtInvalid)?),
                "aud" => audience = audience_of(value)?,
                "iss" => text(value, Rejection::IssuerInvalid)?,
                "sub" | "client_id" => text(value, Rejection::SubjectInvalid)?,
                "jti" => text(value, Rejection::TokenIdInvalid)?,
                // `scp` is what some issuers call it; the registered name wins.
                "scope" => scope = Some(scope_of(value)?),
                "scp" if scope.is_none() && claims.document.get("scope").is_none() => {
                    scope = Some(scope_of(value)?)
                }
                _ => {}
            }
        }
        (claims.expires, claims.not_before, claims.issued_at) = (expires, not_before, issued_at);
        (claims.audience, claims.scope) = (audience, scope);
        Ok(claims)
    }

    /// Who issued the token (`iss`).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// Whom the token speaks of (`sub`).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Whom the token is meant for (`aud`); empty when it does not say.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.iter().map(String::as_str)
    }

    /// The OAuth client that the token was issued to (`client_id`, RFC 9068 §2.2).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    /// The token's own name, unique at its issuer (`jti`).
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// The scopes granted: `scope`, else `scp`, a space-delimited string or an array.
    #[must_use]
    pub const fn scope(&self) -> Option<&Scopes> {
        self.scope.as_ref()
    }

    /// From when on the token must be refused (`exp`).
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Before when the token must be refused (`nbf`).
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// When the token was issued (`iat`).
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// The lifetime that the token states itself: from `iat` to `exp`.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        Some(self.expires?.saturating_since(self.issued_at?))
    }

    /// The capability of an Ably JWT (`x-ably-capability`); `None` means that of its key.
    ///
    /// # Errors
    ///
    /// [`Rejection::CapabilityInvalid`] when it is there and can't be read.
    pub fn capability(&self) -> Result<Option<Capability>, Rejection> {
        match self.document.get("x-ably-capability") {
            None => Ok(None),
            Some(Value::Text(text)) => text.parse().map(Some).map_err(|_| Rejection::CapabilityInvalid),
            Some(_) => Err(Rejection::CapabilityInvalid),
        }
    }

    /// A claim of any name that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.document.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All claims, as the JSON object that was signed: well-formed, and without two members of one name.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.document.as_str()
    }
}

fn text(value: Value<'_>, otherwise: Rejection) -> Result<(), Rejection> {
    if let Value::Text(_) = value { Ok(()) } else { Err(otherwise) }
}

/// A `NumericDate` (RFC 7519 §2).
fn time(value: Value<'_>, otherwise: Rejection) -> Result<Timestamp, Rejection> {
    /// 9999-12-31T23:59:59Z: what is later is an attack or a mistake, such as milliseconds for seconds.
    const LATEST: u64 = 253_402_300_799;
    let Value::Number(number) = value else { return Err(otherwise) };
    if let Ok(seconds) = number.parse::<u64>() {
        return if seconds <= LATEST {
            Ok(Timestamp::from_millis(seconds * 1_000))
        } else {
            Err(Rejection::TimeRange)
        };
    }
    let seconds = number.parse::<f64>().map_err(|_| otherwise)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(since_epoch) if since_epoch.as_secs() <= LATEST => Ok(Timestamp::since_epoch(since_epoch)),
        _ => Err(Rejection::TimeRange),
    }
}

fn audience_of(value: Value<'_>) -> Result<Vec<String>, Rejection> {
    let audience = match value {
        Value::Text(text) => alloc::vec![String::from(text)],
        Value::Array(array) => strings(array).ok_or(Rejection::AudienceInvalid)?,
        _ => return Err(Rejection::AudienceInvalid),
    };
    if audience.is_empty() || audience.iter().any(String::is_empty) {
        return Err(Rejection::AudienceInvalid);
    }
    Ok(audience)
}

fn scope_of(value: Value<'_>) -> Result<Scopes, Rejection> {
    let scopes = match value {
        Value::Text(text) => text.parse(),
        Value::Array(array) => Scopes::of(strings(array).ok_or(Rejection::ScopeInvalid)?),
        _ => return Err(Rejection::ScopeInvalid),
    };
    scopes.map_err(|error| match error {
        InvalidScope::TooMany => Rejection::TooManyScopes,
        InvalidScope::Grammar => Rejection::ScopeInvalid,
    })
}
