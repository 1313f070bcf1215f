//! The authorization service without a socket: what it takes, what it bounds, and how time ends things.

use std::time::Duration;

use auth_core::jwt::{Asymmetric, SigningKey};
use auth_core::time::{Moment, Timestamp};
use http::HeaderValue;

use super::*;
use crate::spatium::wire::{AuthorizationService, IssuedTokens, RequestId, WantedPermissions};

const BASE: &str = "https://a";

fn server() -> AuthorizationServer {
    AuthorizationServer::hs256([1; 32])
        .with_account(Account::new("alice", Secret::from("password"), ["read", "write"]))
        .with_account(Account::new("nopassword", Secret::from(""), ["read"]))
        .with_merchant(Merchant::new("shop", Secret::from("key"), ["read"]))
        .with_merchant(Merchant::new("nokey", Secret::from(""), ["read"]))
}

fn at(seconds: u64) -> Now {
    let wall = Timestamp::from_millis((1_700_000_000 + seconds) * 1_000);
    Now { wall, mono: Moment::since_origin(Duration::from_secs(seconds)) }
}

/// A client that is always let in, with other randomness each time.
struct Client {
    server: AuthorizationServer,
    drawn: u8,
    asked: Vec<String>,
}

impl Client {
    fn of(server: AuthorizationServer) -> Self {
        Self { server, drawn: 0, asked: Vec::new() }
    }

    fn send(&mut self, seconds: u64, request: &Request<Bytes>) -> Response<Bytes> {
        self.drawn += 1;
        let path = request.uri().path().to_owned();
        let asked = &mut self.asked;
        self.server.respond(at(seconds), [self.drawn; 32], &path, request, &mut |who| {
            asked.push(format!("{who:?}"));
            Ok(())
        })
    }

    fn establish(
        &mut self,
        seconds: u64,
        token_id: &str,
        permissions: &[&str],
    ) -> Result<IssuedTokens, Error> {
        let (service, id) = (AuthorizationService::new(BASE)?, RequestId::from_random([3; 16]));
        let request = service.security_factor_credentials(&id, "alice", &Secret::from("password"));
        let factor = service.read_security_token(&id, &self.send(seconds, &request))?;
        let wanted = WantedPermissions::new(token_id, permissions.iter().copied())?;
        let request = service.issue_by_factors(&id, &wanted, &[factor]);
        service.read_by_factors(&id, &self.send(seconds, &request))
    }

    fn refresh(&mut self, seconds: u64, token: &Secret) -> Result<IssuedTokens, Error> {
        let (service, id) = (AuthorizationService::new(BASE)?, RequestId::from_random([4; 16]));
        let response = self.send(seconds, &service.refresh(&id, token));
        service.read_refresh(&id, &response)
    }

    fn status(&mut self, path: &str, body: &str) -> u16 {
        let request = Request::post(format!("{BASE}{path}")).body(Bytes::from(body.to_owned())).unwrap();
        self.send(0, &request).status().as_u16()
    }
}

impl From<crate::spatium::ConfigError> for Error {
    fn from(error: crate::spatium::ConfigError) -> Self {
        Self::new(auth_core::ErrorKind::Misconfigured, error.to_string())
    }
}

fn refresh_token(issued: &IssuedTokens) -> Secret {
    issued.refresh_token.clone().unwrap()
}

#[test]
fn a_refresh_token_leads_on_and_a_retry_within_the_grace_to_the_same_successor() {
    let mut client = Client::of(server());
    let first = refresh_token(&client.establish(0, "device", &["read"]).unwrap());
    let second = refresh_token(&client.refresh(10, &first).unwrap());
    assert_eq!(refresh_token(&client.refresh(19, &first).unwrap()), second, "the very same");
    let third = refresh_token(&client.refresh(20, &second).unwrap());
    assert_ne!(second, third);
    let counts = client.server.counts();
    assert_eq!((counts.redeemed(), counts.retried(), counts.revoked()), (2, 1, 0));
    // The successor of `first` was redeemed, so its answer was not lost.
    client.refresh(20, &first).unwrap_err();
    client.refresh(20, &third).unwrap_err();
    assert_eq!(counts.revoked(), 1);
}

#[test]
fn a_session_outlives_a_clock_that_is_stepped_back() {
    let mut client = Client::of(server());
    let first = refresh_token(&client.establish(30, "device", &["read"]).unwrap());
    client.refresh(0, &first).unwrap();
    assert_eq!(client.server.counts().redeemed(), 1);
}

#[test]
fn counts_that_were_taken_before_a_setting_go_on_and_a_grace_is_a_minute_at_most() {
    let server = server();
    let counts = server.counts();
    let mut client = Client::of(server.with_refresh_grace(Duration::from_secs(86_400)));
    let first = refresh_token(&client.establish(0, "device", &["read"]).unwrap());
    client.refresh(0, &first).unwrap();
    client.refresh(59, &first).unwrap();
    assert_eq!((counts.established(), counts.redeemed(), counts.retried()), (1, 1, 1));
    client.refresh(60, &first).unwrap_err();
    assert_eq!(counts.revoked(), 1);
}

#[test]
fn past_the_grace_a_spent_token_revokes_its_session_and_no_other() {
    let mut client = Client::of(server());
    let other = refresh_token(&client.establish(0, "other", &["read"]).unwrap());
    let first = refresh_token(&client.establish(0, "device", &["read"]).unwrap());
    let second = refresh_token(&client.refresh(0, &first).unwrap());
    client.refresh(10, &first).unwrap_err();
    client.refresh(10, &second).unwrap_err();
    assert_eq!(client.server.counts().revoked(), 1);
    client.refresh(10, &other).unwrap();
}

#[test]
fn each_refresh_puts_off_the_end_and_the_end_is_one() {
    let mut client = Client::of(server().with_refresh_lifetime(Duration::from_secs(100)));
    let first = refresh_token(&client.establish(0, "device", &["read"]).unwrap());
    let second = client.refresh(99, &first).unwrap();
    assert_eq!(second.refresh_expires_at, Some(at(199).wall));
    client.refresh(199, &refresh_token(&second)).unwrap_err();
    // The control: a moment earlier it was good.
    client.refresh(198, &refresh_token(&second)).unwrap();
}

#[test]
fn a_permission_token_lives_for_fifteen_minutes_and_is_no_refresh_token() {
    let mut client = Client::of(server());
    let issued = client.establish(0, "device", &["read"]).unwrap();
    assert_eq!(issued.expires_at, Some(at(900).wall));
    client.refresh(0, &issued.permission_token).unwrap_err();
    client.refresh(0, &refresh_token(&issued)).unwrap();
}

#[test]
fn tokens_can_be_signed_by_rs256_as_the_vendors_are() {
    let pair = SigningKey::from_jwk(&Secret::from(RFC_7515_A2_KEY)).unwrap();
    let keys = KeySet::parse_public(&pair.public_key().unwrap().to_jwk(), &Asymmetric).unwrap();
    let server = AuthorizationServer::new(Arc::new(pair), keys).with_account(Account::new(
        "alice",
        Secret::from("password"),
        ["read"],
    ));
    let mut client = Client::of(server);
    let issued = client.establish(0, "device", &["read"]).unwrap();
    let header = crate::testing::part(issued.permission_token.expose(), 0);
    assert!(header.contains(r#""alg":"RS256""#), "{header}");
    client.refresh(0, &refresh_token(&issued)).unwrap();
}

/// RFC 7515 Appendix A.2.1.
const RFC_7515_A2_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB","d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ","p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc","q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc","dp":"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0","dq":"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU","qi":"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"}"#;

#[test]
fn an_empty_password_and_an_empty_key_let_nobody_in() {
    let mut client = Client::of(server());
    let credentials =
        |name: &str, password: &str| format!(r#"{{"username":"{name}","password":"{password}"}}"#);
    assert_eq!(client.status(CREDENTIALS_PATH, &credentials("alice", "password")), 200, "the control");
    for (name, password) in [("nopassword", ""), ("nobody", ""), ("nobody", "password"), ("alice", "")] {
        assert_eq!(client.status(CREDENTIALS_PATH, &credentials(name, password)), 401, "{name}");
    }
    let by_key = |key: &str| format!(r#"{{"tokenId":"t","permissions":["read"],"merchantKey":"{key}"}}"#);
    assert_eq!(client.status(BY_KEY_PATH, &by_key("key")), 200, "the control");
    assert_eq!(client.status(BY_KEY_PATH, &by_key("")), 401);
    assert_eq!(client.status(BY_KEY_PATH, &by_key("other")), 401);
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let mut client = Client::of(server());
    let by_key = |token_id: &str, permissions: &str| {
        format!(r#"{{"tokenId":"{token_id}","permissions":[{permissions}],"merchantKey":"key"}}"#)
    };
    let many = vec![r#""read""#; 65].join(",");
    for (body, status) in [
        (by_key("t", r#""read""#), 200),
        (by_key("t", r#""write""#), 403),
        (by_key("t", ""), 400),
        (by_key("t", r#""""#), 400),
        (by_key("t", &many), 400),
        (by_key("t", &format!(r#""{}""#, "x".repeat(129))), 400),
        (by_key("", r#""read""#), 400),
        (by_key(&"x".repeat(257), r#""read""#), 400),
        (r#"["t",["read"],"key"]"#.to_owned(), 400),
        ("{".to_owned(), 400),
        (String::new(), 400),
        ("[".repeat(10_000), 400),
        (r#"{"tokenId":"t","tokenId":"u","permissions":["read"],"merchantKey":"key"}"#.to_owned(), 400),
    ] {
        assert_eq!(client.status(BY_KEY_PATH, &body), status, "{body:.80}");
    }
    let factors = format!(
        r#"{{"tokenId":"t","permissions":["read"],"securityTokens":[{}]}}"#,
        vec!["\"x\""; 17].join(",")
    );
    assert_eq!(client.status(BY_FACTORS_PATH, &factors), 400);
    assert_eq!(client.status("/api/permission/other", "{}"), 404);
    let get = Request::get(format!("{BASE}{REFRESH_PATH}")).body(Bytes::new()).unwrap();
    let response = client.send(0, &get);
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &HeaderValue::from_static("POST"))
    );
}

#[test]
fn a_request_id_is_echoed_as_it_is_or_refused() {
    let mut client = Client::of(server());
    let ask = |ids: &[&str]| {
        let mut request = Request::post(format!("{BASE}{REFRESH_PATH}"));
        for id in ids {
            request = request.header("request-id", *id);
        }
        request.body(Bytes::from_static(b"{}")).unwrap()
    };
    let body = |response: Response<Bytes>| serde_json::from_slice::<Value>(response.body()).unwrap();
    assert_eq!(body(client.send(0, &ask(&["any \"id\""])))["requestId"], "any \"id\"");
    assert_eq!(body(client.send(0, &ask(&[])))["requestId"], Value::Null);
    assert_eq!(body(client.send(0, &ask(&[&"x".repeat(129)])))["requestId"], Value::Null);
    assert_eq!(body(client.send(0, &ask(&["a", "b"])))["error"]["code"], "bad_request");
}

#[test]
fn guesses_are_counted_before_they_are_looked_at() {
    let mut server = server();
    let mut asked = Vec::new();
    let guess = |name: &str| {
        let body = format!(r#"{{"username":"{name}","password":"password"}}"#);
        Request::post(format!("{BASE}{CREDENTIALS_PATH}")).body(Bytes::from(body)).unwrap()
    };
    for name in ["alice", "nobody"] {
        let response = server.respond(at(0), [1; 32], CREDENTIALS_PATH, &guess(name), &mut |who| {
            asked.push(format!("{who:?}"));
            Err(Duration::from_millis(1_500))
        });
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &HeaderValue::from(2))
        );
    }
    assert_eq!(asked, [r#"Password("alice")"#, r#"Password("nobody")"#], "known or not");
}

#[test]
fn guesses_are_counted_apart_from_sessions() {
    let mut client = Client::of(server());
    let first = refresh_token(&client.establish(0, "device", &["read"]).unwrap());
    client.refresh(0, &first).unwrap();
    let by_key = |key: &str| format!(r#"{{"tokenId":"t","permissions":["read"],"merchantKey":"{key}"}}"#);
    client.status(BY_KEY_PATH, &by_key("key"));
    client.status(BY_KEY_PATH, &by_key("other"));
    let asked = [
        r#"Password("alice")"#,
        r#"Account("alice")"#,
        r#"Account("alice")"#,
        r#"Merchant("shop")"#,
        "MerchantKey",
    ];
    assert_eq!(client.asked, asked);
}

#[test]
fn no_secret_shows_in_debug() {
    let server = AuthorizationServer::hs256([1; 32])
        .with_account(Account::new("alice", Secret::from("canary"), ["read"]))
        .with_merchant(Merchant::new("shop", Secret::from("canary"), ["read"]));
    let text = format!("{server:?} {:?} {:?}", server.accounts, server.merchants);
    assert!(!text.contains("canary") && text.contains("shop"), "{text}");
}
