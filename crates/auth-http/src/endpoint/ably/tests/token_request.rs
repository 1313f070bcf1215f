//! Requests for tokens: who gets which, and who gets none.

use auth_core::ably::{ClientId, TokenClientId};
use auth_core::capability::Capability;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::records::Nonces;
use super::super::request_token::LONGEST_REVOCABLE;
use super::*;

const PATH: &str = "/keys/appid1.keyid1/requestToken";

/// The members of a signed request.
fn members(params: &TokenParams) -> Value {
    serde_json::from_slice(signed(&key(), params, at(0)).body()).unwrap()
}

#[test]
fn a_signed_request_gets_a_token_with_all_that_is_known_about_it() {
    let mut server = Server::new();
    let params = TokenParams::new()
        .with_ttl(Duration::from_secs(60))
        .with_capability(r#"{"chat:lobby":["*"],"other":["*"]}"#.parse().unwrap())
        .with_client_id(ClientId::new("alice").unwrap());
    let details = server.token(at(5), &key(), &params);
    assert!(details.token().expose().starts_with("appid1."));
    let times = (details.issued().unwrap(), details.expires().unwrap());
    assert_eq!(times, (at(5).wall, at(65).wall));
    assert_eq!(details.capability_text(), Some(r#"{"chat:lobby":["publish","subscribe"]}"#));
    assert_eq!(details.client_id().unwrap().as_str(), "alice");
    assert_eq!(details.key_name(), Some("appid1.keyid1"));

    let caller = server.bearer(at(64), details.token()).unwrap();
    assert_eq!(caller.client_id, Some(TokenClientId::from(ClientId::new("alice").unwrap())));
    assert_eq!((caller.key_name.as_str(), caller.expires), ("appid1.keyid1", Some(at(65).wall)));
    assert_eq!(caller.capability.canonical_text(), r#"{"chat:lobby":["publish","subscribe"]}"#);
    assert_eq!(server.bearer(at(65), details.token()), Err((40_142, 401)));
}

#[test]
fn what_a_request_leaves_out_is_an_hour_the_keys_capability_and_nobody_in_particular() {
    let details = Server::new().token(at(0), &key(), &TokenParams::new());
    assert_eq!(details.expires(), Some(at(3_600).wall));
    assert_eq!(details.capability_text(), Some(r#"{"chat:*":["publish","subscribe"],"news":["subscribe"]}"#));
    assert_eq!(details.client_id(), None);
}

#[test]
fn as_many_tokens_may_live_as_the_rate_allows_for() {
    let mut server = Server::new();
    let request = with_key(post(PATH, "{}"), &key());
    let mut issue = |number: u64| {
        let mut fresh = [0; 32];
        fresh[..8].copy_from_slice(&number.to_be_bytes());
        respond(&mut server.records, at(number / 100), fresh, &request, |_| Ok(())).unwrap()
    };
    // A hundred a second, each living an hour: none is refused for those before it.
    for number in 0..70_000 {
        let response = issue(number);
        assert_eq!(response.status(), 201, "{number}: {response:?}");
    }
    let first = TokenDetails::parse(issue(0).body()).unwrap();
    assert!(server.bearer(at(700), first.token()).is_ok());
}

#[test]
fn a_token_too_long_for_a_header_is_not_issued() {
    let mut server = Server::new();
    let asking = |channels: u32| {
        let grants: serde_json::Map<_, _> =
            (0..channels).map(|number| (format!("chat:{number:04}"), json!(["publish"]))).collect();
        TokenParams::new().with_capability(Value::Object(grants).to_string().parse().unwrap())
    };
    let many = server.token(at(0), &key(), &asking(200));
    assert_eq!(server.bearer(at(0), many.token()).unwrap().capability, *asking(200).capability().unwrap());
    assert_eq!(error(&server.send(at(0), &signed(&key(), &asking(300), at(0)))), (400, 40_003));
}

#[test]
fn a_key_that_is_served_anew_knows_none_of_the_tokens_before() {
    let mut server = Server::new();
    let before = server.token(at(0), &key(), &TokenParams::new());
    assert!(server.bearer(at(0), before.token()).is_ok());
    server.records.serve(ServedKey::new(key()));
    assert_eq!(server.bearer(at(0), before.token()), Err((40_143, 401)));
}

#[test]
fn an_expired_token_stays_expired_however_late_and_though_the_clock_is_set_back() {
    let mut server = Server::new();
    let token = server.token(at(0), &key(), &TokenParams::new());
    assert_eq!(server.bearer(at(1_000_000), token.token()), Err((40_142, 401)));
    let set_back = Now { wall: at(0).wall, ..at(3_600) };
    assert_eq!(server.bearer(set_back, token.token()), Err((40_142, 401)));
}

#[test]
fn two_tokens_are_never_the_same() {
    let mut server = Server::new();
    let one = server.token(at(0), &key(), &TokenParams::new());
    let two = server.token(at(0), &key(), &TokenParams::new());
    assert_ne!(one.token(), two.token());
}

/// Each number that Ably answers with, and the order of the checks.
#[test]
fn each_problem_of_a_signed_request_has_its_status_and_number() {
    let with = |name: &str, value: Value| {
        let mut request = members(&TokenParams::new());
        request[name] = value;
        request.to_string()
    };
    let asking = |params: &TokenParams, now| signed(&key(), params, now).into_body();
    let resigned = |name: &str, value: Value| resign(&with(name, value));
    let cases: Vec<(&str, &str, Bytes, (u16, u32))> = vec![
        ("stale", PATH, asking(&TokenParams::new(), at(0)), (401, 40_104)),
        ("MAC", PATH, with("mac", json!("AAAA")).into(), (401, 40_101)),
        ("MAC of no text", PATH, with("mac", json!("!")).into(), (401, 40_101)),
        ("MAC over another client", PATH, with("clientId", json!("eve")).into(), (401, 40_101)),
        ("ttl negative", PATH, resigned("ttl", json!(-1)), (400, 40_003)),
        ("ttl above a day", PATH, resigned("ttl", json!(86_400_001)), (400, 40_003)),
        ("ttl no number", PATH, with("ttl", json!("long")).into(), (400, 40_003)),
        ("clientId empty", PATH, resigned("clientId", json!("")), (400, 40_012)),
        ("capability no JSON", PATH, resigned("capability", json!("{")), (400, 40_000)),
        ("operation unknown", PATH, resigned("capability", json!(r#"{"c":["publish_"]}"#)), (400, 40_000)),
        ("* with others", PATH, resigned("capability", json!(r#"{"c":["*","publish"]}"#)), (400, 40_000)),
        ("no operations", PATH, resigned("capability", json!(r#"{"c":[]}"#)), (400, 40_000)),
        ("no intersection", PATH, resigned("capability", json!(r#"{"news":["publish"]}"#)), (401, 40_160)),
        ("app unknown", "/keys/app.keyid1/requestToken", asking(&TokenParams::new(), at(300)), (404, 40_400)),
        ("key unknown", "/keys/appid1.x/requestToken", asking(&TokenParams::new(), at(300)), (401, 40_400)),
        (
            "key of the path",
            "/keys/appid1.keyid2/requestToken",
            asking(&TokenParams::new(), at(300)),
            (401, 40_101),
        ),
        ("nonce short", PATH, resigned("nonce", json!("short")), (400, 40_003)),
        ("no JSON", PATH, Bytes::from_static(b"{\"mac\":\"x\""), (401, 40_101)),
        ("no object", PATH, Bytes::from_static(b"[]"), (401, 40_101)),
        // The order: a wrong MAC before a wrong value, a wrong value before a stale timestamp.
        ("MAC, ttl", PATH, with("ttl", json!(-1)).into(), (401, 40_101)),
        (
            "ttl, clientId",
            PATH,
            resign(&{
                let mut request: Value = serde_json::from_slice(&resigned("clientId", json!(""))).unwrap();
                request["ttl"] = json!(-1);
                request.to_string()
            }),
            (400, 40_003),
        ),
    ];
    for (problem, path, body, expected) in cases {
        // What is signed at 300 s is current; only the first is to be stale.
        let now = if problem == "stale" { at(121) } else { at(300) };
        let response = Server::new().send(now, &post(path, body));
        assert_eq!(error(&response), expected, "{problem}: {response:?}");
    }
}

/// Signs what another library would sign although no server accepts it, as of 300 s.
fn resign(json: &str) -> Bytes {
    let mut request: Value = serde_json::from_str(json).unwrap();
    request["timestamp"] = json!(START + 300_000);
    let line = |name: &str| match &request[name] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let text: String = ["keyName", "ttl", "capability", "clientId", "timestamp", "nonce"]
        .iter()
        .map(|name| line(name) + "\n")
        .collect();
    request["mac"] = json!(STANDARD.encode(mac(b"SecretSecretSecret", text.as_bytes())));
    request.to_string().into()
}

#[test]
fn a_signed_request_is_good_once_and_another_keys_nonce_is_another() {
    let mut server = Server::new();
    let request = signed(&key(), &TokenParams::new(), at(0));
    assert_eq!(server.send(at(0), &request).status(), 201);
    for seconds in [0, 60, 120] {
        assert_eq!(error(&server.send(at(seconds), &request)), (401, 40_105));
    }
    assert_eq!(error(&server.send(at(121), &request)), (401, 40_104));

    let nonce = Nonce::new("0123456789abcdef").unwrap();
    for key in [key(), revocable_key()] {
        let request = TokenRequest::sign(&key, &TokenParams::new(), at(0), nonce.clone());
        let path = format!("/keys/{}/requestToken", key.name());
        let request = post(&path, request.to_json().expose().to_owned());
        assert_eq!(server.send(at(0), &request).status(), 201);
    }
}

#[test]
fn a_rate_limited_request_may_be_sent_again_after_the_wait() {
    let mut server = Server::new();
    let request = signed(&key(), &TokenParams::new(), at(0));
    let response = server.send_within(at(0), &request, Err(Duration::from_millis(1_500)));
    assert_eq!(
        (error(&response), &response.headers()["retry-after"]),
        ((429, 42_910), &"2".parse().unwrap())
    );
    assert_eq!(server.send(at(2), &request).status(), 201);
}

#[test]
fn a_request_that_finds_no_room_for_its_nonce_is_not_counted() {
    let mut server = Server::new();
    let record = server.records.key_mut(key().name()).unwrap();
    for number in 0..Nonces::MOST {
        let nonce = Nonce::new(format!("{number:016}")).unwrap();
        assert_eq!(record.nonces.consume(at(0), at(0).wall, &nonce), Ok(()));
    }
    let request = signed(&key(), &TokenParams::new(), at(120));
    let full = respond(&mut server.records, at(120), [0; 32], &request, |_| unreachable!("not counted"));
    assert_eq!(error(&full.unwrap()), (503, 50_004));
    let later = server.send(at(240), &request);
    assert_eq!(error(&later), (503, 50_004), "those of 0 s are remembered for four minutes");
    let request = signed(&key(), &TokenParams::new(), at(241));
    assert_eq!(server.send(at(241), &request).status(), 201);
}

#[test]
fn a_stranger_uses_up_nobodys_requests() {
    let mut server = Server::new();
    let asked = Cell::new(0);
    let forged = signed(&ApiKey::parse("appid1.keyid1:wrong").unwrap(), &TokenParams::new(), at(0));
    let unknown = signed(&ApiKey::parse("appid1.x:wrong").unwrap(), &TokenParams::new(), at(0));
    let used = signed(&key(), &TokenParams::new(), at(0));
    assert_eq!(server.send(at(0), &used).status(), 201);
    for request in [forged, unknown, used, post(PATH, "{}")] {
        let response = respond(&mut server.records, at(0), [0; 32], &request, |_| {
            asked.set(asked.get() + 1);
            Ok(())
        });
        assert!(response.unwrap().status().is_client_error());
    }
    assert_eq!(asked.get(), 0);
}

#[test]
fn tokens_that_can_be_revoked_live_an_hour_at_most() {
    let mut server = Server::new();
    let of = |ttl| TokenParams::new().with_ttl(ttl);
    let details = server.token(at(0), &revocable_key(), &of(LONGEST_REVOCABLE));
    assert_eq!(details.expires(), Some(at(3_600).wall));
    let longer = of(LONGEST_REVOCABLE + Duration::from_millis(1));
    assert_eq!(error(&server.send(at(0), &signed(&revocable_key(), &longer, at(0)))), (400, 40_003));
    let day = server.token(at(0), &key(), &of(Duration::from_secs(86_400)));
    assert_eq!(day.expires(), Some(at(86_400).wall));
}

#[test]
fn whoever_has_the_key_needs_no_signature() {
    let mut server = Server::new();
    let mut ask = |body: &str, key: &ApiKey| {
        let response = server.send(at(0), &with_key(post(PATH, body.to_owned()), key));
        if response.status() == 201 {
            Ok(TokenDetails::parse(response.body()).unwrap())
        } else {
            Err(error(&response))
        }
    };
    let details =
        ask(r#"{"keyName":"appid1.keyid1","ttl":"60000","clientId":"*","timestamp":1,"nonce":"x"}"#, &key());
    let details = details.unwrap();
    assert_eq!((details.expires(), details.client_id()), (Some(at(60).wall), Some(&TokenClientId::Wildcard)));
    let details = ask(r#"{"ttl":null,"capability":"","mac":null}"#, &key()).unwrap();
    assert_eq!(details.expires(), Some(at(3_600).wall));
    for (body, expected) in [
        ("", (400, 40_000)),
        ("[]", (400, 40_000)),
        (r#"{"keyName":"appid1.keyid2"}"#, (401, 40_101)),
        (r#"{"ttl":-1}"#, (400, 40_003)),
        (r#"{"ttl":86400001}"#, (400, 40_003)),
        (r#"{"ttl":"x"}"#, (400, 40_003)),
        (r#"{"clientId":""}"#, (400, 40_012)),
        (r#"{"clientId":5}"#, (400, 40_012)),
        (r#"{"capability":{}}"#, (400, 40_000)),
        (r#"{"capability":"{\"c\":[]}"}"#, (400, 40_000)),
        (r#"{"capability":"{\"c\":[\"publish\"]}"}"#, (401, 40_160)),
    ] {
        assert_eq!(ask(body, &key()).unwrap_err(), expected, "{body}");
    }
    for wrong in [revocable_key(), ApiKey::parse("appid1.keyid1:wrong").unwrap()] {
        assert_eq!(ask("{}", &wrong).unwrap_err(), (401, 40_101));
    }
}

#[test]
fn a_token_can_not_ask_for_another() {
    let mut server = Server::new();
    let token = server.token(at(0), &key(), &TokenParams::new());
    let mut request = post(PATH, "{}");
    let value = format!("Bearer {}", token.token().expose());
    request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
    assert_eq!(error(&server.send(at(0), &request)), (401, 40_162));
}

/// Capabilities of few names, so that they meet.
fn capability() -> impl Strategy<Value = Capability> {
    let resource = prop::sample::select(vec!["*", "a", "a:*", "a:b", "*:b", "[meta]*", "[*]*", "news"]);
    let operation = prop::sample::select(vec!["publish", "subscribe", "history", "presence"]);
    let operations = prop_oneof![
        Just(vec!["*".to_owned()]),
        prop::collection::vec(operation.prop_map(str::to_owned), 1..4),
    ];
    prop::collection::btree_map(resource, operations, 1..5)
        .prop_map(|grants| json!(grants).to_string().parse().unwrap())
}

proptest! {
    #[test]
    fn what_is_granted_is_within_the_keys_capability_and_within_what_was_asked(
        held in capability(),
        asked in capability(),
    ) {
        let mut server = Server::new();
        server.records.serve(ServedKey::new(key()).with_capability(held.clone()));
        let params = TokenParams::new().with_capability(asked.clone());
        let response = server.send(at(0), &signed(&key(), &params, at(0)));
        if response.status() == 201 {
            let details = TokenDetails::parse(response.body()).unwrap();
            let granted = details.capability().unwrap().unwrap();
            prop_assert!(granted.is_subset_of(&held) && granted.is_subset_of(&asked));
            let caller = server.bearer(at(0), details.token()).unwrap();
            prop_assert_eq!(caller.capability, granted);
        } else {
            prop_assert_eq!(error(&response), (401, 40_160));
            prop_assert!(asked.intersection(&held).is_err());
        }
    }
}
