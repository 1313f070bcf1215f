//! The reader and the verifier against RFC 7515's own example, and against what attackers send.

use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString};
use std::time::Duration;
use std::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::time::{Moment, Now, Timestamp};

/// RFC 7515 Appendix A.1, which is also RFC 7519 §3.1.
const RFC_7515_A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RFC_7515_A1_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const LEEWAY: Duration = Duration::from_secs(5);
const NOW: u64 = 1_700_000_000;

fn rfc_verifier() -> Verifier {
    let key = URL_SAFE_NO_PAD.decode(RFC_7515_A1_KEY).unwrap();
    Verifier::new(KeySet::of(HmacKey::hs256(&key).unwrap()))
}

fn key() -> HmacKey {
    HmacKey::hs256(&[9; 32]).unwrap().with_key_id("k1")
}

fn verifier() -> Verifier {
    Verifier::new(KeySet::of(key()))
}

fn at(seconds: u64) -> Now {
    Now { wall: Timestamp::from_millis(seconds * 1_000), mono: Moment::ORIGIN }
}

/// A token with any header and payload, signed as our key would.
fn signed(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = signature_of(&input);
    format!("{input}.{signature}")
}

fn signature_of(input: &str) -> String {
    use ::hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&[9; 32]).unwrap();
    mac.update(input.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn with_header(header: &str) -> Result<Verified<Claims>, Rejection> {
    verifier().verify(&signed(header, format!(r#"{{"exp":{}}}"#, NOW + 60)), at(NOW))
}

fn with_payload(payload: &str) -> Result<Verified<Claims>, Rejection> {
    claims_under(&verifier(), payload)
}

fn claims_under(verifier: &Verifier, payload: &str) -> Result<Verified<Claims>, Rejection> {
    verifier.verify(&signed(r#"{"alg":"HS256","kid":"k1"}"#, payload), at(NOW))
}

/// The claims of a token that is good for a minute, and more.
fn with_claims(more: &str) -> Result<Verified<Claims>, Rejection> {
    with_payload(&format!(r#"{{"exp":{}{more}}}"#, NOW + 60))
}

fn rejection<T: core::fmt::Debug>(result: Result<T, Rejection>) -> Rejection {
    result.unwrap_err()
}

#[test]
fn the_example_of_rfc_7515_and_rfc_7519_verifies() {
    let verified = rfc_verifier().verify(RFC_7515_A1, at(1_300_819_379)).unwrap();
    let claims = verified.claims();
    assert_eq!(claims.issuer(), Some("joe"));
    assert_eq!(claims.expires(), Some(Timestamp::from_millis(1_300_819_380_000)));
    assert!(claims.as_json().contains("http://example.com/is_root"));
}

/// RFC 7519 §6.1.
#[test]
fn the_unsecured_example_of_rfc_7519_is_rejected() {
    let token = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(rejection(rfc_verifier().verify(token, at(0))), Rejection::EmptySegment);
    assert_eq!(rejection(rfc_verifier().verify(&format!("{token}AAAA"), at(0))), Rejection::AlgorithmNone);
}

#[test]
fn one_changed_character_anywhere_is_found() {
    for position in 0..RFC_7515_A1.len() {
        let mut token = RFC_7515_A1.to_owned().into_bytes();
        token[position] = if token[position] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(token).unwrap();
        assert!(rfc_verifier().verify(&token, at(1_300_819_379)).is_err(), "position {position}");
    }
}

#[test]
fn what_is_minted_verifies_and_reads_back() {
    let draft = Draft::new()
        .with_issuer("https://as.example")
        .with_subject("alice")
        .with_audience("api")
        .with_client_id("abc123")
        .with_scope(&"conversation:read user:read".parse().unwrap())
        .with_issued_at(Timestamp::from_millis(NOW * 1_000))
        .with_not_before(Timestamp::from_millis(NOW * 1_000))
        .with_expiry(Timestamp::from_millis((NOW + 60) * 1_000))
        .with_token_id("1")
        .with_text("quoted\"", "\u{0}é\n")
        .with_texts("permissions", ["read", "\"\\"])
        .with_null("accountId");
    let keys = [
        HmacKey::hs256(&[1; 32]).unwrap(),
        HmacKey::hs384(&[2; 48]).unwrap(),
        HmacKey::hs512(&[3; 64]).unwrap(),
    ];
    for key in keys {
        let token = key.mint(&draft);
        let verifier = Verifier::new(KeySet::of(key)).with_issuer("https://as.example").with_audience("api");
        let verified = verifier.verify(token.expose(), at(NOW)).unwrap().into_inner();
        assert_eq!((verified.subject(), verified.client_id()), (Some("alice"), Some("abc123")));
        assert_eq!(verified.scope().unwrap().to_string(), "conversation:read user:read");
        assert_eq!(verified.lifetime(), Some(Duration::from_secs(60)));
        assert_eq!(verified.text("quoted\""), Some("\u{0}é\n"));
        assert!(verified.as_json().ends_with(r#""permissions":["read","\"\\"],"accountId":null}"#));
        assert_eq!(read(token.expose()).unwrap().claims().token_id(), Some("1"));
    }
}

/// `audit-and-security.md` §B.4, 1 to 9 and 25, 26: the text of a token.
#[test]
fn malformed_tokens_are_rejected_each_with_its_reason() {
    let good = signed(r#"{"alg":"HS256","kid":"k1"}"#, format!(r#"{{"exp":{}}}"#, NOW + 60));
    assert!(verifier().verify(&good, at(NOW)).is_ok(), "the control");
    let parts: Vec<&str> = good.split('.').collect();
    let signed_anew = |header: &str, payload: &str| {
        let input = format!("{header}.{payload}");
        format!("{input}.{}", signature_of(&input))
    };
    // One byte more than a multiple of three, so that four bits of the last character mean nothing.
    let (padded, unused) = ("eyJleHAiOjE3MDAwMDAwNjB9", "eyJleHAiOjE3MDAwMDAwNjAgfR");
    let cases = [
        (String::new(), Rejection::Empty),
        (format!("{}.{}", parts[0], parts[1]), Rejection::SegmentCount),
        (format!("{good}.AAAA"), Rejection::SegmentCount),
        (format!("{}.{}.", parts[0], parts[1]), Rejection::EmptySegment),
        (format!("{}..{}", parts[0], parts[2]), Rejection::EmptySegment),
        (format!("{good}."), Rejection::SegmentCount),
        (format!(" {good}"), Rejection::WhiteSpace),
        (format!("{good}\n"), Rejection::WhiteSpace),
        (signed_anew(parts[0], &format!("{padded}=")), Rejection::Padding),
        (signed_anew(parts[0], "+/8A"), Rejection::Alphabet),
        (signed_anew(parts[0], "A"), Rejection::SegmentLength),
        (signed_anew(parts[0], unused), Rejection::TrailingBits),
        ("a".repeat(LONGEST_TOKEN + 1), Rejection::TooLong),
        (format!("{good}.AAAA.AAAA"), Rejection::Encrypted),
        (format!(r#"{{"payload":"{}","signatures":[]}}"#, parts[1]), Rejection::JsonSerialization),
    ];
    for (token, expected) in cases {
        assert_eq!(rejection(verifier().verify(&token, at(NOW))), expected, "{token}");
    }
}

/// §B.4, 10 to 15, 20 to 24: the header.
#[test]
fn headers_are_rejected_each_with_its_reason() {
    assert!(with_header(r#"{"alg":"HS256"}"#).is_ok(), "the control");
    assert!(with_header(r#"{"alg":"HS256","kid":"k1","typ":"jwt","jwk":{},"jku":"x","x5c":[]}"#).is_ok());
    let deep = format!(r#"{{"alg":"HS256","a":{}1{}}}"#, "[".repeat(32), "]".repeat(32));
    let names: Vec<_> = (0..17).map(|number| format!("\"x{number}\"")).collect();
    let members: Vec<_> = names.iter().map(|name| format!("{name}:1")).collect();
    let many_critical = format!(r#"{{"alg":"HS256","crit":[{}],{}}}"#, names.join(","), members.join(","));
    let long_kid = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(257));
    for (header, expected) in [
        ("{", Rejection::HeaderSyntax),
        (r#"["HS256"]"#, Rejection::HeaderNotAnObject),
        (r#"{"alg":"HS256","alg":"none"}"#, Rejection::HeaderDuplicate),
        (r#"{"alg":"HS256","\u0061lg":"HS256"}"#, Rejection::HeaderDuplicate),
        (r#"{"alg":"none"}"#, Rejection::AlgorithmNone),
        (r#"{"alg":"nOnE"}"#, Rejection::AlgorithmNone),
        (r#"{}"#, Rejection::AlgorithmMissing),
        (r#"{"alg":256}"#, Rejection::AlgorithmNotText),
        (r#"{"alg":"ES512"}"#, Rejection::AlgorithmUnknown),
        (r#"{"alg":"hs256"}"#, Rejection::AlgorithmUnknown),
        (r#"{"alg":"HS512"}"#, Rejection::AlgorithmMismatch),
        (r#"{"alg":"RS256"}"#, Rejection::AlgorithmMismatch),
        (r#"{"alg":"HS256","kid":"../../dev/null"}"#, Rejection::KeyUnknown),
        (r#"{"alg":"HS256","kid":5}"#, Rejection::KeyIdInvalid),
        (&long_kid, Rejection::KeyIdInvalid),
        (r#"{"alg":"HS256","typ":5}"#, Rejection::TypeNotText),
        (r#"{"alg":"HS256","typ":"dpop+jwt"}"#, Rejection::TypeUnexpected),
        (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, Rejection::CriticalUnknown),
        (r#"{"alg":"HS256","crit":["exp"]}"#, Rejection::CriticalMalformed),
        (r#"{"alg":"HS256","crit":["exp","exp"],"exp":1}"#, Rejection::CriticalMalformed),
        (r#"{"alg":"HS256","crit":["alg"]}"#, Rejection::CriticalMalformed),
        (r#"{"alg":"HS256","crit":[]}"#, Rejection::CriticalMalformed),
        (r#"{"alg":"HS256","crit":"exp"}"#, Rejection::CriticalMalformed),
        (r#"{"alg":"HS256","crit":null}"#, Rejection::CriticalMalformed),
        (&many_critical, Rejection::CriticalMalformed),
        (r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, Rejection::UnencodedPayload),
        (r#"{"alg":"HS256","b64":false}"#, Rejection::UnencodedPayload),
        (&deep, Rejection::TooDeep),
        (r#"{"alg":"HS256","a":1e400}"#, Rejection::NumberRange),
        (r#"{"alg":"HS256","a":"\ud800"}"#, Rejection::LoneSurrogate),
    ] {
        assert_eq!(rejection(with_header(header)), expected, "{header}");
    }
}

/// §B.4, 19, 21, 22: signatures that do not verify, and what the token offers instead of a good one.
#[test]
fn signatures_are_rejected_each_with_its_reason() {
    let token = |header: &str, signature: &[u8]| {
        let payload = format!(r#"{{"exp":{}}}"#, NOW + 60);
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        rejection(verifier().verify(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)), at(NOW)))
    };
    let plain = r#"{"alg":"HS256","kid":"k1"}"#;
    assert_eq!(token(plain, &[1; 32]), Rejection::Signature);
    assert_eq!(token(plain, &[0; 32]), Rejection::SignatureZero);
    assert_eq!(token(plain, &[1; 31]), Rejection::SignatureLength);
    assert_eq!(token(plain, &[1; 33]), Rejection::SignatureLength);
    let embedded = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}}"#;
    assert_eq!(token(embedded, &[1; 32]), Rejection::EmbeddedKey);
    assert_eq!(token(r#"{"alg":"HS256","x5c":["AAAA"]}"#, &[1; 32]), Rejection::EmbeddedKey);
    assert_eq!(token(r#"{"alg":"HS256","jku":"http://127.0.0.1/k"}"#, &[1; 32]), Rejection::RemoteKey);
    assert_eq!(token(r#"{"alg":"HS256","x5u":"http://127.0.0.1/k"}"#, &[1; 32]), Rejection::RemoteKey);
}

#[test]
fn every_other_algorithm_is_refused_under_a_key_for_one() {
    let names =
        ["HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    for name in names {
        let token = with_header(&format!(r#"{{"alg":"{name}","kid":"k1"}}"#));
        assert_eq!(rejection(token), Rejection::AlgorithmMismatch, "{name}");
    }
    for key in [HmacKey::hs384(&[9; 64]).unwrap(), HmacKey::hs512(&[9; 64]).unwrap()] {
        let token = key.mint(&Draft::new().with_expiry(Timestamp::from_millis((NOW + 60) * 1_000)));
        let other = Verifier::new(KeySet::of(HmacKey::hs256(&[9; 64]).unwrap()));
        assert_eq!(rejection(other.verify(token.expose(), at(NOW))), Rejection::AlgorithmMismatch);
    }
}

/// §B.4, 27 to 40: the claims.
#[test]
fn claims_are_rejected_each_with_its_reason() {
    assert!(with_claims("").is_ok(), "the control");
    let deep = format!(r#","a":{}1{}"#, "[".repeat(10_000 / 4), "]".repeat(10_000 / 4));
    let long = format!(r#","sub":"{}""#, "s".repeat(1_025));
    let long_jti = format!(r#","jti":"{}""#, "j".repeat(257));
    let scopes: Vec<_> = (0..101).map(|number| format!("s{number}")).collect();
    let scopes = format!(r#","scope":"{}""#, scopes.join(" "));
    for (claims, expected) in [
        (r#","nbf":1700000001"#, Rejection::NotYetValid),
        (r#","nbf":"x""#, Rejection::NotBeforeInvalid),
        (r#","iat":1700000001"#, Rejection::IssuedInTheFuture),
        (r#","iat":true"#, Rejection::IssuedAtInvalid),
        (r#","aud":"other""#, Rejection::AudienceUnexpected),
        (r#","aud":[]"#, Rejection::AudienceInvalid),
        (r#","aud":5"#, Rejection::AudienceInvalid),
        (r#","aud":["a",5]"#, Rejection::AudienceInvalid),
        (r#","aud":"""#, Rejection::AudienceInvalid),
        (r#","aud":null"#, Rejection::AudienceInvalid),
        (r#","iss":5"#, Rejection::IssuerInvalid),
        (r#","iss":["evil","https://as"]"#, Rejection::IssuerInvalid),
        (r#","sub":5"#, Rejection::SubjectInvalid),
        (r#","client_id":{}"#, Rejection::SubjectInvalid),
        (r#","sub":"""#, Rejection::SubjectUnusable),
        (r#","sub":"*""#, Rejection::SubjectUnusable),
        (r#","client_id":"a\u0000""#, Rejection::SubjectUnusable),
        (&long, Rejection::SubjectUnusable),
        (r#","sub":"\udc00""#, Rejection::LoneSurrogate),
        (r#","jti":5"#, Rejection::TokenIdInvalid),
        (r#","jti":"""#, Rejection::TokenIdInvalid),
        (&long_jti, Rejection::TokenIdInvalid),
        (r#","scope":5"#, Rejection::ScopeInvalid),
        (r#","scope":"a","scope":"b""#, Rejection::PayloadDuplicate),
        (r#","x":{"a":1,"a":1}"#, Rejection::PayloadDuplicate),
        (&scopes, Rejection::TooManyScopes),
        (r#","scp":[1]"#, Rejection::ScopeInvalid),
        (&deep, Rejection::TooDeep),
    ] {
        assert_eq!(rejection(with_claims(claims)), expected, "{claims}");
    }
    for (payload, expected) in [
        ("{}", Rejection::ExpiryMissing),
        (r#"{"exp":"1700000060"}"#, Rejection::ExpiryInvalid),
        (r#"{"exp":null}"#, Rejection::ExpiryInvalid),
        (r#"{"exp":1e400}"#, Rejection::NumberRange),
        (r#"{"exp":-1}"#, Rejection::TimeRange),
        (r#"{"exp":9223372036854775808}"#, Rejection::TimeRange),
        (r#"{"exp":9007199254740993}"#, Rejection::TimeRange),
        (r#"{"exp":1700000060000}"#, Rejection::TimeRange),
        (r#"{"exp":1.5}"#, Rejection::Expired),
        ("<html>", Rejection::PayloadSyntax),
        ("[]", Rejection::PayloadNotAnObject),
    ] {
        assert_eq!(rejection(with_payload(payload)), expected, "{payload}");
    }
    assert!(with_payload(r#"{"exp":1700000000.5}"#).is_ok(), "half a second is left");
    let not_text = verifier().verify(&signed(r#"{"alg":"HS256"}"#, b"{\"a\":\"\xff\"}"), at(NOW));
    assert_eq!(rejection(not_text), Rejection::PayloadSyntax);
}

#[test]
fn times_are_exact_to_the_leeway() {
    let at_expiry = |verifier: &Verifier, seconds| {
        verifier
            .verify(&signed(r#"{"alg":"HS256"}"#, r#"{"exp":1000,"nbf":900,"iat":900}"#), at(seconds))
            .map(|_| ())
    };
    let (exact, lenient) = (verifier(), verifier().with_leeway(LEEWAY));
    assert_eq!(at_expiry(&exact, 999), Ok(()));
    assert_eq!(at_expiry(&exact, 1_000), Err(Rejection::Expired));
    assert_eq!(at_expiry(&lenient, 1_004), Ok(()));
    assert_eq!(at_expiry(&lenient, 1_005), Err(Rejection::Expired));
    assert_eq!(at_expiry(&exact, 899), Err(Rejection::NotYetValid));
    assert_eq!(at_expiry(&lenient, 895), Ok(()));
    assert_eq!(at_expiry(&lenient, 894), Err(Rejection::NotYetValid));
    let endless = verifier().with_leeway(Duration::MAX);
    assert_eq!(at_expiry(&endless, 1_060), Err(Rejection::Expired), "no leeway is longer than a minute");
}

#[test]
fn a_lifetime_over_the_cap_is_rejected() {
    let capped = verifier().with_longest_lifetime(Duration::from_secs(60));
    let under = |payload: &str| claims_under(&capped, payload).map(|_| ());
    assert_eq!(under(r#"{"iat":1699999999,"exp":1700000059}"#), Ok(()));
    assert_eq!(under(r#"{"iat":1699999999,"exp":1700000060}"#), Err(Rejection::LifetimeTooLong));
    assert_eq!(under(r#"{"exp":1700000060}"#), Err(Rejection::IssuedAtMissing));
}

#[test]
fn issuer_audience_type_subject_and_token_id_are_as_expected_or_rejected() {
    let strict =
        verifier().with_issuer("https://as").with_audience("me").with_required_subject().with_single_use();
    let good = r#"{"exp":1700000060,"iss":"https://as","aud":["you","me"],"sub":"s","jti":"j"}"#;
    let under = |payload: &str| claims_under(&strict, payload).map(|_| ());
    assert_eq!(under(good), Ok(()));
    for (from, to, expected) in [
        (r#","iss":"https://as""#, "", Rejection::IssuerMissing),
        ("https://as", "https://as/", Rejection::IssuerUnexpected),
        (r#","aud":["you","me"]"#, "", Rejection::AudienceMissing),
        (r#""me""#, r#""Me""#, Rejection::AudienceUnexpected),
        (r#","sub":"s""#, "", Rejection::SubjectMissing),
        (r#","jti":"j""#, "", Rejection::TokenIdMissing),
    ] {
        assert_eq!(under(&good.replace(from, to)), Err(expected), "{from} -> {to}");
    }
    assert!(
        claims_under(&verifier().dangerous().with_any_audience(), r#"{"exp":1700000060,"aud":"x"}"#).is_ok()
    );

    let typed = verifier().with_type("at+jwt");
    let token = |token_type: &str| {
        let header = format!(r#"{{"alg":"HS256"{token_type}}}"#);
        typed.verify(&signed(header, r#"{"exp":1700000060}"#), at(NOW)).map(|_| ())
    };
    for accepted in [r#","typ":"at+jwt""#, r#","typ":"AT+JWT""#, r#","typ":"application/at+jwt""#] {
        assert_eq!(token(accepted), Ok(()), "{accepted}");
    }
    for refused in
        ["", r#","typ":"JWT""#, r#","typ":"logout+jwt""#, r#","typ":"application/""#, r#","typ":"é""#]
    {
        assert_eq!(token(refused), Err(Rejection::TypeUnexpected), "{refused}");
    }
}

#[test]
fn a_scope_is_read_from_scope_and_otherwise_from_scp() {
    let scope = |claims: &str| with_claims(claims).unwrap().claims().scope().map(|scope| scope.to_string());
    assert_eq!(scope(r#","scope":"a b""#).as_deref(), Some("a b"));
    assert_eq!(scope(r#","scope":["a","b"]"#).as_deref(), Some("a b"));
    assert_eq!(scope(r#","scp":["a"]"#).as_deref(), Some("a"));
    assert_eq!(scope(r#","scp":"a","scope":"b""#).as_deref(), Some("b"));
    assert_eq!(scope(""), None);
}

#[test]
fn names_are_those_that_scripts_rely_on() {
    assert_eq!(Rejection::AlgorithmMismatch.name(), "algorithm_mismatch");
    assert_eq!(Rejection::SegmentCount.name(), "segment_count");
    assert_eq!(InvalidKey::DuplicateKeyId.name(), "duplicate_key_id");
}

#[test]
fn a_media_type_may_be_expected_with_its_prefix() {
    let token = signed(r#"{"alg":"HS256","typ":"AT+jwt"}"#, r#"{"exp":1700000060}"#);
    assert!(verifier().with_type("application/at+jwt").verify(&token, at(NOW)).is_ok());
}

#[test]
fn an_issuer_may_be_ahead_without_tokens_living_longer() {
    let ahead = verifier().with_issuer_ahead(Duration::from_secs(60));
    let under = |payload: &str| claims_under(&ahead, payload).map(|_| ());
    assert_eq!(under(r#"{"iat":1700000060,"nbf":1700000060,"exp":1700000090}"#), Ok(()));
    assert_eq!(under(r#"{"iat":1700000061,"exp":1700000090}"#), Err(Rejection::IssuedInTheFuture));
    assert_eq!(under(r#"{"iat":1699999990,"exp":1700000000}"#), Err(Rejection::Expired));
    let required = verifier().with_required_issued_at();
    assert_eq!(claims_under(&required, r#"{"exp":1700000090}"#).map(|_| ()), Err(Rejection::IssuedAtMissing));
}

#[test]
fn a_signature_alone_may_be_over_any_payload_and_over_none() {
    let keys = KeySet::of(key());
    for payload in [&b""[..], b"Test", b"\x00\xff"] {
        assert_eq!(verify_signature(&signed(r#"{"alg":"HS256"}"#, payload), &keys), Ok(()));
    }
    let token = signed(r#"{"alg":"HS256"}"#, "Test");
    assert_eq!(verify_signature(&token.replace("VGVzdA", "VGVzdB"), &keys), Err(Rejection::TrailingBits));
    assert_eq!(verify_signature(&token.replace("VGVzdA", "VGVzdg"), &keys), Err(Rejection::Signature));
}
