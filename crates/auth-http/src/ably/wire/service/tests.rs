//! Requests to the service, as they stand on the wire.

use auth_core::Secret;
use auth_core::ably::{Nonce, RevocationTarget, TokenParams};
use auth_core::time::{Moment, Now, Timestamp};

use super::*;

fn service() -> Service {
    Service::new("https://rest.example.com").unwrap()
}

fn key() -> ApiKey {
    ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().unwrap())
}

fn bearer(token: &str) -> Credential {
    Credential::Bearer(Secret::from(token))
}

fn get(uri: &str) -> Request<Bytes> {
    Request::get(uri).body(Bytes::new()).unwrap()
}

#[test]
fn rsc7e_rsc7d_every_request_names_the_protocol_version_and_the_agent() {
    let service = service();
    let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
    let signed =
        TokenRequest::sign(&key(), &TokenParams::new(), now, Nonce::new("0123456789abcdef").unwrap());
    let revocation = RevocationRequest::new(vec![RevocationTarget::revocation_key("r")]);
    for request in [
        service.request_token(&signed).unwrap(),
        service.revoke_tokens(&key(), &revocation).unwrap(),
        service.time().unwrap(),
        service.authorized(get("/channels/x"), &bearer("t")).unwrap(),
    ] {
        assert_eq!(header(&request, "x-ably-version"), Some("6"));
        assert_eq!(header(&request, "ably-agent"), Some(AGENT));
        assert_eq!(header(&request, "accept"), Some("application/json"));
    }
    assert!(AGENT.starts_with("realtime-auth-rust/") && AGENT.len() > 20);
}

#[test]
fn rsa8a_a_signed_request_carries_no_credential_and_no_client() {
    let service = service().with_client_id(ClientId::new("bob").unwrap());
    let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
    let signed =
        TokenRequest::sign(&key(), &TokenParams::new(), now, Nonce::new("0123456789abcdef").unwrap());
    let request = service.request_token(&signed).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(*request.uri(), "https://rest.example.com/keys/appid1.keyid1/requestToken");
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!((header(&request, "authorization"), header(&request, "x-ably-clientid")), (None, None));
    assert_eq!(request.body(), signed.to_json().expose().as_bytes());
}

#[test]
fn a_key_name_from_a_stranger_stays_one_segment_of_the_path() {
    let named = |name: &str| {
        let json = serde_json::json!({"keyName": name, "timestamp": 1, "nonce": "n", "mac": "m"});
        service().request_token(&TokenRequest::parse(json.to_string().as_bytes()).unwrap())
    };
    let path = |name| named(name).unwrap().uri().to_string();
    assert_eq!(
        path("a/../../b?c#d e"),
        "https://rest.example.com/keys/a%2F..%2F..%2Fb%3Fc%23d%20e/requestToken"
    );
    for name in ["", ".", "..", &"a".repeat(2_000)] {
        assert_eq!(named(name).unwrap_err().code(), Some(40_101), "{name}");
    }
}

#[test]
fn rsa17g_a_revocation_goes_to_the_keys_own_path_with_the_key() {
    let request = RevocationRequest::new(vec![RevocationTarget::revocation_key("r")]);
    let request = service().revoke_tokens(&key(), &request).unwrap();
    assert_eq!(*request.uri(), "https://rest.example.com/keys/appid1.keyid1/revokeTokens");
    assert_eq!(header(&request, "authorization"), Some("Basic YXBwaWQxLmtleWlkMTpTZWNyZXRTZWNyZXRTZWNyZXQ="));
    assert!(!format!("{:?}", request.headers()).contains("YXBw"));
}

#[test]
fn rsa1_rsc18_a_key_is_refused_without_tls_and_a_token_is_not() {
    for url in ["http://127.0.0.1:8080", "http://localhost"] {
        let service = Service::new(url).unwrap();
        let error = service.authorized(get("/x"), &Credential::Basic(key())).unwrap_err();
        assert_eq!((error.code(), error.kind()), (Some(40_103), ErrorKind::Misconfigured));
        service.authorized(get("/x"), &bearer("t")).unwrap();
        let service = service.with_plaintext_basic();
        service.authorized(get("/x"), &Credential::Basic(key())).unwrap();
    }
    assert!(Service::new("http://rest.example.com").is_err(), "no credential leaves this machine in clear");
}

#[test]
fn rsa7e2_the_client_is_named_in_base64() {
    let service = service().with_client_id(ClientId::new("zoë ☃").unwrap());
    for credential in [bearer("t"), Credential::Basic(key())] {
        let request = service.authorized(get("/x"), &credential).unwrap();
        assert_eq!(header(&request, "x-ably-clientid"), Some("em/DqyDimIM="));
    }
    assert_eq!(header(&service.time().unwrap(), "x-ably-clientid"), Some("em/DqyDimIM="));
}

#[test]
fn rsc19b_an_authorization_header_of_the_callers_is_replaced_and_accept_stays() {
    let request = Request::get("/x?y=1").header("authorization", "mine").header("accept", "text/plain");
    let request = service().authorized(request.body(Bytes::new()).unwrap(), &bearer("t")).unwrap();
    assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
    assert_eq!(header(&request, "authorization"), Some("Bearer dA=="));
    assert_eq!(header(&request, "accept"), Some("text/plain"));
    assert_eq!(*request.uri(), "https://rest.example.com/x?y=1");
}

#[test]
fn no_credential_goes_to_another_server() {
    let prefixed = Service::new("https://rest.example.com/ably/").unwrap();
    let own = prefixed.authorized(get("/x"), &bearer("t")).unwrap();
    assert_eq!(*own.uri(), "https://rest.example.com/ably/x");
    prefixed.authorized(get("https://rest.example.com/ably/x"), &bearer("t")).unwrap();
    for uri in ["https://evil.example/x", "http://rest.example.com/x", "https://rest.example.com:444/x"] {
        assert_eq!(service().authorized(get(uri), &bearer("t")).unwrap_err().code(), Some(40_000), "{uri}");
    }
}

#[test]
fn what_can_stand_in_no_header_is_refused_and_not_shown() {
    let service = service().with_bearer(BearerFormat::Raw);
    let error = service.authorized(get("/x"), &bearer("canary\n")).unwrap_err();
    assert!(!format!("{error:?} {service:?}").contains("canary"));
    assert!(Service::new("https://a/?key=canary").is_err() && Service::new("ably").is_err());
}
