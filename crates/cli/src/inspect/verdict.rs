//! Whether a signature is good: `{"signature":"valid"}`, or why it is not.

use auth_core::jwt::{self, InvalidKey, KeySet};
use serde_json::{Value, json};

/// A verdict on a signature. Wrong keys and wrong tokens are told apart by their reasons.
pub(super) struct Verdict {
    reason: Option<String>,
}

impl Verdict {
    /// The verdict on a compact JWS under keys, which may have been refused themselves.
    pub(super) fn of(token: &str, keys: Result<KeySet, InvalidKey>) -> Self {
        let reason = match keys {
            Ok(keys) => {
                let rejection = jwt::verify_signature(token, &keys).err();
                rejection.map(|rejection| rejection.name().to_owned())
            }
            Err(invalid) => Some(format!("key_{}", invalid.name())),
        };
        Self { reason }
    }

    /// The verdict on a line that is no question.
    pub(super) fn malformed_line() -> Self {
        Self { reason: Some("malformed_line".to_owned()) }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.reason.is_none()
    }

    pub(super) fn signature(&self) -> &'static str {
        if self.is_valid() { "valid" } else { "invalid" }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.reason {
            None => json!({ "signature": "valid" }),
            Some(reason) => json!({ "signature": "invalid", "reason": reason }),
        }
    }
}
