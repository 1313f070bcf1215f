//! UTS `rest/unit/types/token_types.md`: the models. Its numbers are one off from the specification's; the identifiers
//! are its own. `TokenParams` as a query (`rest/unit/TK/token-params-to-query-string-0`) is beside the code, in
//! `wire/query.rs`.

use super::*;

const CAPABILITY: &str = r#"{"*":["*"]}"#;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// UTS rest/unit/TD1/token-details-attributes-0.
#[test]
fn uts_td1_token_details_attributes_0() {
    let bare = TokenDetails::new(Secret::from("test-token")).with_expires(at(1_234_567_890_000));
    assert_eq!((bare.token().expose(), bare.expires()), ("test-token", Some(at(1_234_567_890_000))));
    assert_eq!((bare.issued(), bare.capability_text(), bare.client_id()), (None, None, None));
    let whole = bare
        .with_issued(at(1_234_567_800_000))
        .with_capability(&CAPABILITY.parse().unwrap())
        .with_client_id(id("my-client"));
    assert_eq!((whole.issued(), whole.capability_text()), (Some(at(1_234_567_800_000)), Some(CAPABILITY)));
    assert_eq!(whole.client_id().unwrap().as_str(), "my-client");
}

/// UTS rest/unit/TD/token-details-from-json-0.
#[test]
fn uts_td_token_details_from_json_0() {
    let json = serde_json::json!({
        "token": "from-json", "expires": 1_234_567_890_000_u64, "issued": 1_234_567_800_000_u64,
        "capability": r#"{"channel-1":["publish"]}"#, "clientId": "json-client", "keyName": "appId.keyId"
    });
    let details = TokenDetails::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!(details.token().expose(), "from-json");
    assert_eq!(
        (details.expires(), details.issued()),
        (Some(at(1_234_567_890_000)), Some(at(1_234_567_800_000)))
    );
    assert_eq!(details.capability_text(), Some(r#"{"channel-1":["publish"]}"#));
    assert_eq!(
        (details.client_id().unwrap().as_str(), details.key_name()),
        ("json-client", Some("appId.keyId"))
    );
}

/// UTS rest/unit/TK1/token-params-attributes-0, with a nonce as long as one has to be (RSA9c).
#[test]
fn uts_tk1_token_params_attributes_0() {
    let none = TokenParams::new();
    assert_eq!((none.ttl(), none.capability(), none.client_id()), (None, None, None));
    assert_eq!((none.timestamp(), none.nonce()), (None, None));
    let all = TokenParams::new()
        .with_ttl(Duration::from_millis(7_200_000))
        .with_capability(CAPABILITY.parse().unwrap())
        .with_client_id(id("full-client"))
        .with_timestamp(at(1_234_567_890_000))
        .with_nonce(Nonce::new("full-nonce-value").unwrap());
    assert_eq!(all.ttl(), Some(Duration::from_millis(7_200_000)));
    assert_eq!(all.capability().unwrap().canonical_text(), CAPABILITY);
    assert_eq!(all.client_id().unwrap().as_str(), "full-client");
    assert_eq!(all.timestamp(), Some(at(1_234_567_890_000)));
    assert_eq!(all.nonce().unwrap().as_str(), "full-nonce-value");
}

fn request(params: &TokenParams) -> TokenRequest {
    let now = Now { wall: at(1_234_567_890_000), mono: Moment::ORIGIN };
    TokenRequest::sign(&key(), params, now, Nonce::new("nonce-of-the-test").unwrap())
}

fn full() -> TokenParams {
    TokenParams::new()
        .with_ttl(Duration::from_millis(3_600_000))
        .with_capability(CAPABILITY.parse().unwrap())
        .with_client_id(id("request-client"))
}

/// UTS rest/unit/TE1/token-request-attributes-0.
#[test]
fn uts_te1_token_request_attributes_0() {
    let bare = request(&TokenParams::new());
    assert_eq!((bare.key_name(), bare.timestamp()), ("appId.keyId", Some(at(1_234_567_890_000))));
    assert_eq!((bare.ttl(), bare.capability_text(), bare.client_id()), (None, None, None));
    assert_eq!(bare.nonce(), "nonce-of-the-test");
    let full = request(&full());
    assert_eq!(full.ttl(), Some(Duration::from_millis(3_600_000)));
    assert_eq!((full.capability_text(), full.client_id()), (Some(CAPABILITY), Some("request-client")));
}

/// UTS rest/unit/TE/token-request-mac-signature-0: a MAC is what the key makes of the rest, and nothing else is one.
#[test]
fn uts_te_token_request_mac_signature_0() {
    let mac = request(&full()).mac();
    assert_eq!(STANDARD.decode(mac.expose()).unwrap().len(), 32);
    let other = ApiKey::parse("appId.keyId:otherSecret").unwrap();
    let now = Now { wall: at(1_234_567_890_000), mono: Moment::ORIGIN };
    let others = TokenRequest::sign(&other, &full(), now, Nonce::new("nonce-of-the-test").unwrap());
    assert_ne!(mac, others.mac());
}

/// UTS rest/unit/TE/token-request-to-json-1.
#[test]
fn uts_te_token_request_to_json_1() {
    let request = request(&full());
    let json: serde_json::Value = serde_json::from_str(request.to_json().expose()).unwrap();
    let expected = serde_json::json!({
        "keyName": "appId.keyId", "ttl": 3_600_000, "capability": CAPABILITY, "clientId": "request-client",
        "timestamp": 1_234_567_890_000_u64, "nonce": "nonce-of-the-test", "mac": request.mac().expose()
    });
    assert_eq!(json, expected);
}

/// UTS rest/unit/TE/token-request-from-json-2.
#[test]
fn uts_te_token_request_from_json_2() {
    let original = request(&full());
    let request = TokenRequest::parse(original.to_json().expose().as_bytes()).unwrap();
    assert_eq!((request.key_name(), request.nonce()), ("appId.keyId", "nonce-of-the-test"));
    assert_eq!(
        (request.ttl(), request.timestamp()),
        (Some(Duration::from_millis(3_600_000)), Some(at(1_234_567_890_000)))
    );
    assert_eq!((request.capability_text(), request.client_id()), (Some(CAPABILITY), Some("request-client")));
    assert_eq!(request.mac(), original.mac());
}
