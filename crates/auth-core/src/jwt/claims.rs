//! The claims that this workspace reads and writes; others are ignored.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scope::Scopes;
use crate::time::Timestamp;

/// The registered claims of RFC 7519 §4.1 and RFC 9068 §2.2 that decide about access.
///
/// Times are in whole seconds since the Unix epoch on the wire, as minted here; a fraction is accepted when
/// read, and rounded down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    /// Who issued the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Whom the token speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The OAuth client that the token was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The scopes granted, as a space-delimited string or an array.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub scope: Option<Scopes>,
    /// When the token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "numeric_date")]
    pub iat: Option<Timestamp>,
    /// Before which the token must be refused.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "numeric_date")]
    pub nbf: Option<Timestamp>,
    /// From which on the token must be refused.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "numeric_date")]
    pub exp: Option<Timestamp>,
    /// The token's own name, unique at its issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

impl Claims {
    /// The lifetime that the token states itself: from `iat` to `exp`.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        Some(self.exp?.saturating_since(self.iat?))
    }
}

fn as_text<S: Serializer>(scopes: &Option<Scopes>, serializer: S) -> Result<S::Ok, S::Error> {
    match scopes {
        Some(scopes) => serializer.collect_str(scopes),
        None => serializer.serialize_none(),
    }
}

/// A `NumericDate` (RFC 7519 §2): seconds since the Unix epoch, as an integer or a finite fraction.
mod numeric_date {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        date: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => serializer.serialize_u64(date.as_secs()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        deserializer.deserialize_any(DateVisitor).map(Some)
    }

    struct DateVisitor;

    impl Visitor<'_> for DateVisitor {
        type Value = Timestamp;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("seconds since the Unix epoch")
        }

        fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
            let millis = seconds.checked_mul(1_000).ok_or_else(|| E::custom("beyond the end of time"))?;
            Ok(Timestamp::from_millis(millis))
        }

        fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
            let since_epoch = Duration::try_from_secs_f64(seconds).map_err(E::custom)?;
            self.visit_u64(since_epoch.as_secs())
        }
    }
}
