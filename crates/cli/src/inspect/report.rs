//! What `rtauth inspect` found, as one JSON object.

use auth_core::jwt::{Claims, Rejection, read_header};
use auth_core::scope::{self, Scopes};
use auth_core::time::{Now, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::verdict::Verdict;

/// The findings, in the order in which they are told.
#[derive(Default)]
pub(super) struct Report {
    members: Map<String, Value>,
    refused: bool,
}

/// An operation that was asked for.
#[derive(Serialize)]
pub(super) struct Needed {
    pub(super) channel: String,
    pub(super) operation: &'static str,
    pub(super) permitted: bool,
}

impl Report {
    /// Tells what the token holds, and whether its times are right now.
    pub(super) fn token(&mut self, token: &str, claims: &Claims, now: Now) {
        let object = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let header = read_header(token).map(|header| object(&header.into_inner())).unwrap_or_default();
        self.members.insert("header".to_owned(), header);
        self.members.insert("claims".to_owned(), object(claims.as_json()));
        self.members.insert("validity".to_owned(), validity(claims, now.wall));
        self.members.entry("signature").or_insert_with(|| "unchecked".into());
    }

    /// Tells why the token can't be read.
    pub(super) fn unreadable(&mut self, rejection: Rejection) {
        self.members.insert("error".to_owned(), rejection.name().into());
    }

    /// Tells whether the signature is good.
    pub(super) fn signature(&mut self, verdict: &Verdict) {
        self.refused |= !verdict.is_valid();
        self.extend(verdict.to_json());
    }

    /// Tells whether the required scopes are granted.
    pub(super) fn scopes(&mut self, token: &str, required: &Scopes, at: Timestamp) {
        let validation = scope::validate_token(token, required, at);
        self.refused |= !validation.is_valid;
        self.extend(serde_json::to_value(validation).unwrap_or_default());
    }

    /// Tells which operations are permitted.
    pub(super) fn needs(&mut self, needs: impl Iterator<Item = Needed>) {
        let needs: Vec<Needed> = needs.collect();
        self.refused |= needs.iter().any(|need| !need.permitted);
        self.members.insert("needs".to_owned(), json!(needs));
    }

    pub(super) fn says_nothing(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// The object, in one line or indented.
    pub(super) fn render(&self, one_line: bool) -> String {
        let value = Value::Object(self.members.clone());
        if one_line { value.to_string() } else { format!("{value:#}") }
    }

    fn extend(&mut self, value: Value) {
        if let Value::Object(members) = value {
            self.members.extend(members);
        }
    }
}

/// The state of the token's times, in the words of its claims; times in milliseconds since the Unix epoch.
fn validity(claims: &Claims, now: Timestamp) -> Value {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
    let state = match (claims.expires(), claims.not_before()) {
        (Some(expires), _) if expires <= now => "expired",
        (_, Some(not_before)) if not_before > now => "not_yet_valid",
        (None, _) => "never_expires",
        (Some(_), _) => "valid",
    };
    let left = claims.expires().map(|expires| expires.saturating_since(now).as_millis() as u64);
    json!({
        "state": state,
        "issued": millis(claims.issued_at()),
        "notBefore": millis(claims.not_before()),
        "expires": millis(claims.expires()),
        "expiresInMs": left,
    })
}
