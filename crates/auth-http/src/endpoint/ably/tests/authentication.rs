//! Who a request comes from, and which error whoever it does not come from gets.

use auth_core::ably::{ClientId, TokenClientId, jwt_key, mint_jwt};
use auth_core::jwt::Draft;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::*;

fn lasting() -> Draft {
    Draft::new().with_lifetime(at(0).wall, Duration::from_secs(600))
}

fn jwt(draft: &Draft) -> Secret {
    jwt_key(&key()).mint(draft)
}

#[test]
fn a_key_speaks_for_anybody_and_a_wrong_one_for_nobody() {
    let server = Server::new();
    let ask = |text: &str, client_id: Option<&str>| {
        let key = ApiKey::parse(text).unwrap();
        let mut request = with_key(Request::get("/x").body(Bytes::new()).unwrap(), &key);
        if let Some(client_id) = client_id {
            request.headers_mut().insert("x-ably-clientid", STANDARD.encode(client_id).parse().unwrap());
        }
        let caller = authenticate(&server.records, at(0), &request);
        caller.map(|caller| caller.client_id).map_err(|refusal| refusal.info().code.number())
    };
    let good = "appid1.keyid1:SecretSecretSecret";
    assert_eq!(ask(good, None), Ok(Some(TokenClientId::Wildcard)));
    assert_eq!(ask(good, Some("bob")), Ok(Some(ClientId::new("bob").unwrap().into())));
    for wrong in ["appid1.keyid1:wrong", "appid1.unknown:SecretSecretSecret", "x.y:SecretSecretSecret"] {
        assert_eq!(ask(wrong, None), Err(40_101), "{wrong}");
    }
}

#[test]
fn a_token_is_read_raw_and_from_base64_with_and_without_padding() {
    let mut server = Server::new();
    let token = server.token(at(0), &key(), &TokenParams::new()).token().clone();
    for token in [&token, &mint_jwt(&key(), &TokenParams::new(), at(0))] {
        for text in [
            token.expose().to_owned(),
            STANDARD.encode(token.expose()),
            STANDARD_NO_PAD.encode(token.expose()),
        ] {
            assert!(server.bearer(at(0), &Secret::from(text)).is_ok());
        }
        for name in ["access_token", "accessToken"] {
            let uri = format!("/x?{name}={}", token.expose());
            let request = Request::get(uri).body(Bytes::new()).unwrap();
            assert!(authenticate(&server.records, at(0), &request).is_ok());
        }
    }
}

/// Ably's numbers, as far as a token can run into them.
#[test]
fn each_problem_of_a_token_has_its_status_and_number() {
    let server = Server::new();
    let other = ApiKey::parse("other.keyid1:SecretSecretSecret").unwrap();
    let unknown = ApiKey::parse("appid1.unknown:SecretSecretSecret").unwrap();
    let wrong = ApiKey::parse("appid1.keyid1:wrong").unwrap();
    let params = TokenParams::new();
    let text = |text: &str| Secret::from(text);
    for (problem, token, expected) in [
        ("not known", text("appid1.AAAA"), (40_143, 401)),
        ("of another app", text("other.AAAA"), (40_101, 401)),
        ("junk", text("fake"), (40_101, 401)),
        ("junk with dots", text("x.y.z"), (40_144, 401)),
        ("JWT of an unknown app", mint_jwt(&other, &params, at(0)), (40_400, 404)),
        ("JWT of an unknown key", mint_jwt(&unknown, &params, at(0)), (40_400, 401)),
        ("JWT under a wrong secret", mint_jwt(&wrong, &params, at(0)), (40_144, 401)),
        ("JWT expired", mint_jwt(&key(), &params.clone().with_timestamp(at(0).wall), at(0)), (40_142, 401)),
        ("JWT without iat", jwt(&Draft::new().with_expiry(at(9_000).wall)), (40_144, 400)),
        ("JWT without exp", jwt(&Draft::new().with_issued_at(at(0).wall)), (40_144, 400)),
        (
            "JWT of the future",
            jwt(&Draft::new().with_lifetime(at(9_000).wall, Duration::from_secs(9))),
            (40_144, 401),
        ),
        (
            "JWT without kid",
            auth_core::jwt::HmacKey::hs256(&[7; 32]).unwrap().mint(&lasting()),
            (40_400, 404),
        ),
    ] {
        assert_eq!(server.bearer(at(4_000), &token), Err(expected), "{problem}");
    }
    for (problem, draft, expected) in [
        ("capability", lasting().with_text("x-ably-capability", "{"), (40_144, 401)),
        ("clientId", lasting().with_text("x-ably-clientId", ""), (40_144, 401)),
        (
            "nothing granted",
            lasting().with_text("x-ably-capability", r#"{"news":["publish"]}"#),
            (40_160, 401),
        ),
    ] {
        assert_eq!(server.bearer(at(0), &jwt(&draft)), Err(expected), "{problem}");
    }
}

#[test]
fn a_revocation_key_that_is_no_text_is_not_taken_for_absent() {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let bearer = |revocation_key: &str| {
        let (iat, exp) = (at(0).wall.as_secs(), at(60).wall.as_secs());
        let claims = format!(r#"{{"iat":{iat},"exp":{exp},"x-ably-revocation-key":{revocation_key}}}"#);
        let header = br#"{"alg":"HS256","kid":"appid1.keyid1"}"#;
        let signed = format!("{}.{}", encode(header), encode(claims.as_bytes()));
        let mac = encode(&mac(b"SecretSecretSecret", signed.as_bytes()));
        Server::new().bearer(at(0), &Secret::from(format!("{signed}.{mac}")))
    };
    assert!(bearer(r#""k""#).is_ok());
    for revocation_key in ["5", "null", "[]"] {
        assert_eq!(bearer(revocation_key), Err((40_144, 401)), "{revocation_key}");
    }
}

#[test]
fn a_jwt_gets_what_it_claims_as_far_as_its_key_has_it() {
    let server = Server::new();
    let claim = lasting()
        .with_text("x-ably-capability", r#"{"chat:lobby":["*"],"other":["*"]}"#)
        .with_text("x-ably-clientId", "alice");
    let caller = server.bearer(at(0), &jwt(&claim)).unwrap();
    assert_eq!(caller.capability.canonical_text(), r#"{"chat:lobby":["publish","subscribe"]}"#);
    assert_eq!((caller.client_id.unwrap().as_str(), caller.expires), ("alice", Some(at(600).wall)));
    let caller = server.bearer(at(0), &jwt(&lasting())).unwrap();
    assert_eq!(
        caller.capability.canonical_text(),
        r#"{"chat:*":["publish","subscribe"],"news":["subscribe"]}"#
    );
    assert_eq!(caller.client_id, None);
}

#[test]
fn a_jwt_whose_key_has_revocable_tokens_lives_an_hour_at_most() {
    let server = Server::new();
    // Not at a whole second: the expiry is rounded up.
    let now = Now { wall: Timestamp::from_millis(START + 500), ..at(0) };
    let mint = |ttl: Duration| mint_jwt(&revocable_key(), &TokenParams::new().with_ttl(ttl), now);
    assert!(server.bearer(now, &mint(Duration::from_secs(3_600))).is_ok());
    assert_eq!(server.bearer(now, &mint(Duration::from_secs(3_602))), Err((40_144, 400)));
    let unrevocable = mint_jwt(&key(), &TokenParams::new().with_ttl(Duration::from_secs(9_000)), now);
    assert!(server.bearer(now, &unrevocable).is_ok());
}

#[test]
fn a_token_inside_a_jwt_is_what_counts() {
    let mut server = Server::new();
    let params = TokenParams::new().with_client_id(ClientId::new("alice").unwrap());
    let inner = server.token(at(0), &key(), &params.with_ttl(Duration::from_secs(300))).token().clone();
    // Signed by whoever it concerns.
    let outer = |seconds, inner: &str| {
        let draft = Draft::new().with_lifetime(at(0).wall, Duration::from_secs(seconds));
        auth_core::jwt::HmacKey::hs256(&[7; 32]).unwrap().mint(&draft.with_text("x-ably-token", inner))
    };
    let caller = server.bearer(at(0), &outer(200, inner.expose())).unwrap();
    assert_eq!((caller.client_id.unwrap().as_str(), caller.expires), ("alice", Some(at(200).wall)));
    assert_eq!(server.bearer(at(200), &outer(200, inner.expose())), Err((40_142, 401)));
    assert_eq!(server.bearer(at(0), &outer(301, inner.expose())), Err((40_144, 401)));
    assert_eq!(server.bearer(at(0), &outer(200, "appid1.AAAA")), Err((40_143, 401)));

    let header = format!(r#"{{"typ":"JWT","alg":"HS256","x-ably-token":"{}"}}"#, inner.expose());
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"exp":{}}}"#, at(100).wall.as_secs());
    let in_header = Secret::from(format!("{}.{}.AAAA", encode(&header), encode(&claims)));
    assert_eq!(server.bearer(at(0), &in_header).unwrap().expires, Some(at(100).wall));
}
