//! Proofs, byte for byte, and the nonces and times that servers tell.

use auth_core::jwt::{Asymmetric, HmacKey, KeySet, verify_signature};

use super::*;
use crate::testing::{Fixed, claims, es256, part};

fn dpop() -> Dpop {
    Dpop::new(es256(), Fixed::new()).unwrap()
}

fn proof(dpop: &Dpop, uri: &str, token: Option<&Secret>) -> String {
    let proof = dpop.proof(&Method::POST, &uri.parse().unwrap(), token, None).unwrap();
    proof.to_str().unwrap().to_owned()
}

fn nonce(nonce: &str) -> HeaderMap {
    [("dpop-nonce".parse().unwrap(), nonce.parse().unwrap())].into_iter().collect()
}

/// The shape of RFC 9449 §4.2, byte for byte.
#[test]
fn a_proof_says_what_rfc_9449_asks_for_and_no_more() {
    let dpop = dpop();
    let proof = proof(&dpop, "https://Server.example.com/token?a=b", None);
    assert_eq!(
        part(&proof, 0),
        format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#, es256().public_key().unwrap().to_jwk())
    );
    assert_eq!(
        part(&proof, 1),
        r#"{"jti":"AQEBAQEBAQEBAQEBAQEBAQ","htm":"POST","htu":"https://server.example.com/token","iat":1700000000}"#
    );
    let keys = KeySet::parse_public(&es256().public_key().unwrap().to_jwk(), &Asymmetric).unwrap();
    verify_signature(&proof, &keys).unwrap();
}

/// The token and its `ath` of RFC 9449 §7.1.
#[test]
fn a_token_that_goes_with_the_request_is_hashed_as_in_rfc_9449() {
    let token = Secret::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    let proof = proof(&dpop(), "https://resource.example.org/protectedresource", Some(&token));
    assert_eq!(claims(&proof)["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[test]
fn each_proof_has_a_name_of_its_own_and_the_servers_time() {
    let dpop = dpop();
    let (first, second) = (proof(&dpop, "https://a/t", None), proof(&dpop, "https://a/t", None));
    assert_ne!(claims(&first)["jti"], claims(&second)["jti"]);
    let server_time = Some(Timestamp::from_millis(1_800_000_000_999));
    let proof = dpop.proof(&Method::GET, &"https://a/t".parse().unwrap(), None, server_time).unwrap();
    assert_eq!(claims(proof.to_str().unwrap())["iat"], 1_800_000_000);
}

#[test]
fn the_last_nonce_of_an_origin_goes_into_its_proofs_alone() {
    let dpop = dpop();
    let (a, b) = ("https://a.example/x".parse().unwrap(), "https://b.example/x".parse().unwrap());
    assert!(dpop.heard(&a, &nonce("n1")) && dpop.heard(&a, &nonce("n2")) && dpop.heard(&b, &nonce("other")));
    assert_eq!(claims(&proof(&dpop, "https://A.example/another", None))["nonce"], "n2");
    assert_eq!(claims(&proof(&dpop.clone(), "https://b.example/x", None))["nonce"], "other");
    assert!(claims(&proof(&dpop, "https://a.example:8443/x", None)).get("nonce").is_none());
}

#[test]
fn a_nonce_that_is_empty_too_long_or_stated_twice_is_not_kept() {
    let dpop = dpop();
    let uri = "https://a/x".parse().unwrap();
    let mut twice = nonce("n1");
    twice.append("dpop-nonce", "n2".parse().unwrap());
    for headers in [nonce(""), nonce(&"n".repeat(1_025)), twice, HeaderMap::new()] {
        assert!(!dpop.heard(&uri, &headers));
    }
    assert!(claims(&proof(&dpop, "https://a/x", None)).get("nonce").is_none());
}

#[test]
fn the_number_of_nonces_is_bounded() {
    let dpop = dpop();
    for number in 0..200 {
        dpop.heard(&format!("https://a{number}/").parse().unwrap(), &nonce("n"));
    }
    assert_eq!(dpop.origins.lock().unwrap().len(), MOST_ORIGINS);
}

#[test]
fn a_bound_token_is_presented_with_its_proof_and_never_as_bearer() {
    let mut request = Request::get("https://a/x").body(()).unwrap();
    dpop().authorize(&mut request, &Secret::from("canary"), None).unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], "DPoP canary");
    assert_eq!(claims(request.headers()["dpop"].to_str().unwrap())["htm"], "GET");
    assert!(!format!("{:?}", request.headers()).contains("canary"));
    let error = dpop().authorize(&mut request, &Secret::from("a\r\nb: c"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

/// The example of RFC 9449 §9.
#[test]
fn a_resource_asks_for_its_nonce_by_a_challenge() {
    let dpop = dpop();
    let uri = "https://a/x".parse().unwrap();
    let told = |status, challenge: &str, nonce| {
        let headers = [("www-authenticate", challenge), ("dpop-nonce", nonce)];
        dpop.wants_nonce(&uri, &crate::testing::reply(status, &headers, ""))
    };
    let challenge =
        r#"DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof""#;
    assert!(told(401, challenge, "eyJ7S_zG.eyJH0-Z.HX4w-7v"));
    assert_eq!(claims(&proof(&dpop, "https://a/x", None))["nonce"], "eyJ7S_zG.eyJH0-Z.HX4w-7v");
    assert!(!told(401, r#"DPoP error="invalid_token""#, "n2"));
    assert!(!told(401, r#"Bearer error="use_dpop_nonce""#, "n3"));
    assert!(!told(403, challenge, "n4"));
    assert_eq!(claims(&proof(&dpop, "https://a/x", None))["nonce"], "n4", "each reply counts");
}

#[test]
fn what_one_server_says_of_the_time_is_believed_for_requests_to_it_alone() {
    let dpop = dpop();
    let headers = [("date".parse().unwrap(), "Tue, 14 Nov 2023 22:18:20 GMT".parse().unwrap())];
    dpop.heard(&"https://a/x".parse().unwrap(), &headers.into_iter().collect());
    assert_eq!(claims(&proof(&dpop, "https://a/x", None))["iat"], 1_700_000_300);
    assert_eq!(claims(&proof(&dpop, "https://b/x", None))["iat"], 1_700_000_000);
}

#[test]
fn a_request_without_a_host_has_no_proof() {
    let mut request = Request::get("/x").body(()).unwrap();
    let error = dpop().authorize(&mut request, &Secret::from("t"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[test]
fn a_shared_secret_proves_nothing_to_a_stranger() {
    let key = Arc::new(HmacKey::hs256(&[7; 32]).unwrap());
    assert_eq!(Dpop::new(key, Fixed::new()).unwrap_err(), ConfigError::NoPublicKey);
}
