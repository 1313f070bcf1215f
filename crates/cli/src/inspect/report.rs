//! What `rtauth inspect` found, as one JSON object.

use auth_core::capability::{Capability, Operation};
use auth_core::jwt::{Claims, Rejection, read_header};
use auth_core::scope::{self, AuditPayload, Scopes};
use auth_core::time::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::verdict::Verdict;
use crate::exit::Failure;

/// The findings; what was not asked for is left out.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Why the token can't be read, or what was asked for can't be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// As written: a number must not be rounded on its way to the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validity: Option<Validity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_scopes: Option<Scopes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_scopes: Option<Scopes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_payload: Option<AuditPayload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<Vec<Needed>>,
    #[serde(skip)]
    refused: bool,
}

/// An operation that was asked for.
#[derive(Serialize)]
struct Needed {
    channel: String,
    operation: &'static str,
    permitted: bool,
}

/// Whether the times of a token are right now; times in milliseconds since the Unix epoch.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Validity {
    state: &'static str,
    issued: Option<u64>,
    not_before: Option<u64>,
    expires: Option<u64>,
    expires_in_ms: Option<u64>,
}

impl Report {
    /// Tells what the token holds, and whether its times are right at `at`.
    pub(super) fn token(&mut self, token: &str, claims: &Claims, at: Timestamp) {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).ok();
        self.header = read_header(token).ok().and_then(|header| raw(&header.into_inner()));
        self.claims = raw(claims.as_json());
        self.validity = Some(Validity::of(claims, at));
        self.signature.get_or_insert("unchecked");
    }

    /// Tells why the token can't be read.
    pub(super) fn unreadable(&mut self, rejection: Rejection) {
        self.error = Some(rejection.name());
    }

    /// Tells whether the signature is good.
    pub(super) fn signature(&mut self, verdict: &Verdict) {
        self.refused |= !verdict.is_valid();
        self.signature = Some(verdict.signature());
        self.reason = verdict.reason().map(str::to_owned);
    }

    /// Tells whether the required scopes are granted.
    pub(super) fn scopes(&mut self, token: &str, required: &Scopes, at: Timestamp) {
        let validation = scope::validate_token(token, required, at);
        self.refused |= !validation.is_valid;
        self.is_valid = Some(validation.is_valid);
        self.missing_scopes = Some(validation.missing_scopes);
        self.granted_scopes = Some(validation.granted_scopes);
        self.audit_payload = Some(validation.audit_payload);
    }

    /// Tells which operations are permitted. Without a capability none is: nobody knows what the token's key allows.
    pub(super) fn needs(&mut self, capability: Option<&Capability>, needs: Vec<(String, Operation)>) {
        if capability.is_none() && self.error.is_none() {
            self.error = Some("no_capability");
        }
        let needs = needs.into_iter().map(|(channel, operation)| Needed {
            permitted: capability.is_some_and(|capability| capability.permits(&channel, operation)),
            channel,
            operation: operation.as_str(),
        });
        let needs: Vec<Needed> = needs.collect();
        self.refused |= needs.iter().any(|need| !need.permitted);
        self.needs = Some(needs);
    }

    /// Whether there is an answer to tell even of a token that can't be read.
    pub(super) fn has_verdict(&self) -> bool {
        self.signature.is_some() || self.is_valid.is_some()
    }

    /// The object, in one line or indented.
    pub(super) fn render(&self, one_line: bool) -> String {
        let rendered =
            if one_line { serde_json::to_string(self) } else { serde_json::to_string_pretty(self) };
        rendered.unwrap_or_default()
    }

    /// How the command ends.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        if self.refused { Err(Failure::Refused) } else { Ok(()) }
    }
}

impl Validity {
    fn of(claims: &Claims, at: Timestamp) -> Self {
        let state = match (claims.expires(), claims.not_before()) {
            (Some(expires), _) if expires <= at => "expired",
            (_, Some(not_before)) if not_before > at => "not_yet_valid",
            (None, _) => "never_expires",
            (Some(_), _) => "valid",
        };
        let left = claims.expires().map(|expires| expires.saturating_since(at));
        Self {
            state,
            issued: claims.issued_at().map(Timestamp::as_millis),
            not_before: claims.not_before().map(Timestamp::as_millis),
            expires: claims.expires().map(Timestamp::as_millis),
            expires_in_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
