//! What should come of each case.

use serde_json::{Value, json};

/// A case that both libraries run, or one of them.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    /// Whether it can only come out so with the right secret in the key.
    pub(super) stands_on_the_key: bool,
    /// The library that runs it; both if none is named.
    only: Option<&'static str>,
}

/// What should come of a case.
#[derive(Debug)]
pub(super) enum Expected {
    /// It succeeds, and tells this.
    Tells(Value),
    /// The server refuses it with this number, this status, and words in which these are.
    Refuses(u32, u16, &'static str),
}

impl Expected {
    pub(super) fn matches(&self, came: &Value) -> bool {
        match self {
            Self::Tells(value) => came["ok"] == *value,
            Self::Refuses(code, status, words) => {
                let text = came["text"].as_str().unwrap_or_default();
                came["code"] == *code && came["status"] == *status && text.contains(words)
            }
        }
    }
}

impl Case {
    fn told(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, expected: Expected::Tells(value.into()), stands_on_the_key: true, only: None }
    }

    fn published(name: &'static str) -> Self {
        Self::told(name, "published")
    }

    fn refused(name: &'static str, code: u32, status: u16, words: &'static str) -> Self {
        let expected = Expected::Refuses(code, status, words);
        Self { name, expected, stands_on_the_key: true, only: None }
    }

    /// The same case, which comes out the same with a wrong secret.
    fn without_the_key(self) -> Self {
        Self { stands_on_the_key: false, ..self }
    }

    fn only(self, library: &'static str) -> Self {
        Self { only: Some(library), ..self }
    }
}

const JS: &str = "ably-js";
const PYTHON: &str = "ably-python";

/// The cases that a library runs.
pub(super) fn cases(peer: &str) -> Vec<Case> {
    let mut cases = getting_tokens();
    cases.extend(refused_requests());
    cases.extend(using_tokens());
    cases.extend(using_jwts());
    cases.extend(with_the_key());
    cases.extend(expiry_and_revocation());
    cases.retain(|case| case.only.is_none_or(|only| only == peer));
    cases
}

/// What the key of the cases may do.
const HELD: &str = r#"{"chat:*":["*"],"news":["subscribe"]}"#;

fn token(lifetime: u64, capability: &str, client_id: Option<&str>) -> Value {
    json!({ "app": "appid1", "lifetime": lifetime, "capability": capability, "clientId": client_id })
}

fn getting_tokens() -> Vec<Case> {
    let alice = token(60_000, r#"{"chat:lobby":["presence","publish"]}"#, Some("alice"));
    let odd = token(3_600_000, r#"{"chat:é ☃":["publish"]}"#, Some("zoë ☃"));
    vec![
        Case::told("the_time", true).without_the_key(),
        Case::told("exchange", alice),
        Case::told("exchange_of_nothing_in_particular", token(3_600_000, HELD, None)),
        Case::told("exchange_with_the_servers_time", token(5_000, HELD, None)),
        Case::told("exchange_of_odd_names", odd),
        Case::told("authorize", token(3_600_000, HELD, Some("*"))),
        Case::published("request_by_callback"),
        Case::published("details_by_callback"),
        Case::told("request_by_url", token(3_600_000, HELD, Some("alice"))),
        Case::published("token_by_url").only(JS),
        Case::published("token_of_ones_own_key").only(PYTHON),
    ]
}

fn refused_requests() -> Vec<Case> {
    const MAC: &str = "MAC does not verify";
    vec![
        Case::refused("wrong_mac", 40_101, 401, MAC).without_the_key(),
        Case::refused("forged_mac", 40_101, 401, MAC).without_the_key(),
        Case::refused("changed_after_signing", 40_101, 401, MAC).without_the_key(),
        Case::refused("old_timestamp", 40_104, 401, "timestamp is not current"),
        Case::refused("replayed_nonce", 40_105, 401, "was used already"),
        Case::refused("no_intersection", 40_160, 401, "of those requested it has none"),
        Case::refused("unknown_operation", 40_000, 400, "operations that exist"),
        Case::refused("no_operations", 40_000, 400, "name an operation"),
        Case::refused("wildcard_with_others", 40_000, 400, "stand alone"),
        Case::refused("ttl_negative", 40_003, 400, "ttl"),
        Case::refused("ttl_too_long", 40_003, 400, "ttl"),
        Case::refused("ttl_too_long_to_be_revoked", 40_003, 400, "3600000 ms").without_the_key(),
        Case::refused("unknown_key", 40_400, 401, "the key is not known").without_the_key(),
        Case::refused("unknown_app", 40_400, 404, "the application is not known").without_the_key(),
    ]
}

fn using_tokens() -> Vec<Case> {
    const LACKING: &str = "does not allow publish on the channel";
    vec![
        Case::published("token_publish"),
        Case::told("token_history", 0),
        Case::refused("token_publish_without_capability", 40_160, 401, LACKING),
        Case::refused("token_publish_outside_the_keys_capability", 40_160, 401, LACKING),
        Case::refused("token_of_a_channel_elsewhere", 40_160, 401, "\"chat:hall\"").only(JS),
        Case::refused("client_ids_that_differ", 40_102, 401, "not for this clientId").only(JS),
        Case::published("wildcard_token_as_a_client"),
        Case::refused("anonymous_token_as_a_client", 40_012, 400, "may not speak for").only(PYTHON),
        Case::refused("junk_token", 40_101, 401, "none of any application").without_the_key(),
        Case::told("unknown_token", json!([40_143])).without_the_key().only(JS),
        Case::told("expired_token", json!([40_142])).only(JS),
    ]
}

/// JWTs that we minted, the key staying with us.
fn using_jwts() -> Vec<Case> {
    let cases = vec![
        Case::published("jwt_publish"),
        Case::refused("jwt_publish_without_capability", 40_160, 401, "does not allow publish"),
        Case::published("jwt_message_of_its_client"),
        Case::refused("jwt_message_of_another_client", 40_012, 400, "may not speak for"),
        Case::refused("jwt_of_another_client", 40_102, 401, "not for this clientId").only(JS),
        Case::published("jwt_by_callback"),
        Case::published("jwt_by_url"),
        Case::told("expired_jwt", json!([40_142])).only(JS),
        Case::told("forged_jwt", json!([40_144])).only(JS),
        Case::refused("jwt_of_an_unknown_app", 40_400, 404, "the JWT names"),
        Case::refused("binary_protocol", 40_013, 400, "useBinaryProtocol"),
    ];
    cases.into_iter().map(Case::without_the_key).collect()
}

fn with_the_key() -> Vec<Case> {
    let unknown = "the key is not known, or its secret is wrong";
    vec![
        Case::published("basic_publish").only(JS),
        Case::told("basic_history", 0).only(JS),
        Case::refused("basic_publish_without_capability", 40_160, 401, "on the channel \"news\"").only(JS),
        Case::published("basic_message_of_any_client").only(JS),
        Case::published("basic_as_a_client").only(JS),
        Case::refused("basic_wrong_secret", 40_101, 401, unknown).without_the_key().only(JS),
        Case::refused("basic_unknown_key", 40_101, 401, unknown).without_the_key().only(JS),
        // The library's own refusal.
        Case::refused("basic_without_tls", 40_103, 401, "non-TLS").without_the_key().only(PYTHON),
    ]
}

fn expiry_and_revocation() -> Vec<Case> {
    let renewed = |asked: u32| json!({ "came": "published", "asked": asked });
    let revocation = json!({
        "before": "published",
        "successes": 1,
        "failures": 1,
        "results": [{ "target": "clientId:ivy", "code": null }, { "target": "bogus:x", "code": 40_000 }],
        "after": [40_141],
        "jwt": [40_141],
        "bystander": "published",
        "next": "published",
    });
    let margin = json!({ "later": true, "now": "published" });
    vec![
        Case::told("expiry_before_the_next_request", renewed(2)),
        Case::told("expiry_told_by_the_server", renewed(2)).without_the_key().only(PYTHON),
        // ably-js repeats the request with the expired token until its callback refuses: its issue 2193.
        Case::told("expiry_told_by_the_server", json!({ "came": 40_300, "asked": 4 }))
            .without_the_key()
            .only(JS),
        Case::told("revocation", revocation).without_the_key().only(JS),
        Case::told("revocation_with_margin", margin).without_the_key().only(JS),
        Case::refused("revocation_of_what_can_not_be_revoked", 40_163, 401, "can't be revoked").only(JS),
        Case::refused("revocation_issued_before_the_future", 40_003, 400, "issuedBefore")
            .without_the_key()
            .only(JS),
    ]
}
