//! The scope check of a token, with the record of it that an audit wants.

use serde::{Serialize, Serializer};

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
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditPayload {
    /// When it was checked; serializes as RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub timestamp: Timestamp,
    /// Always `scope_validation`.
    pub action: &'static str,
    /// `allowed`, `denied`, or `error` when the token could not be read: then nothing of what follows is known.
    pub result: ScopeVerdict,
    /// `invalid_token_structure` when the token could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// The scopes required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Scopes>,
    /// The scopes granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<Scopes>,
    /// The scopes missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Scopes>,
    /// The OAuth client, as the token says; `unknown` when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Label>,
}

impl AuditPayload {
    const fn new(timestamp: Timestamp, result: ScopeVerdict) -> Self {
        Self {
            timestamp,
            action: ACTION,
            result,
            error: None,
            required: None,
            granted: None,
            missing: None,
            client_id: None,
        }
    }
}

fn as_text<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(timestamp)
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
            audit_payload: AuditPayload {
                error: Some("invalid_token_structure"),
                ..AuditPayload::new(at, ScopeVerdict::Error)
            },
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
        audit_payload: AuditPayload {
            required: Some(required.clone()),
            granted: Some(granted.clone()),
            missing: Some(missing.clone()),
            client_id: Some(Label::new(client_id.filter(|name| !name.is_empty()).unwrap_or("unknown"))),
            ..AuditPayload::new(at, if is_valid { ScopeVerdict::Allowed } else { ScopeVerdict::Denied })
        },
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
