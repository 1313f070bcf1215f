//! The claims of a token (RFC 7519 §4), read strictly: the registered ones have their types, the others are at hand.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Rejection;
use super::compact::{Segments, decode};
use crate::json::strict::{Document, Value, strings};
use crate::scope::{InvalidScope, Scopes};
use crate::time::Timestamp;

/// The claims of a token. Each registered claim that is present has the type that its specification gives it: reading
/// fails otherwise.
///
/// Times are whole milliseconds here; on the wire they are seconds since the Unix epoch, as an integer or a fraction, which
/// is rounded down.
#[derive(Debug, Clone)]
pub struct Claims {
    document: Document,
    expires: Option<Timestamp>,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    places: Places,
}

/// Where in the document the claims are that every verifier looks at.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    issuer: Option<usize>,
    subject: Option<usize>,
    audience: Option<usize>,
    client_id: Option<usize>,
    token_id: Option<usize>,
}

impl Claims {
    pub(super) fn read(segments: &Segments<'_>) -> Result<Self, Rejection> {
        let document = Document::parse(decode(segments.payload)?).map_err(Rejection::of_payload)?;
        let (mut expires, mut not_before, mut issued_at) = (None, None, None);
        let mut places = Places::default();
        for (index, (name, value)) in document.members().enumerate() {
            match name {
                "exp" => expires = Some(time(value, Rejection::ExpiryInvalid)?),
                "nbf" => not_before = Some(time(value, Rejection::NotBeforeInvalid)?),
                "iat" => issued_at = Some(time(value, Rejection::IssuedAtInvalid)?),
                "aud" => {
                    check_audience(value)?;
                    places.audience = Some(index);
                }
                "iss" => places.issuer = Some(place_of_text(index, value, Rejection::IssuerInvalid)?),
                "sub" => places.subject = Some(place_of_text(index, value, Rejection::SubjectInvalid)?),
                "client_id" => {
                    places.client_id = Some(place_of_text(index, value, Rejection::SubjectInvalid)?)
                }
                "jti" => places.token_id = Some(place_of_text(index, value, Rejection::TokenIdInvalid)?),
                "scope" | "scp" => check_scope(value)?,
                _ => {}
            }
        }
        Ok(Self { document, expires, not_before, issued_at, places })
    }

    /// Who issued the token (`iss`).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text_at(self.places.issuer)
    }

    /// Whom the token speaks of (`sub`).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text_at(self.places.subject)
    }

    /// Whom the token is meant for (`aud`); empty when it does not say.
    #[must_use]
    pub fn audience(&self) -> Vec<String> {
        match self.places.audience.and_then(|index| self.document.at(index)) {
            Some(Value::Text(text)) => alloc::vec![String::from(text)],
            Some(Value::Array(array)) => strings(array).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Whether the token says for whom it is meant.
    #[must_use]
    pub const fn has_audience(&self) -> bool {
        self.places.audience.is_some()
    }

    /// Whether the token is meant for `audience`, to the letter; `None` when it does not say for whom.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> Option<bool> {
        match self.document.at(self.places.audience?)? {
            Value::Text(text) => Some(text == audience),
            _ => Some(self.audience().iter().any(|one| one == audience)),
        }
    }

    /// The OAuth client that the token was issued to (`client_id`, RFC 9068 §2.2).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text_at(self.places.client_id)
    }

    /// The token's own name, unique at its issuer (`jti`).
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text_at(self.places.token_id)
    }

    /// The scopes granted: `scope`, else `scp` as some issuers call it; a space-delimited string or an array.
    #[must_use]
    pub fn scope(&self) -> Option<Scopes> {
        match self.document.get("scope").or_else(|| self.document.get("scp"))? {
            Value::Text(text) => text.parse().ok(),
            Value::Array(array) => Scopes::of(strings(array)?).ok(),
            _ => None,
        }
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

    /// Whether there is a claim of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.document.get(name).is_some()
    }

    /// A claim of any name that is a string; `None` when it is absent or something else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.text(name)
    }

    fn text_at(&self, index: Option<usize>) -> Option<&str> {
        self.document.at(index?).and_then(Value::as_text)
    }

    /// All claims, as the JSON object that was signed: well-formed, and without two members of one name.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.document.as_str()
    }
}

fn place_of_text(index: usize, value: Value<'_>, otherwise: Rejection) -> Result<usize, Rejection> {
    if let Value::Text(_) = value { Ok(index) } else { Err(otherwise) }
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

fn check_audience(value: Value<'_>) -> Result<(), Rejection> {
    let usable = match value {
        Value::Text(text) => !text.is_empty(),
        Value::Array(array) => {
            strings(array).is_some_and(|names| !names.is_empty() && !names.iter().any(String::is_empty))
        }
        _ => false,
    };
    if usable { Ok(()) } else { Err(Rejection::AudienceInvalid) }
}

fn check_scope(value: Value<'_>) -> Result<(), Rejection> {
    let checked = match value {
        Value::Text(text) => Scopes::check(text),
        Value::Array(array) => Scopes::of(strings(array).ok_or(Rejection::ScopeInvalid)?).map(|_| ()),
        _ => return Err(Rejection::ScopeInvalid),
    };
    checked.map_err(|error| match error {
        InvalidScope::TooMany => Rejection::TooManyScopes,
        InvalidScope::Grammar => Rejection::ScopeInvalid,
    })
}
