//! Token requests against the vectors of Ably's own library, and against what strangers send.

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde_json::{Value, json};

use super::*;
use crate::Error;
use crate::ably::{ClientId, InvalidClientId, InvalidNonce};
use crate::time::Moment;

const NONCE: &str = "0123456789abcdef";
const SIGNED_AT: u64 = 1_700_000_000_000;

fn key() -> ApiKey {
    ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()
}

fn at(wall: u64) -> Now {
    Now { wall: Timestamp::from_millis(wall), mono: Moment::ORIGIN }
}

fn sign(params: &TokenParams) -> TokenRequest {
    TokenRequest::sign(&key(), params, at(SIGNED_AT), Nonce::new(NONCE).unwrap())
}

fn full() -> TokenParams {
    TokenParams::new()
        .with_ttl(Duration::from_secs(3_600))
        .with_capability(r#"{"b:*":["subscribe","publish"],"a":["*"]}"#.parse().unwrap())
        .with_client_id(ClientId::new("alice").unwrap())
}

/// A request as a stranger sends it: the members of a signed one, some replaced, with the MAC of `key` over the result.
fn signed_json(changes: Value) -> TokenRequest {
    let mut json: Value = serde_json::from_str(sign(&full()).to_json().expose()).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        json[name] = value.clone();
    }
    let mut request = TokenRequest::parse(json.to_string().as_bytes()).unwrap();
    request.mac = Some(Zeroizing::new(request.mac_under(&key()).finalize().into_bytes().into()));
    request
}

fn refusal(changes: Value) -> TokenRequestRefused {
    signed_json(changes).verify(&key(), at(SIGNED_AT)).unwrap_err()
}

/// RSA9g: each made by ably-js and computed again by a script of our own.
#[test]
fn rsa9g_the_macs_are_those_of_ably_js() {
    let capability = |text: &str| TokenParams::new().with_capability(text.parse().unwrap());
    for (params, mac) in [
        (TokenParams::new(), "w1Pdm0EnbxxZVp3a0dpHrAzsquMfrSAYVHDznXtCZB0="),
        (TokenParams::new().with_ttl(Duration::ZERO), "w1Pdm0EnbxxZVp3a0dpHrAzsquMfrSAYVHDznXtCZB0="),
        (full(), "+Nju41oO7ZRqfxKoHII6bYiHgmURODiM+fJEmU8aliE="),
        (
            capability(r#" { "chat" : [ "subscribe", "publish", "history" ] } "#)
                .with_client_id(ClientId::new("zoë ☃").unwrap()),
            "NpXdfiXPcr4dWpR5q1p1GPGId8XjR9Jwyg8EWVaJT/s=",
        ),
        (
            TokenParams::new().with_client_id(TokenClientId::Wildcard),
            "rAwTpE6Wvco4fBrOhxFNTDPsRp4d4kzsOWBW6eoCl0E=",
        ),
        (
            capability(
                r#"{"é":["publish"],"a":["publish"],"Z":["publish"],"*":["subscribe"],"[meta]x":["subscribe"]}"#,
            ),
            "zDMltOR8SfzxgCwfKq8okOi/zY9UvYl1s8JC1fk911A=",
        ),
    ] {
        assert_eq!(sign(&params).mac().expose(), mac, "{params:?}");
    }
}

#[test]
fn what_is_signed_reads_back_and_verifies() {
    let request = sign(&full());
    let received = TokenRequest::parse(request.to_json().expose().as_bytes()).unwrap();
    assert_eq!(received, request);
    let verified = received.verify(&key(), at(SIGNED_AT)).unwrap();
    assert_eq!(verified.ttl, full().ttl());
    assert_eq!(verified.capability.as_ref(), full().capability());
    assert_eq!(verified.client_id.as_ref(), full().client_id());
    assert_eq!(verified.timestamp.as_millis(), SIGNED_AT);
    assert_eq!(verified.nonce.as_str(), NONCE);
}

#[test]
fn te6_nulls_numeric_strings_and_unknown_members_are_read() {
    let mac = "w1Pdm0EnbxxZVp3a0dpHrAzsquMfrSAYVHDznXtCZB0=";
    let json = json!({
        "keyName": "appid1.keyid1", "ttl": null, "capability": null, "clientId": null,
        "timestamp": "1700000000000", "nonce": NONCE, "mac": mac, "extra": {"deep": [1, 2]},
    });
    let request = TokenRequest::parse(json.to_string().as_bytes()).unwrap();
    assert!(request.verify(&key(), at(SIGNED_AT)).is_ok());
    let json = json!({
        "keyName": "appid1.keyid1", "ttl": 0, "capability": "", "timestamp": SIGNED_AT, "nonce": NONCE, "mac": mac,
    });
    let verified =
        TokenRequest::parse(json.to_string().as_bytes()).unwrap().verify(&key(), at(SIGNED_AT)).unwrap();
    assert_eq!((verified.ttl, verified.capability), (None, None));
}

#[test]
fn one_changed_byte_of_what_is_signed_is_found() {
    let signed: Value = serde_json::from_str(sign(&full()).to_json().expose()).unwrap();
    let verify = |json: &Value| {
        TokenRequest::parse(json.to_string().as_bytes())
            .and_then(|request| request.verify(&key(), at(SIGNED_AT)))
    };
    assert!(verify(&signed).is_ok(), "the control");
    let changed = |text: &str, position: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[position] = if bytes[position] == b'1' { b'2' } else { b'1' };
        String::from_utf8(bytes).unwrap()
    };
    let mut tried = 0;
    for name in ["keyName", "ttl", "capability", "clientId", "timestamp", "nonce", "mac"] {
        let text = signed[name].as_str().map_or_else(|| signed[name].to_string(), String::from);
        for position in 0..text.len() {
            let mut json = signed.clone();
            json[name] = Value::from(changed(&text, position));
            let expected =
                if name == "keyName" { TokenRequestRefused::OtherKey } else { TokenRequestRefused::Mac };
            assert_eq!(verify(&json), Err(expected), "{name} at {position}");
            tried += 1;
        }
    }
    assert!(tried > 100);
}

#[test]
fn every_bit_of_the_mac_counts() {
    let signed = sign(&full());
    for bit in 0..256 {
        let mut changed = signed.clone();
        if let Some(mac) = &mut changed.mac {
            mac[bit / 8] ^= 1 << (bit % 8);
        }
        assert_ne!(changed, signed);
        assert_eq!(changed.verify(&key(), at(SIGNED_AT)), Err(TokenRequestRefused::Mac), "bit {bit}");
    }
}

#[test]
fn the_checks_come_in_the_order_of_the_facts() {
    use TokenRequestRefused as R;
    let mut wrong = json!({ "ttl": -1, "clientId": "", "capability": "{", "timestamp": 0, "nonce": "short" });
    let mut refused = Vec::new();
    for name in ["ttl", "clientId", "capability", "timestamp", "nonce"] {
        refused.push(refusal(wrong.clone()));
        wrong.as_object_mut().unwrap().remove(name);
    }
    let expected = [
        R::Ttl,
        R::ClientId(InvalidClientId::Empty),
        refused[2].clone(),
        R::Timestamp,
        R::Nonce(InvalidNonce::Length),
    ];
    assert!(matches!(refused[2], R::Capability(_)));
    assert_eq!(refused, expected);
}

#[test]
fn a_line_feed_moved_from_one_value_to_another_gets_nobody_in() {
    // The same bytes are signed: the line feed that ended the capability begins the client's name.
    let capability = r#"{"a":["*"]}"#;
    let signed = signed_json(json!({ "capability": format!("{capability}\n"), "clientId": "alice" }));
    let moved = signed_json(json!({ "capability": capability, "clientId": "\nalice" }));
    assert_eq!(signed.mac(), moved.mac(), "the text that is signed is the same");
    assert!(signed.verify(&key(), at(SIGNED_AT)).is_ok());
    let refused = moved.verify(&key(), at(SIGNED_AT));
    assert_eq!(refused, Err(TokenRequestRefused::ClientId(InvalidClientId::Control)));
}

#[test]
fn the_capability_is_verified_as_received_and_read_afterwards() {
    let text = "{ \"b\" : [\"publish\"],\n\"a\":[\"subscribe\",\"publish\"] }";
    let verified = signed_json(json!({ "capability": text })).verify(&key(), at(SIGNED_AT)).unwrap();
    let canonical = r#"{"a":["publish","subscribe"],"b":["publish"]}"#;
    assert_eq!(verified.capability.unwrap().canonical_text(), canonical);
}

#[test]
fn each_value_that_cannot_be_granted_has_its_own_refusal() {
    use TokenRequestRefused as R;
    assert_eq!(refusal(json!({ "ttl": -1 })), R::Ttl);
    assert_eq!(refusal(json!({ "ttl": 86_400_001 })), R::Ttl);
    assert_eq!(refusal(json!({ "clientId": "" })), R::ClientId(InvalidClientId::Empty));
    assert_eq!(refusal(json!({ "clientId": "a\nb" })), R::ClientId(InvalidClientId::Control));
    assert!(matches!(refusal(json!({ "capability": "{" })), R::Capability(_)));
    assert!(matches!(refusal(json!({ "capability": r#"{"c":[]}"# })), R::Capability(_)));
    assert!(matches!(refusal(json!({ "capability": "[".repeat(10_000) })), R::Capability(_)));
    assert_eq!(refusal(json!({ "nonce": "012345678901234" })), R::Nonce(InvalidNonce::Length));
    assert_eq!(refusal(json!({ "nonce": "1".repeat(1_000) })), R::Nonce(InvalidNonce::Length));
    assert_eq!(refusal(json!({ "timestamp": -1 })), R::Timestamp);
    for (refused, code, status) in [
        (R::Malformed, 40_000, 400),
        (R::Mac, 40_101, 401),
        (R::Ttl, 40_003, 400),
        (R::ClientId(InvalidClientId::Empty), 40_012, 400),
        (R::Timestamp, 40_104, 401),
    ] {
        assert_eq!((refused.code().number(), refused.status()), (code, status));
        assert_eq!(Error::from(refused).code(), Some(code));
    }
}

#[test]
fn the_timestamp_window_is_exact_to_the_millisecond() {
    let verify = |wall| sign(&full()).verify(&key(), at(wall)).map(|_| ());
    assert_eq!(verify(SIGNED_AT + 120_000), Ok(()));
    assert_eq!(verify(SIGNED_AT - 120_000), Ok(()));
    assert_eq!(verify(SIGNED_AT + 120_001), Err(TokenRequestRefused::Timestamp));
    assert_eq!(verify(SIGNED_AT - 120_001), Err(TokenRequestRefused::Timestamp));
}

#[test]
fn a_wrong_mac_is_told_before_anything_else_is_looked_at() {
    let mut request = signed_json(json!({ "ttl": -1, "clientId": "", "capability": "{", "timestamp": 0 }));
    request.mac = Some(Zeroizing::new([0; 32]));
    assert_eq!(request.verify(&key(), at(SIGNED_AT)), Err(TokenRequestRefused::Mac));
    for no_mac in ["", "AAAA", "not base64!"] {
        request.mac = mac_of_text(no_mac);
        assert_eq!(request.verify(&key(), at(SIGNED_AT)), Err(TokenRequestRefused::Mac));
    }
}

#[test]
fn what_is_no_token_request_is_malformed() {
    let whole: Value = serde_json::from_str(sign(&full()).to_json().expose()).unwrap();
    for name in ["keyName", "timestamp", "nonce", "mac"] {
        let mut json = whole.clone();
        json.as_object_mut().unwrap().remove(name);
        assert_eq!(
            TokenRequest::parse(json.to_string().as_bytes()),
            Err(TokenRequestRefused::Malformed),
            "{name}"
        );
    }
    for (name, value) in
        [("ttl", json!("soon")), ("ttl", json!(1.5)), ("timestamp", json!({})), ("nonce", json!(5))]
    {
        let mut json = whole.clone();
        json[name] = value;
        assert_eq!(
            TokenRequest::parse(json.to_string().as_bytes()),
            Err(TokenRequestRefused::Malformed),
            "{name}"
        );
    }
    let twice = whole.to_string().replacen('{', r#"{"ttl":1,"#, 1);
    let long = format!("{{\"x\":\"{}\"}}", "a".repeat(TokenRequest::LONGEST_JSON));
    for text in ["", "[]", "null", "{}", r#"["a",1,"c","d",1,"f","g"]"#, &twice, &long] {
        assert_eq!(TokenRequest::parse(text.as_bytes()), Err(TokenRequestRefused::Malformed));
    }
}

#[test]
fn debug_shows_neither_the_mac_nor_the_nonce() {
    let request = sign(&full());
    let text = format!("{request:?} {request:#?}");
    assert!(!text.contains(request.mac().expose()) && !text.contains(NONCE), "{text}");
}
