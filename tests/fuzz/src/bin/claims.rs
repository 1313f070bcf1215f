//! The JSON inside a token: the first line is a header, the rest a payload, neither encoded, so that the strict reader is
//! reached. What it lets pass, serde_json must read the same.

#![no_main]

use auth_core::ably::{claimed_capability, claimed_client_id};
use auth_core::jwt::{read, read_header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|input: &[u8]| {
    let Some(line) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (header, payload) = (&input[..line], &input[line + 1..]);
    let token = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    if let Ok(read) = read_header(&token) {
        assert!(is_object(read.into_inner().as_bytes()));
    }
    let Ok(unverified) = read(&token) else { return };
    assert!(is_object(header) && is_object(payload));
    let claims = unverified.claims();
    assert_eq!(claims.as_json().as_bytes(), payload);
    let theirs: Map<String, Value> = serde_json::from_slice(payload).unwrap_or_default();
    for (name, ours) in [
        ("iss", claims.issuer()),
        ("sub", claims.subject()),
        ("client_id", claims.client_id()),
        ("jti", claims.token_id()),
    ] {
        assert_eq!(theirs.get(name).and_then(Value::as_str), ours, "{name}");
    }
    assert_eq!(theirs.contains_key("exp"), claims.expires().is_some());
    assert_eq!(theirs.contains_key("aud"), !claims.audience().is_empty());
    let _ = (claims.scope(), claimed_capability(claims), claimed_client_id(claims), claims.lifetime());
});

fn is_object(json: &[u8]) -> bool {
    serde_json::from_slice::<Map<String, Value>>(json).is_ok()
}
