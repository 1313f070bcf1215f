//! The endpoint as a client sees it: each case by its request, the status and the number that Ably answers.

mod authentication;
mod revocation;
mod token_request;

use std::cell::Cell;
use std::time::Duration;

use auth_core::Secret;
use auth_core::ably::{ApiKey, ErrorInfo, Nonce, TokenDetails, TokenParams, TokenRequest};
use auth_core::time::{Moment, Now, Timestamp};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{Request, Response};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

pub(super) const START: u64 = 1_700_000_000_000;

pub(super) fn at(seconds: u64) -> Now {
    let elapsed = Duration::from_secs(seconds);
    Now { wall: Timestamp::from_millis(START).saturating_add(elapsed), mono: Moment::since_origin(elapsed) }
}

pub(super) fn key() -> ApiKey {
    ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()
}

pub(super) fn revocable_key() -> ApiKey {
    ApiKey::parse("appid1.keyid2:RevocableRevocable").unwrap()
}

/// Two keys of one application, and the random bytes of whoever owns the records.
pub(super) struct Server {
    pub(super) records: Records,
    drawn: Cell<u8>,
}

impl Server {
    pub(super) fn new() -> Self {
        let mut records = Records::new([1; 32]);
        let capability = r#"{"chat:*":["publish","subscribe"],"news":["subscribe"]}"#.parse().unwrap();
        records.serve(ServedKey::new(key()).with_capability(capability));
        records.serve(ServedKey::new(revocable_key()).with_revocable_tokens());
        Self { records, drawn: Cell::new(0) }
    }

    pub(super) fn send(&mut self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        self.send_within(now, request, Ok(()))
    }

    pub(super) fn send_within(
        &mut self,
        now: Now,
        request: &Request<Bytes>,
        admitted: Result<(), Duration>,
    ) -> Response<Bytes> {
        self.drawn.set(self.drawn.get() + 1);
        let response =
            respond(&mut self.records, now, [self.drawn.get(); 32], request, |_| admitted).unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        response
    }

    /// The token that a signed request gets.
    pub(super) fn token(&mut self, now: Now, key: &ApiKey, params: &TokenParams) -> TokenDetails {
        let response = self.send(now, &signed(key, params, now));
        assert_eq!(response.status(), 201, "{response:?}");
        TokenDetails::parse(response.body()).unwrap()
    }

    /// Who the bearer of a token is, or the number and status with which it is refused.
    pub(super) fn bearer(&self, now: Now, token: &Secret) -> Result<Caller, (u32, u16)> {
        let request = Request::get("/channels/a/messages")
            .header(AUTHORIZATION, format!("Bearer {}", token.expose()))
            .body(Bytes::new());
        authenticate(&self.records, now, &request.unwrap())
            .map_err(|refusal| (refusal.info().code.number(), refusal.info().status))
    }
}

pub(super) fn post(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(path).header(CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

/// The same request with the key in HTTP Basic.
pub(super) fn with_key(mut request: Request<Bytes>, key: &ApiKey) -> Request<Bytes> {
    let value = format!("Basic {}", key.basic_credentials().expose());
    request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
    request
}

/// HMAC-SHA256 by RFC 2104, a second implementation beside the one under test.
pub(super) fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

thread_local! {
    static NONCE: Cell<u64> = const { Cell::new(0) };
}

/// A request for a token, signed now, each with a nonce of its own.
pub(super) fn signed(key: &ApiKey, params: &TokenParams, now: Now) -> Request<Bytes> {
    NONCE.set(NONCE.get() + 1);
    let nonce = Nonce::new(format!("{:016}", NONCE.get())).unwrap();
    let request = TokenRequest::sign(key, params, now, nonce);
    post(&format!("/keys/{}/requestToken", key.name()), request.to_json().expose().to_owned())
}

/// The status and the number of an error, which the headers tell too.
pub(super) fn error(response: &Response<Bytes>) -> (u16, u32) {
    let info = ErrorInfo::parse(response.body()).unwrap_or_else(|| panic!("no error: {response:?}"));
    assert_eq!(info.status, response.status().as_u16());
    assert_eq!(response.headers()["x-ably-errorcode"], info.code.number().to_string().as_str());
    assert!(!response.headers()["x-ably-errormessage"].is_empty());
    (info.status, info.code.number())
}

#[test]
fn the_time_needs_no_credentials() {
    let response = Server::new().send(at(1), &Request::get("/time").body(Bytes::new()).unwrap());
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"[1700000001000]"[..]));
}

#[test]
fn other_paths_are_not_answered_and_other_methods_refused() {
    let mut server = Server::new();
    for path in ["/", "/channels/a/messages", "/keys/appid1.keyid1"] {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        assert!(respond(&mut server.records, at(0), [0; 32], &request, |_| Ok(())).is_none(), "{path}");
    }
    for (request, allowed) in [
        (post("/time", "{}"), "GET"),
        (Request::get("/keys/appid1.keyid1/requestToken").body(Bytes::new()).unwrap(), "POST"),
        (Request::get("/keys/appid1.keyid1/revokeTokens").body(Bytes::new()).unwrap(), "POST"),
    ] {
        let response = server.send(at(0), &request);
        assert_eq!(error(&response), (405, 40_500));
        assert_eq!(response.headers()["allow"], allowed);
    }
}

#[test]
fn a_body_in_msgpack_is_refused_in_json() {
    let mut request = signed(&key(), &TokenParams::new(), at(0));
    request.headers_mut().insert(CONTENT_TYPE, "application/x-msgpack".parse().unwrap());
    assert_eq!(error(&Server::new().send(at(0), &request)), (400, 40_013));
}

proptest! {
    #[test]
    fn whatever_a_stranger_sends_is_answered_in_the_systems_shape(
        path in prop::sample::select(vec![
            "appid1.keyid1/requestToken",
            "appid1.keyid2/revokeTokens",
            "x/requestToken",
            "%/revokeTokens",
        ]),
        query in "(key|access_token|accessToken)?=?[ -~&&[^ #\"<>`{}^|\\\\]]{0,40}",
        authorization in prop::option::of("(Basic|Bearer|x)? ?[ -~]{0,40}"),
        own_key in any::<bool>(),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            r#"\{("(mac|ttl|keyName|nonce|timestamp|clientId|capability|targets)":("[ -~&&[^"\\]]{0,9}"|-?[0-9]{1,20}|null|\[\]|\{\}),?){0,4}\}"#
                .prop_map(String::into_bytes),
        ],
    ) {
        let mut server = Server::new();
        let Ok(uri) = format!("/keys/{path}?{query}").parse::<http::Uri>() else { return Ok(()) };
        let mut request = post("/", body);
        *request.uri_mut() = uri;
        if let Some(value) = authorization.and_then(|text| text.parse().ok()) {
            request.headers_mut().insert(AUTHORIZATION, value);
        } else if own_key {
            let key = if path.contains('2') { revocable_key() } else { key() };
            request = with_key(request, &key);
        }
        let response = server.send(at(0), &request);
        prop_assert!(response.status() == 201 || error(&response).0 < 500);
        let _ = authenticate(&server.records, at(0), &request);
    }
}

#[test]
fn the_records_do_not_show_a_secret() {
    let mut server = Server::new();
    let token = server.token(at(0), &key(), &TokenParams::new());
    let text = format!("{:?} {:#?} {:?}", server.records, server.records, ServedKey::new(key()));
    assert!(text.contains("appid1.keyid1"));
    assert!(!text.contains("SecretSecret") && !text.contains(token.token().expose()), "{text}");
}
