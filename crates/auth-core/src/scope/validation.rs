//! The scope check of a token, with the record of it that an audit wants.

use alloc::string::{String, ToString as _};

use serde::Serialize;

use super::Scopes;
use crate::jwt::{self, Claims};
use crate::observe::{Label, ScopeVerdict};
use crate::time::Timestamp;

/// The outcome of a scope check, in the shape that the Genesys document gives it: serializes with `isValid`,
/// `missingScopes`, `grantedScopes` and `auditPayload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ScopeValidation {
    /// Whether nothing is missing.
    pub is_valid: bool,
    /// The required scopes that are not granted.
    pub missing_scopes: Scopes,
    /// All scopes that are granted.
    pub granted_scopes: Scopes,
    /// What to record.
    pub audit_payload: AuditPayload,
}

/// The record of a scope check. Holds no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "a token can be read or not")]
pub enum AuditPayload {
    /// The token could be read.
    Checked(CheckedPayload),
    /// The token could not be read, so that nothing is granted.
    Unreadable(UnreadablePayload),
}

/// The record of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckedPayload {
    /// When it was checked, in RFC 3339.
    pub timestamp: String,
    /// Always `scope_validation`.
    pub action: &'static str,
    /// `allowed` or `denied`.
    pub result: ScopeVerdict,
    /// The scopes required.
    pub required: Scopes,
    /// The scopes granted.
    pub granted: Scopes,
    /// The scopes missing.
    pub missing: Scopes,
    /// The OAuth client, as the token says; `unknown` when it does not.
    #[serde(rename = "clientId")]
    pub client_id: Label,
}

/// The record of a token that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnreadablePayload {
    /// When it was tried, in RFC 3339.
    pub timestamp: String,
    /// Always `scope_validation`.
    pub action: &'static str,
    /// Always `error`.
    pub result: ScopeVerdict,
    /// Always `invalid_token_structure`.
    pub error: &'static str,
}

const ACTION: &str = "scope_validation";

/// Compares the scopes of a token with the required ones. `at` is the time of the check, for the record.
///
/// The token is read, not verified: this is for deciding before a connection is made whether it can succeed. A server
/// decides with [`validate`] over verified claims.
///
/// ```
/// use auth_core::jwt::{Draft, HmacKey};
/// use auth_core::scope::validate_token;
/// use auth_core::time::Timestamp;
///
/// let draft = Draft::new().with_client_id("abc123").with_scope(&"conversation:read user:read".parse()?);
/// let token = HmacKey::hs256(&[7; 32])?.mint(&draft);
/// let required = "conversation:read analytics:read".parse()?;
/// let validation = validate_token(token.expose(), &required, Timestamp::from_millis(0));
/// assert!(!validation.is_valid);
/// assert_eq!(validation.missing_scopes.to_string(), "analytics:read");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn validate_token(token: &str, required: &Scopes, at: Timestamp) -> ScopeValidation {
    match jwt::read(token) {
        Ok(unverified) => validate_claims(unverified.claims(), required, at),
        Err(_) => ScopeValidation {
            is_valid: false,
            missing_scopes: required.clone(),
            granted_scopes: Scopes::default(),
            audit_payload: AuditPayload::Unreadable(UnreadablePayload {
                timestamp: at.to_string(),
                action: ACTION,
                result: ScopeVerdict::Error,
                error: "invalid_token_structure",
            }),
        },
    }
}

/// Compares the scopes of a token's claims with the required ones.
#[must_use]
pub fn validate_claims(claims: &Claims, required: &Scopes, at: Timestamp) -> ScopeValidation {
    let granted = claims.scope().unwrap_or_default();
    validate(granted, claims.client_id(), required, at)
}

/// Compares scopes that are known to be granted with the required ones. An empty `required` is always satisfied.
#[must_use]
pub fn validate(
    granted: Scopes,
    client_id: Option<&str>,
    required: &Scopes,
    at: Timestamp,
) -> ScopeValidation {
    let missing = granted.missing(required);
    let is_valid = missing.is_empty();
    ScopeValidation {
        is_valid,
        audit_payload: AuditPayload::Checked(CheckedPayload {
            timestamp: at.to_string(),
            action: ACTION,
            result: if is_valid { ScopeVerdict::Allowed } else { ScopeVerdict::Denied },
            required: required.clone(),
            granted: granted.clone(),
            missing: missing.clone(),
            client_id: Label::new(client_id.filter(|name| !name.is_empty()).unwrap_or("unknown")),
        }),
        missing_scopes: missing,
        granted_scopes: granted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jwt::{Draft, HmacKey};

    /// 2024-05-15T10:30:00.000Z, as in the document.
    const AT: Timestamp = Timestamp::from_millis(1_715_769_000_000);

    fn token(draft: &Draft) -> crate::Secret {
        HmacKey::hs256(&[7; 32]).unwrap().mint(draft)
    }

    fn validated(token: &str, required: &str) -> Value {
        serde_json::to_value(validate_token(token, &required.parse().unwrap(), AT)).unwrap()
    }

    #[test]
    fn the_genesys_documents_example_is_allowed_in_its_own_shape() {
        let scope = "conversation:read user:read analytics:read".parse().unwrap();
        let token = token(&Draft::new().with_client_id("abc123-def456").with_scope(&scope));
        let expected = json!({
            "isValid": true,
            "missingScopes": [],
            "grantedScopes": ["conversation:read", "user:read", "analytics:read"],
            "auditPayload": {
                "timestamp": "2024-05-15T10:30:00.000Z",
                "action": "scope_validation",
                "result": "allowed",
                "required": ["conversation:read"],
                "granted": ["conversation:read", "user:read", "analytics:read"],
                "missing": [],
                "clientId": "abc123-def456",
            },
        });
        assert_eq!(validated(token.expose(), "conversation:read"), expected);
    }

    #[test]
    fn a_missing_scope_is_denied_and_named() {
        let token = token(&Draft::new().with_scope(&"user:read".parse().unwrap()));
        let verdict = validated(token.expose(), "conversation:read user:read");
        assert_eq!(verdict["isValid"], false);
        assert_eq!(verdict["missingScopes"], json!(["conversation:read"]));
        assert_eq!(verdict["auditPayload"]["result"], "denied");
        assert_eq!(verdict["auditPayload"]["clientId"], "unknown");
    }

    #[test]
    fn a_token_without_scopes_grants_none() {
        let verdict = validated(token(&Draft::new()).expose(), "a");
        assert_eq!((&verdict["isValid"], &verdict["grantedScopes"]), (&json!(false), &json!([])));
        assert_eq!(validated(token(&Draft::new()).expose(), "")["isValid"], true);
    }

    #[test]
    fn a_token_that_cannot_be_read_is_an_error_and_lacks_everything() {
        for unreadable in ["", "opaque", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.W10.AAAA"] {
            let expected = json!({
                "isValid": false,
                "missingScopes": ["a", "b"],
                "grantedScopes": [],
                "auditPayload": {
                    "timestamp": "2024-05-15T10:30:00.000Z",
                    "action": "scope_validation",
                    "result": "error",
                    "error": "invalid_token_structure",
                },
            });
            assert_eq!(validated(unreadable, "a b"), expected, "{unreadable}");
        }
    }

    #[test]
    fn a_client_id_cannot_forge_a_record() {
        let token = token(&Draft::new().with_client_id("a\nforged"));
        assert_eq!(validated(token.expose(), "")["auditPayload"]["clientId"], "a\u{fffd}forged");
    }
}
