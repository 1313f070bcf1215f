//! Revocations: what is taken back, from whom, and how that is told.

use auth_core::ably::{ClientId, RevocationRequest, RevocationResult, RevocationTarget, mint_jwt};
use base64::Engine as _;
use serde_json::{Value, json};

use super::*;

const PATH: &str = "/keys/appid1.keyid2/revokeTokens";

fn request(body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = with_key(post(PATH, body), &revocable_key());
    request.headers_mut().insert("x-ably-version", "6".parse().unwrap());
    request
}

fn revoke(server: &mut Server, now: Now, revocation: &RevocationRequest) -> RevocationResult {
    let response = server.send(now, &request(revocation.to_json().expose().to_owned()));
    assert_eq!(response.status(), 201, "{response:?}");
    RevocationResult::parse(response.body()).unwrap()
}

fn target(text: &str) -> RevocationRequest {
    RevocationRequest::new(vec![RevocationTarget::parse(text).unwrap()])
}

fn alice() -> TokenParams {
    TokenParams::new().with_client_id(ClientId::new("alice").unwrap())
}

#[test]
fn rsa17_each_kind_of_target_revokes_its_tokens_and_jwts_alike() {
    let capability = r#"{"chat:*":["publish"]}"#;
    let params = alice().with_capability(capability.parse().unwrap());
    for text in ["clientId:alice", "channel:chat:*"] {
        let mut server = Server::new();
        let token = server.token(at(0), &revocable_key(), &params).token().clone();
        let jwt = mint_jwt(&revocable_key(), &params, at(0));
        let bystander = server.token(at(0), &revocable_key(), &TokenParams::new()).token().clone();
        let other_key = server.token(at(0), &key(), &params).token().clone();
        let result = revoke(&mut server, at(10), &target(text));
        let revoked = result.results[0].as_ref().unwrap();
        assert_eq!((revoked.issued_before, revoked.applies_at), (at(10).wall, at(10).wall));
        for token in [&token, &jwt] {
            assert_eq!(server.bearer(at(10), token), Err((40_141, 401)), "{text}");
        }
        for token in [&bystander, &other_key] {
            assert!(server.bearer(at(10), token).is_ok(), "{text}");
        }
        let next = server.token(at(11), &revocable_key(), &params).token().clone();
        assert!(server.bearer(at(11), &next).is_ok(), "the key is not revoked, and the client may come back");
    }
}

/// A clock may be a minute ahead, so a JWT that seems to be issued just after a revocation may be older than it.
#[test]
fn rsa17e_a_jwt_of_a_clock_that_is_ahead_does_not_escape_a_revocation() {
    let mut server = Server::new();
    let jwt_at = |seconds| mint_jwt(&revocable_key(), &alice(), at(seconds));
    // Minted at 0 s by a clock that is 50 s ahead.
    let ahead = jwt_at(50);
    assert!(server.bearer(at(0), &ahead).is_ok());
    revoke(&mut server, at(1), &target("clientId:alice"));
    for seconds in [1, 50, 600] {
        assert_eq!(server.bearer(at(seconds), &ahead), Err((40_141, 401)), "{seconds}");
    }
    assert_eq!(server.bearer(at(60), &jwt_at(60)), Err((40_141, 401)), "it may be as old");
    assert!(server.bearer(at(62), &jwt_at(62)).is_ok(), "it can't be");
    let token = server.token(at(1), &revocable_key(), &alice());
    assert!(server.bearer(at(1), token.token()).is_ok(), "our own clock is not ahead of itself");
}

#[test]
fn what_was_issued_in_the_millisecond_of_its_revocation_is_revoked() {
    let mut server = Server::new();
    let token = server.token(at(0), &revocable_key(), &alice()).token().clone();
    revoke(&mut server, at(0), &target("clientId:alice"));
    assert_eq!(server.bearer(at(0), &token), Err((40_141, 401)));
    let next = server.token(at(0), &revocable_key(), &alice()).token().clone();
    assert!(server.bearer(at(0), &next).is_ok(), "what comes after it is not");
    // Who names the time means it.
    let later = server.token(at(5), &revocable_key(), &alice()).token().clone();
    revoke(&mut server, at(6), &target("clientId:alice").with_issued_before(at(5).wall));
    assert!(server.bearer(at(6), &later).is_ok());
}

#[test]
fn what_is_no_token_of_ours_is_not_said_to_be_revoked() {
    let mut server = Server::new();
    let token = server.token(at(0), &revocable_key(), &TokenParams::new()).token().clone();
    let encoded = base64::engine::general_purpose::STANDARD.encode(token.expose());
    for text in ["garbage", "appid1.garbage", "a.b.c", &encoded] {
        let target = RevocationTarget::token(Secret::from(text));
        let result = revoke(&mut server, at(1), &RevocationRequest::new(vec![target]));
        let refused = result.results[0].as_ref().unwrap_err();
        assert_eq!((refused.error.code.number(), refused.error.status), (40_000, 400), "{text}");
    }
    assert!(server.bearer(at(1), &token).is_ok(), "the control");
}

#[test]
fn a_revocation_key_finds_the_jwts_that_carry_it() {
    use auth_core::ably::jwt_key;
    use auth_core::jwt::Draft;
    let mut server = Server::new();
    let jwt = |group: &str| {
        let lifetime = Duration::from_secs(600);
        let draft =
            Draft::new().with_lifetime(at(0).wall, lifetime).with_text("x-ably-revocation-key", group);
        jwt_key(&revocable_key()).mint(&draft)
    };
    revoke(&mut server, at(10), &target("revocationKey:team:red"));
    assert_eq!(server.bearer(at(10), &jwt("team:red")), Err((40_141, 401)));
    assert!(server.bearer(at(10), &jwt("team")).is_ok());
}

#[test]
fn a_single_token_is_revoked_by_its_text_even_in_the_moment_of_its_issue() {
    let mut server = Server::new();
    let issued = server.token(at(0), &revocable_key(), &TokenParams::new()).token().clone();
    let jwt = mint_jwt(&revocable_key(), &TokenParams::new(), at(0));
    let bystander = server.token(at(0), &revocable_key(), &TokenParams::new()).token().clone();
    for token in [&issued, &jwt] {
        revoke(&mut server, at(0), &RevocationRequest::new(vec![RevocationTarget::token(token.clone())]));
        assert_eq!(server.bearer(at(0), token), Err((40_141, 401)));
    }
    assert!(server.bearer(at(0), &bystander).is_ok());

    let others =
        [server.token(at(0), &key(), &TokenParams::new()).token().clone(), mint_jwt(&key(), &alice(), at(0))];
    for token in others {
        let result =
            revoke(&mut server, at(0), &RevocationRequest::new(vec![RevocationTarget::token(token.clone())]));
        let refused = result.results[0].as_ref().unwrap_err();
        assert_eq!((refused.error.code.number(), refused.error.status), (40_133, 401));
        assert!(server.bearer(at(0), &token).is_ok());
    }
}

#[test]
fn a_token_inside_a_jwt_is_revoked_by_either_text() {
    use auth_core::jwt::{Draft, HmacKey};
    let wrapped = |token: &Secret| {
        let draft = Draft::new().with_lifetime(at(0).wall, Duration::from_secs(60));
        HmacKey::hs256(&[7; 32]).unwrap().mint(&draft.with_text("x-ably-token", token.expose()))
    };
    for by_outer in [true, false] {
        let mut server = Server::new();
        let inner = server.token(at(0), &revocable_key(), &TokenParams::new()).token().clone();
        let outer = wrapped(&inner);
        assert!(server.bearer(at(0), &outer).is_ok());
        let named = if by_outer { outer.clone() } else { inner.clone() };
        revoke(&mut server, at(1), &RevocationRequest::new(vec![RevocationTarget::token(named)]));
        for token in [&inner, &outer] {
            assert_eq!(server.bearer(at(1), token), Err((40_141, 401)));
        }
    }
}

#[test]
fn rsa17f_a_margin_puts_a_revocation_off_by_thirty_seconds() {
    let mut server = Server::new();
    let token = server.token(at(0), &revocable_key(), &alice()).token().clone();
    let result = revoke(&mut server, at(10), &target("clientId:alice").with_reauth_margin());
    assert_eq!(result.results[0].as_ref().unwrap().applies_at, at(40).wall);
    assert!(server.bearer(at(39), &token).is_ok());
    assert_eq!(server.bearer(at(40), &token), Err((40_141, 401)));
}

#[test]
fn rsa17e_issued_before_spares_what_is_later_and_is_within_the_last_hour() {
    let mut server = Server::new();
    let early = server.token(at(4_000), &revocable_key(), &alice()).token().clone();
    let late = server.token(at(4_100), &revocable_key(), &alice()).token().clone();
    let ask = |seconds| target("clientId:alice").with_issued_before(at(seconds).wall);
    revoke(&mut server, at(4_200), &ask(4_050));
    assert_eq!(server.bearer(at(4_200), &early), Err((40_141, 401)));
    assert!(server.bearer(at(4_200), &late).is_ok());
    for (seconds, accepted) in [(600, true), (599, false), (4_200, true), (4_201, false)] {
        let response = server.send(at(4_200), &request(ask(seconds).to_json().expose().to_owned()));
        if accepted {
            assert_eq!(response.status(), 201, "{seconds}");
        } else {
            assert_eq!(error(&response), (400, 40_003), "{seconds}");
        }
    }
}

#[test]
fn an_unknown_kind_fails_alone_and_in_its_place() {
    let mut server = Server::new();
    let body = r#"{"targets":["clientId:ivy","bogus:x","channel:a:b"],"allowReauthMargin":false}"#;
    let response = server.send(at(0), &request(body));
    assert_eq!(response.status(), 201);
    let result = RevocationResult::parse(response.body()).unwrap();
    assert_eq!((result.success_count(), result.failure_count()), (2, 1));
    let refused = result.results[1].as_ref().unwrap_err();
    assert_eq!(
        (refused.target.kind(), refused.error.code.number(), refused.error.status),
        ("bogus", 40_000, 400)
    );
}

#[test]
fn an_old_library_gets_a_list_and_an_error_where_any_failed() {
    let mut server = Server::new();
    for version in [None, Some("2"), Some("1.2"), Some("x")] {
        let mut ask = |body: &'static str| {
            let mut request = request(body);
            request.headers_mut().remove("x-ably-version");
            if let Some(version) = version {
                request.headers_mut().insert("x-ably-version", version.parse().unwrap());
            }
            server.send(at(0), &request)
        };
        let response = ask(r#"{"targets":["clientId:ivy"]}"#);
        assert_eq!(response.status(), 201);
        let expected = json!([{"target": "clientId:ivy", "issuedBefore": START, "appliesAt": START}]);
        assert_eq!(serde_json::from_slice::<Value>(response.body()).unwrap(), expected);

        let response = ask(r#"{"targets":["clientId:ivy","bogus:x"]}"#);
        assert_eq!(error(&response), (400, 40_020));
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["batchResponse"][0]["target"], "clientId:ivy");
        assert_eq!(body["batchResponse"][1]["error"]["code"], 40_000);
    }
}

#[test]
fn only_the_key_itself_revokes_and_only_what_can_be_revoked() {
    let mut server = Server::new();
    let body = r#"{"targets":["clientId:ivy"]}"#;
    let token = server.token(at(0), &revocable_key(), &TokenParams::new());
    let mut by_token = post(PATH, body);
    let value = format!("Bearer {}", token.token().expose());
    by_token.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
    let many = vec!["\"clientId:a\""; 101].join(",");
    for (request, expected) in [
        (post(PATH, body), (401, 40_101)),
        (by_token, (401, 40_162)),
        (with_key(post(PATH, body), &key()), (401, 40_101)),
        (with_key(post(PATH, body), &ApiKey::parse("appid1.keyid2:wrong").unwrap()), (401, 40_101)),
        (with_key(post("/keys/appid1.keyid1/revokeTokens", body), &key()), (401, 40_163)),
        (with_key(post("/keys/appid1.x/revokeTokens", body), &key()), (401, 40_400)),
        (with_key(post("/keys/x.y/revokeTokens", body), &key()), (404, 40_400)),
        (request("{}"), (400, 40_000)),
        (request(r#"{"targets":[]}"#), (400, 40_003)),
        (request(r#"{"targets":["noColon"]}"#), (400, 40_000)),
        (request(format!(r#"{{"targets":[{many}]}}"#)), (400, 40_003)),
    ] {
        let response = server.send(at(0), &request);
        assert_eq!(error(&response), expected, "{request:?}");
    }
}
