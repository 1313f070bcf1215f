//! Private keys against the examples of RFC 7515 and RFC 8037, against our own verifier, and against halves that don't match.

use std::format;
use std::string::String;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::jwt::{Asymmetric, Draft, HmacKey, KeySet, Verifier};
use crate::time::{Moment, Now, Timestamp};

/// RFC 7515 Appendix A.2.1.
const RFC_7515_A2_INPUT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RFC_7515_A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RFC_7515_A2_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB","d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ","p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc","q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc","dp":"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0","dq":"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU","qi":"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"}"#;
/// RFC 8037 Appendix A.1.
const RFC_8037_A1_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// RFC 7515 Appendix A.3.1.
const RFC_7515_A3_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

fn from_jwk(json: &str) -> Result<SigningKey, InvalidKey> {
    SigningKey::from_jwk(&Secret::from(json))
}

fn from_pem(label: &str, der: &[u8]) -> Result<SigningKey, InvalidKey> {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| core::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
    SigningKey::from_pem(&Secret::from(pem))
}

/// Whether our own verifier takes what the key signs, by the public half that the key gives.
fn is_verified(key: &SigningKey) -> bool {
    let token = Draft::new().with_expiry(Timestamp::from_millis(60_000)).signed_by(key).unwrap();
    let keys = KeySet::parse_public(&key.public_key().unwrap().to_jwk(), &Asymmetric).unwrap();
    let now = Now { wall: Timestamp::from_millis(0), mono: Moment::ORIGIN };
    Verifier::new(keys).verify(token.expose(), now).is_ok()
}

#[test]
fn the_rsa_key_of_rfc_7515_gives_its_signature() {
    let signature = from_jwk(RFC_7515_A2_KEY).unwrap().sign(RFC_7515_A2_INPUT.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), RFC_7515_A2_SIGNATURE);
}

#[test]
fn the_ed25519_key_of_rfc_8037_gives_its_signature() {
    let signature = from_jwk(RFC_8037_A1_KEY)
        .unwrap()
        .sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
        .unwrap();
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), expected);
}

#[test]
fn our_verifier_takes_what_each_kind_of_key_signs() {
    let rsa = from_jwk(RFC_7515_A2_KEY).unwrap();
    for algorithm in Algorithm::RSA {
        let key = rsa.clone().with_algorithm(algorithm).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(is_verified(&key), "{algorithm}");
    }
    assert!(is_verified(&from_jwk(RFC_7515_A3_KEY).unwrap()));
    assert!(is_verified(&from_jwk(RFC_8037_A1_KEY).unwrap()));
}

#[test]
fn keys_are_read_from_every_pem_that_openssl_writes() {
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> = p256.private_key().as_der().unwrap();
    for (label, der, algorithm) in [
        ("PRIVATE KEY", p256.to_pkcs8v1().unwrap().as_ref(), Algorithm::Es256),
        ("PRIVATE KEY", p384.to_pkcs8v1().unwrap().as_ref(), Algorithm::Es384),
        ("PRIVATE KEY", ed25519.to_pkcs8v1().unwrap().as_ref(), Algorithm::EdDsa),
        ("PRIVATE KEY", rsa.as_ref(), Algorithm::Rs256),
        ("EC PRIVATE KEY", sec1.as_ref(), Algorithm::Es256),
    ] {
        let key = from_pem(label, der).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(is_verified(&key), "{label} {algorithm}");
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    assert_eq!(from_pem("PUBLIC KEY", b"x").unwrap_err(), InvalidKey::Malformed);
    assert_eq!(from_pem("ENCRYPTED PRIVATE KEY", b"x").unwrap_err(), InvalidKey::Unsupported);
    assert_eq!(from_pem("PRIVATE KEY", b"x").unwrap_err(), InvalidKey::Unsupported);
    assert_eq!(SigningKey::from_pem(&Secret::from("no key")).unwrap_err(), InvalidKey::Malformed);
    assert_eq!(from_jwk("[]").unwrap_err(), InvalidKey::Malformed);
    assert_eq!(from_jwk(r#"{"kty":"oct","k":"AAAA"}"#).unwrap_err(), InvalidKey::Unsupported);
    let public = from_jwk(RFC_7515_A3_KEY).unwrap().public_key().unwrap().to_jwk();
    assert_eq!(from_jwk(&public).unwrap_err(), InvalidKey::Member);
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    let another = |key: &str, from: &str, to: &str| from_jwk(&key.replace(from, to)).unwrap_err();
    assert_eq!(another(RFC_8037_A1_KEY, "nWGxne", "nWGxnf"), InvalidKey::Mismatch);
    assert_eq!(another(RFC_7515_A3_KEY, "jpsQnn", "jpsQno"), InvalidKey::Mismatch);
    assert_eq!(another(RFC_7515_A2_KEY, "Eq5xpG", "Eq5xpH"), InvalidKey::Mismatch);
}

#[test]
fn what_a_key_says_of_its_use_is_enforced() {
    let with = |member: &str| from_jwk(&RFC_7515_A3_KEY.replace(r#""kty""#, &format!(r#"{member},"kty""#)));
    assert_eq!(with(r#""use":"enc""#).unwrap_err(), InvalidKey::Use);
    assert_eq!(with(r#""key_ops":["verify"]"#).unwrap_err(), InvalidKey::Operations);
    assert_eq!(with(r#""alg":"RS256""#).unwrap_err(), InvalidKey::Algorithm);
    let key = with(r#""key_ops":["sign"],"alg":"ES256","kid":"k1""#).unwrap();
    assert_eq!(SignJws::key_id(&key), Some("k1"));
    assert_eq!(key.with_algorithm(Algorithm::Rs256).unwrap_err(), InvalidKey::Algorithm);
}

#[test]
fn a_proofs_header_has_the_public_key_and_nothing_of_the_private_one() {
    let key = from_jwk(RFC_7515_A3_KEY).unwrap().with_key_id("k1");
    let draft = Draft::new().with_type("dpop+jwt").with_header_key(&key.public_key().unwrap());
    let token = draft.signed_by(&key).unwrap();
    let header = token.expose().split('.').next().unwrap();
    let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(
        header,
        r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}"#
    );
}

#[test]
fn no_way_of_formatting_shows_the_private_half() {
    let text = format!("{:?}", from_jwk(RFC_7515_A3_KEY).unwrap());
    assert!(!text.contains("jpsQnn"), "{text}");
}

#[test]
fn an_hmac_key_signs_as_it_mints() {
    let key = HmacKey::hs256(&[7; 32]).unwrap().with_key_id("k");
    let draft = Draft::new().with_subject("s");
    assert_eq!(draft.signed_by(&key).unwrap(), key.mint(&draft));
}

#[test]
fn each_generated_key_is_another_and_its_signatures_verify() {
    let (one, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    assert!(is_verified(&one) && is_verified(&other));
    assert_eq!(one.algorithm(), Algorithm::Es256);
    let thumbprint = |key: &SigningKey| key.public_key().unwrap().thumbprint();
    assert_ne!(thumbprint(&one), thumbprint(&other));
}
