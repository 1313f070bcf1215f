//! The reader and the key against RFC 7515's own example, and against what attackers send.

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::time::Duration;

use super::*;
use crate::time::{Moment, Now, Timestamp};

/// RFC 7515 Appendix A.1.
const RFC_7515_A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RFC_7515_A1_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const LEEWAY: Duration = Duration::from_secs(5);

fn rfc_key() -> Hs256Key {
    Hs256Key::new(&decode(RFC_7515_A1_KEY).unwrap()).unwrap()
}

fn at(seconds: u64) -> Now {
    Now { wall: Timestamp::from_millis(seconds * 1_000), mono: Moment::ORIGIN }
}

fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

fn reason(result: Result<Verified<Claims>, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    error.to_string()
}

#[test]
fn the_example_of_rfc_7515_verifies() {
    let claims = rfc_key().verify(RFC_7515_A1, at(1_300_819_379), Duration::ZERO).unwrap().into_inner();
    assert_eq!(claims.iss.as_deref(), Some("joe"));
    assert_eq!(claims.exp, Some(Timestamp::from_millis(1_300_819_380_000)));
}

#[test]
fn one_changed_character_anywhere_is_found() {
    for position in 0..RFC_7515_A1.len() {
        let mut token = RFC_7515_A1.to_owned().into_bytes();
        token[position] = if token[position] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(token).unwrap();
        assert!(rfc_key().verify(&token, at(1_300_819_379), Duration::ZERO).is_err(), "position {position}");
    }
}

#[test]
fn expiry_is_exact_to_the_second_with_leeway() {
    let verify = |seconds| rfc_key().verify(RFC_7515_A1, at(seconds), LEEWAY);
    assert!(verify(1_300_819_384).is_ok());
    assert!(reason(verify(1_300_819_385)).contains("expired"));
}

#[test]
fn what_is_minted_verifies_and_reads_back() {
    let key = Hs256Key::new(&[9; 32]).unwrap();
    let claims = Claims {
        client_id: Some("abc123".into()),
        scope: Some("conversation:read user:read".parse().unwrap()),
        iat: Some(Timestamp::from_millis(1_000_000)),
        exp: Some(Timestamp::from_millis(1_060_000)),
        jti: Some("1".into()),
        ..Claims::default()
    };
    let token = key.mint(&claims);
    let verified = key.verify(token.expose(), at(1_030), Duration::ZERO).unwrap().into_inner();
    assert_eq!(verified.scope, claims.scope);
    assert_eq!(verified.lifetime(), Some(Duration::from_secs(60)));
    assert_eq!(read(token.expose()).unwrap().into_inner().client_id.as_deref(), Some("abc123"));
    assert!(reason(key.verify(token.expose(), at(990), LEEWAY)).contains("future"));
    let other = Hs256Key::new(&[8; 32]).unwrap();
    assert!(reason(other.verify(token.expose(), at(1_030), LEEWAY)).contains("signature"));
}

#[test]
fn the_token_never_chooses_its_algorithm() {
    let key = rfc_key();
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"nOnE"}"#, r#"{"alg":"RS256"}"#, r#"{"alg":"HS512"}"#] {
        let token = unsigned(header, r#"{"exp":9999999999}"#);
        assert!(reason(key.verify(&token, at(0), LEEWAY)).contains("HS256"), "{header}");
    }
    for header in [r#"{"alg":256}"#, r#"{}"#, r#"["HS256"]"#, r#"{"alg":"HS256","alg":"none"}"#, "{"] {
        let token = unsigned(header, r#"{"exp":9999999999}"#);
        assert!(reason(key.verify(&token, at(0), LEEWAY)).contains("header"), "{header}");
    }
}

#[test]
fn critical_extensions_are_refused() {
    let token = unsigned(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}");
    assert!(reason(rfc_key().verify(&token, at(0), LEEWAY)).contains("critical"));
}

#[test]
fn malformed_tokens_are_refused_without_a_panic() {
    let long = format!("a.{}.c", "b".repeat(LONGEST_TOKEN));
    for token in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "eyJhbGciOiJIUzI1NiJ9..AA",
        " a.b.c",
        "a.b.c=",
        "AB.e30.AA",
        &long,
    ] {
        assert!(read(token).is_err(), "{token:.40}");
    }
    for payload in
        ["[]", "5", r#"{"exp":"1"}"#, r#"{"exp":-1}"#, r#"{"exp":1e400}"#, r#"{"exp":1,"exp":2}"#, "{"]
    {
        assert!(read(&unsigned(r#"{"alg":"HS256"}"#, payload)).is_err(), "{payload}");
    }
}

#[test]
fn a_token_without_expiry_is_refused() {
    let key = Hs256Key::new(&[9; 32]).unwrap();
    let token = key.mint(&Claims::default());
    assert!(reason(key.verify(token.expose(), at(0), LEEWAY)).contains("no exp"));
}

#[test]
fn short_keys_are_refused() {
    assert!(Hs256Key::new(&[0; 31]).is_err());
    assert!(Hs256Key::new(&[0; 32]).is_ok());
}
