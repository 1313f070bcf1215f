//! What a set of keys says of itself is enforced, and weak or ambiguous keys do not get in.

use std::format;
use std::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::jwt::{PublicKey, SymmetricOnly, VerifySignature};

/// Takes every key whose numbers have the right sizes.
struct TakesAll;

impl SignatureBackend for TakesAll {
    fn load(&self, _key: &PublicKey) -> Result<alloc::sync::Arc<dyn VerifySignature>, InvalidKey> {
        struct No;
        impl VerifySignature for No {
            fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
                false
            }
        }
        Ok(alloc::sync::Arc::new(No))
    }
}

fn parse(json: &str) -> Result<usize, InvalidKey> {
    KeySet::parse(json, &TakesAll).map(|set| set.len())
}

fn oct(length: usize, more: &str) -> String {
    format!(r#"{{"kty":"oct","k":"{}"{more}}}"#, URL_SAFE_NO_PAD.encode(std::vec![7; length]))
}

fn rsa(modulus: &[u8], exponent: &[u8], more: &str) -> String {
    let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
    format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"{more}}}"#)
}

/// A number of this many bytes that has no mark of the faulty generator.
fn modulus(length: usize) -> Vec<u8> {
    std::vec![0xff; length]
}

const E: &[u8] = &[1, 0, 1];
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn each_kind_of_key_is_read() {
    assert_eq!(parse(&oct(32, r#","alg":"HS256""#)), Ok(1));
    assert_eq!(parse(&oct(32, "")), Ok(1));
    assert_eq!(parse(&rsa(&modulus(256), E, r#","use":"sig","alg":"PS256""#)), Ok(1));
    assert_eq!(parse(&rsa(&[&[0][..], &modulus(256)].concat(), E, "")), Ok(1), "a sign byte is tolerated");
    assert_eq!(parse(P256), Ok(1));
    assert_eq!(parse(ED25519), Ok(1));
    assert_eq!(parse(&format!(r#"{{"keys":[{P256},{ED25519}]}}"#)), Ok(2));
}

#[test]
fn what_a_key_says_of_its_use_is_enforced() {
    for (more, refused) in [
        (r#","use":"enc""#, InvalidKey::Use),
        (r#","use":5"#, InvalidKey::Use),
        (r#","key_ops":["encrypt"]"#, InvalidKey::Operations),
        (r#","key_ops":["sign"]"#, InvalidKey::Operations),
        (r#","key_ops":[]"#, InvalidKey::Operations),
        (r#","key_ops":"verify""#, InvalidKey::Operations),
        (r#","key_ops":["verify","verify"]"#, InvalidKey::Operations),
        (r#","alg":"RS256""#, InvalidKey::Algorithm),
        (r#","alg":"A256GCM""#, InvalidKey::AlgorithmUnknown),
        (r#","alg":"none""#, InvalidKey::AlgorithmUnknown),
        (r#","alg":5"#, InvalidKey::Algorithm),
        (r#","kid":5"#, InvalidKey::KeyId),
        (r#","kty":"oct""#, InvalidKey::Malformed),
    ] {
        assert_eq!(parse(&oct(32, more)), Err(refused), "{more}");
    }
    assert_eq!(parse(&oct(32, r#","use":"sig","key_ops":["sign","verify"]"#)), Ok(1));
    let (p256, alg) = (P256.trim_end_matches('}'), r#","alg":"ES384"}"#);
    assert_eq!(parse(&format!("{p256}{alg}")), Err(InvalidKey::Algorithm), "the curve decides");
    assert_eq!(parse(&P256.replace("P-256", "secp256k1")), Err(InvalidKey::Unsupported));
    assert_eq!(
        parse(&P256.replace("P-256", "P-384")),
        Err(InvalidKey::Member),
        "coordinates have one length"
    );
    assert_eq!(parse(r#"{"kty":"EC","crv":"P-256"}"#), Err(InvalidKey::Member));
    assert_eq!(parse(r#"{"kty":"DSA"}"#), Err(InvalidKey::Unsupported));
    assert_eq!(parse(r#"{"k":"AAAA"}"#), Err(InvalidKey::Member));
    let strong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(parse(&format!(r#"{{"kty":"oct","k":"{strong}"}}"#)), Ok(1), "the control");
    assert_eq!(parse(&format!(r#"{{"kty":"oct","k":"{strong}="}}"#)), Err(InvalidKey::Member), "padding");
    let unused_bits = strong.replacen('A', "", 1) + "B";
    assert_eq!(
        parse(&format!(r#"{{"kty":"oct","k":"{unused_bits}"}}"#)),
        Err(InvalidKey::Member),
        "unused bits"
    );
    let many: Vec<_> = (0..16).map(|number| format!("\"{number}\"")).collect();
    let many = format!(r#","key_ops":[{},"verify"]"#, many.join(","));
    assert_eq!(parse(&oct(32, &many)), Err(InvalidKey::Operations), "no list is that long");
    assert_eq!(KeySet::parse(P256, &SymmetricOnly).map(|_| ()), Err(InvalidKey::Unsupported));
}

#[test]
fn weak_keys_are_refused() {
    for length in [0, 1, 31] {
        assert_eq!(parse(&oct(length, "")), Err(InvalidKey::Weak), "{length}");
    }
    assert_eq!(parse(&oct(47, r#","alg":"HS384""#)), Err(InvalidKey::Weak));
    assert_eq!(parse(&oct(63, r#","alg":"HS512""#)), Err(InvalidKey::Weak));
    assert_eq!(parse(&rsa(&modulus(128), E, "")), Err(InvalidKey::Weak));
    assert_eq!(
        parse(&rsa(&[&[0x7f][..], &modulus(255)].concat(), E, "")),
        Err(InvalidKey::Weak),
        "2047 bits"
    );
    assert_eq!(parse(&rsa(&modulus(1_025), E, "")), Err(InvalidKey::TooLong));
    for exponent in [&[][..], &[1], &[3], &[1, 0, 0], &[0xff, 0xff]] {
        assert_eq!(parse(&rsa(&modulus(256), exponent, "")), Err(InvalidKey::Weak), "{exponent:?}");
    }
    assert_eq!(parse(&rsa(&modulus(256), &[0xff; 5], "")), Err(InvalidKey::TooLong));
    let even = [&modulus(255)[..], &[0xfe]].concat();
    assert_eq!(parse(&rsa(&even, E, "")), Err(InvalidKey::Weak));
}

/// CVE-2017-15361: the faulty generator made moduli that are powers of 65537 modulo each small prime, as 65537^128 is.
#[test]
fn a_modulus_with_the_mark_of_the_faulty_generator_is_refused() {
    let mut marked = std::vec![1_u8];
    for _ in 0..128 {
        // Times 65537, little-endian: the number, and itself two bytes higher.
        let mut product = std::vec![0; marked.len() + 3];
        let mut carry = 0_u32;
        for (index, byte) in product.iter_mut().enumerate() {
            let at = |index: usize| marked.get(index).copied().map_or(0, u32::from);
            carry += at(index) + if index >= 2 { at(index - 2) } else { 0 };
            *byte = carry as u8;
            carry >>= 8;
        }
        marked = product;
    }
    let marked: Vec<u8> = marked.into_iter().rev().collect();
    assert_eq!(parse(&rsa(&marked, E, "")), Err(InvalidKey::Weak));
    let mut unmarked = marked;
    *unmarked.last_mut().unwrap() = 3;
    assert_eq!(parse(&rsa(&unmarked, E, "")), Ok(1), "the control");
}

#[test]
fn points_of_small_order_are_refused() {
    let key = |x: &[u8]| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(x));
    let mut point = [0; 32];
    for (first, last) in [(0, 0), (1, 0), (0, 0x80), (1, 0x80)] {
        (point[0], point[31]) = (first, last);
        assert_eq!(parse(&key(&point)), Err(InvalidKey::Point), "{first} {last}");
    }
    let mut point = [0xff; 32];
    for (first, last) in [(0xec, 0x7f), (0xed, 0x7f), (0xee, 0xff), (0xff, 0xff)] {
        (point[0], point[31]) = (first, last);
        assert_eq!(parse(&key(&point)), Err(InvalidKey::Point), "{first} {last}");
    }
    for text in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let byte = |at: usize| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap();
        let mut point: Vec<u8> = (0..32).map(byte).collect();
        for sign in [0, 0x80] {
            point[31] = (point[31] & 0x7f) | sign;
            assert_eq!(parse(&key(&point)), Err(InvalidKey::Point), "a point of order 8");
        }
    }
    assert_eq!(parse(&key(&[1; 31])), Err(InvalidKey::Member));
}

#[test]
fn ambiguous_sets_are_refused_and_what_cannot_be_used_is_left_out() {
    let set = |keys: &[String]| KeySet::parse(&format!(r#"{{"keys":[{}]}}"#, keys.join(",")), &TakesAll);
    let named = |name: &str| oct(32, &format!(r#","kid":"{name}""#));
    assert_eq!(set(&[named("a"), named("b")]).unwrap().len(), 2);
    assert_eq!(set(&[named("a"), named("a")]).unwrap_err(), InvalidKey::DuplicateKeyId);
    let (hs256, hs512) = (oct(64, r#","kid":"a","alg":"HS256""#), oct(64, r#","kid":"a","alg":"HS512""#));
    assert_eq!(set(&[hs256, hs512]).unwrap_err(), InvalidKey::DuplicateKeyId, "whatever they are for");
    assert_eq!(set(&[named("a"), P256.into()]).unwrap_err(), InvalidKey::MixedSet);
    let (weak, other) = (oct(8, r#","kid":"a""#), oct(32, r#","kid":"a","use":"enc""#));
    assert_eq!(
        set(&[named("a"), weak]).unwrap_err(),
        InvalidKey::DuplicateKeyId,
        "a broken key claims its name"
    );
    assert!(set(&[named("a"), other]).is_ok(), "a key for something else does not");
    let encrypts = rsa(&modulus(256), E, r#","kid":"a","alg":"RSA-OAEP""#);
    assert!(set(&[named("a"), encrypts]).is_ok(), "nor does one for another kind of algorithm");
    assert_eq!(set(&[]).unwrap_err(), InvalidKey::NoKeys);
    assert_eq!(set(&[oct(8, "")]).unwrap_err(), InvalidKey::Weak);
    let many: Vec<_> = (0..65).map(|number| named(&format!("{number}"))).collect();
    assert_eq!(set(&many).unwrap_err(), InvalidKey::TooMany);
    assert!(set(&many[1..]).is_ok());
    let some = set(&[P256.into(), r#"{"kty":"DSA"}"#.into(), P256.replace('{', r#"{"use":"enc","#)]).unwrap();
    assert_eq!((some.len(), some.refused()), (1, &[InvalidKey::Unsupported, InvalidKey::Use][..]));
    for text in ["", "[]", r#"{"keys":{}}"#, r#"{"keys":[5]}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(parse(text), Err(InvalidKey::Malformed), "{text}");
    }
}

#[test]
fn a_secret_without_alg_does_for_the_hashes_that_it_is_long_enough_for() {
    let verified = |length: usize| {
        let set = KeySet::parse(&oct(length, ""), &TakesAll).unwrap();
        let bytes = std::vec![7; length];
        let keys = [HmacKey::hs256(&bytes), HmacKey::hs384(&bytes), HmacKey::hs512(&bytes)];
        let verified = |key: HmacKey| {
            let token = key.mint(&crate::jwt::Draft::new());
            crate::jwt::verify_signature(token.expose(), &set).is_ok()
        };
        keys.into_iter().flatten().filter(|key| verified(key.clone())).count()
    };
    assert_eq!((verified(32), verified(48), verified(64)), (1, 2, 3));
    let set = KeySet::parse(&oct(64, r#","alg":"HS512""#), &TakesAll).unwrap();
    let token = HmacKey::hs256(&[7; 64]).unwrap().mint(&crate::jwt::Draft::new());
    assert_eq!(crate::jwt::verify_signature(token.expose(), &set), Err(Rejection::AlgorithmMismatch));
}

#[test]
fn a_secret_in_a_public_set_is_refused_whatever_it_is_for() {
    let public = |json: &str| KeySet::parse_public(json, &TakesAll).map(|_| ());
    assert_eq!(public(&oct(32, "")), Err(InvalidKey::PublicSecret));
    assert_eq!(public(P256), Ok(()));
    for secret in
        [oct(32, ""), oct(8, ""), oct(32, r#","use":"enc""#), P256.replacen('{', r#"{"d":"AAAA","#, 1)]
    {
        let set = format!(r#"{{"keys":[{P256},{secret}]}}"#);
        assert_eq!(public(&set), Err(InvalidKey::PublicSecret), "{secret}");
    }
}

#[test]
fn a_rotated_key_verifies_beside_its_successor() {
    let old = HmacKey::hs256(&[1; 32]).unwrap().with_key_id("old");
    let new = HmacKey::hs256(&[2; 32]).unwrap().with_key_id("new");
    let set = KeySet::of(old.clone()).with_key(new.clone()).unwrap();
    for key in [&old, &new] {
        assert_eq!(crate::jwt::verify_signature(key.mint(&crate::jwt::Draft::new()).expose(), &set), Ok(()));
    }
    assert_eq!(set.with_key(old).unwrap_err(), InvalidKey::DuplicateKeyId);
    let nameless = HmacKey::hs256(&[1; 32]).unwrap();
    let two = KeySet::of(nameless.clone()).with_key(HmacKey::hs256(&[2; 32]).unwrap()).unwrap();
    let token = nameless.mint(&crate::jwt::Draft::new());
    assert_eq!(crate::jwt::verify_signature(token.expose(), &two), Err(Rejection::KeyAmbiguous));
}

#[test]
fn no_secret_shows_in_debug() {
    let set = KeySet::of(HmacKey::hs256(b"canary canary canary canary canary").unwrap().with_key_id("k"));
    assert!(!format!("{set:?}").contains("canary") && !format!("{set:?}").contains("99, 97"));
}
