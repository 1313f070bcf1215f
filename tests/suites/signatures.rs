//! Signatures of every algorithm, as the RFCs print them or another library makes them, and what attackers make of them.

use auth_core::jwt::{
    Algorithm, Asymmetric, Draft, HmacKey, InvalidKey, KeySet, Rejection, verify_signature,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The examples, each with its key: RFC 7515 A, RFC 7520 §4, RFC 8037 A, RFC 9449; for the algorithms that these leave out,
/// tokens signed with pyca/cryptography.
fn examples() -> Vec<Value> {
    serde_json::from_str(include_str!("../vectors/jws.json")).unwrap()
}

fn example(name: &str) -> (String, String) {
    let example = examples().into_iter().find(|example| example["name"] == name).unwrap();
    (example["jws"].as_str().unwrap().to_owned(), example["jwk"].to_string())
}

fn keys(jwk: &str) -> KeySet {
    KeySet::parse(jwk, &Asymmetric).unwrap()
}

/// Every algorithm by its name.
const NAMES: [&str; 12] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
    "EdDSA",
];

const RS256: &str = "RFC 7515 A.2 RS256";
const ES256: &str = "RFC 7515 A.3 ES256";
const EDDSA: &str = "RFC 8037 A.4 EdDSA";

#[test]
fn the_examples_of_the_rfcs_verify_and_one_changed_byte_does_not() {
    let mut verified = Vec::new();
    for example in examples() {
        let (name, jwk) = (example["name"].as_str().unwrap(), example["jwk"].to_string());
        let set = KeySet::parse(&jwk, &Asymmetric);
        if example["expect"] == "unsupported" {
            assert_eq!(set.unwrap_err(), InvalidKey::Unsupported, "{name}");
            continue;
        }
        let (set, jws) = (set.unwrap(), example["jws"].as_str().unwrap());
        assert_eq!(verify_signature(jws, &set), Ok(()), "{name}");
        verified.push(name.split(' ').next_back().unwrap().to_owned());

        let (input, signature) = jws.rsplit_once('.').unwrap();
        let middle = signature.len() / 2;
        let other = if signature.as_bytes()[middle] == b'A' { "B" } else { "A" };
        let changed = format!("{input}.{}{other}{}", &signature[..middle], &signature[middle + 1..]);
        assert!(verify_signature(&changed, &set).is_err(), "{name} with another signature");
        let first = if input.as_bytes()[input.len() - 2] == b'A' { "B" } else { "A" };
        let changed =
            format!("{}{first}{}.{signature}", &input[..input.len() - 2], &input[input.len() - 1..]);
        assert!(verify_signature(&changed, &set).is_err(), "{name} with another payload");
    }
    for algorithm in NAMES.into_iter().chain(["proof"]) {
        assert!(verified.iter().any(|one| one == algorithm), "no example of {algorithm} was verified");
    }
}

/// Threat 18: a public key is no shared secret, whatever the token says.
#[test]
fn a_public_key_never_verifies_an_hmac() {
    for name in [RS256, ES256, EDDSA] {
        let (_, jwk) = example(name);
        let forged = HmacKey::hs256(jwk.as_bytes()).unwrap().mint(&Draft::new());
        assert_eq!(
            verify_signature(forged.expose(), &keys(&jwk)),
            Err(Rejection::AlgorithmMismatch),
            "{name}"
        );
    }
}

#[test]
fn a_key_that_names_its_algorithm_verifies_no_other() {
    let (jws, jwk) = example("RFC 7520 §4.1 RS256");
    let naming = |algorithm: &str| jwk.replacen('{', &format!("{{\"alg\":\"{algorithm}\","), 1);
    assert_eq!(verify_signature(&jws, &keys(&jwk)), Ok(()), "without alg, the key does for all of its type");
    assert_eq!(verify_signature(&jws, &keys(&naming("RS256"))), Ok(()));
    for other in ["RS384", "PS256", "PS512"] {
        assert_eq!(verify_signature(&jws, &keys(&naming(other))), Err(Rejection::AlgorithmMismatch));
    }
    for wrong in ["HS256", "ES256", "EdDSA"] {
        assert_eq!(KeySet::parse(&naming(wrong), &Asymmetric).unwrap_err(), InvalidKey::Algorithm);
    }
    let encrypts = KeySet::parse(&naming("RSA-OAEP"), &Asymmetric);
    assert_eq!(encrypts.unwrap_err(), InvalidKey::AlgorithmUnknown);
}

#[test]
fn ecdsa_signatures_in_der_zero_short_and_long_are_rejected() {
    let (jws, jwk) = example(ES256);
    let (input, signature) = jws.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let verdict = |signature: &[u8]| {
        verify_signature(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)), &keys(&jwk))
    };
    assert_eq!(verdict(&signature), Ok(()), "the control");
    let integer = |number: &[u8]| {
        let sign: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
        [&[2, (number.len() + sign.len()) as u8], sign, number].concat()
    };
    let (r, s) = signature.split_at(32);
    let body = [integer(r), integer(s)].concat();
    assert_eq!(verdict(&[&[0x30, body.len() as u8][..], &body].concat()), Err(Rejection::SignatureDer));
    assert_eq!(verdict(&[0; 64]), Err(Rejection::SignatureZero));
    assert_eq!(verdict(&signature[..63]), Err(Rejection::SignatureLength));
    assert_eq!(verdict(&[&signature[..], &[0]].concat()), Err(Rejection::SignatureLength));
}

#[test]
fn points_that_are_on_no_curve_are_refused_at_load() {
    let (_, jwk) = example(ES256);
    let mut key: Value = serde_json::from_str(&jwk).unwrap();
    let y = key["y"].as_str().unwrap().to_owned();
    key["y"] = Value::from(format!("{}{}", &y[..y.len() - 2], if y.ends_with("AA") { "BA" } else { "AA" }));
    assert_eq!(KeySet::parse(&key.to_string(), &Asymmetric).unwrap_err(), InvalidKey::Point);
}

#[test]
fn each_algorithm_has_the_name_that_tokens_have_for_it() {
    for name in NAMES {
        assert_eq!(Algorithm::named(name).unwrap().name(), name);
    }
    assert_eq!(Algorithm::named("Ed25519"), Algorithm::named("EdDSA"));
    for name in ["none", "", "rs256", "ES512", "ES256K", "RSA-OAEP"] {
        assert_eq!(Algorithm::named(name), None);
    }
}
