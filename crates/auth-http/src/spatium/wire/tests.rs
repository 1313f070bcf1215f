//! Requests and replies as the vendor documents them, and what is tolerated.

use std::time::Duration;

use auth_core::time::Timestamp;

use super::*;
use crate::testing::reply;

fn service() -> AuthorizationService {
    AuthorizationService::new("https://cloud.spatium.net/authorization/v1").unwrap()
}

fn id() -> RequestId {
    RequestId::from_random([0xab; 16])
}

const ID: &str = "abababab-abab-4bab-abab-abababababab";

fn wanted() -> WantedPermissions {
    WantedPermissions::new("device", ["read", "secret"]).unwrap()
}

#[test]
fn requests_are_those_of_the_vendors_documentation() {
    let (service, id, secret) = (service(), id(), Secret::from("s\"1"));
    let session = r#""tokenId":"device","permissions":["read","secret"]"#;
    for (request, path, body) in [
        (
            service.security_factor_credentials(&id, "username", &secret),
            "/api/security-factor/credentials",
            r#"{"username":"username","password":"s\"1"}"#.to_owned(),
        ),
        (
            service.issue_by_factors(&id, &wanted(), &[secret.clone(), Secret::from("t2")]),
            "/api/permission/issue-by-factors",
            format!(r#"{{{session},"securityTokens":["s\"1","t2"]}}"#),
        ),
        (
            service.issue_by_key(&id, &wanted(), &secret),
            "/api/permission/issue-by-key",
            format!(r#"{{{session},"merchantKey":"s\"1"}}"#),
        ),
        (
            service.refresh(&id, &secret),
            "/api/permission/refresh",
            r#"{"permissionRefreshToken":"s\"1"}"#.to_owned(),
        ),
    ] {
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri().to_string(), format!("https://cloud.spatium.net/authorization/v1{path}"));
        assert_eq!(request.body(), &body);
        assert_eq!(request.headers()["request-id"], ID);
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(request.headers()[ACCEPT], "application/json");
    }
}

/// The reply of the vendor's documentation, its tokens shortened.
const DOCUMENTED: &str = r#"{"requestId":"abababab-abab-4bab-abab-abababababab","data":{
    "permissionToken":{"permissionToken":"p1","issuer":"authorization-service","expiresAt":1688453621},
    "permissionRefreshToken":{"permissionRefreshToken":"r1","issuer":"authorization-service","expiresAt":1691045621}}}"#;

/// 900 s before the first of these.
const DATE: (&str, &str) = ("date", "Tue, 04 Jul 2023 06:38:41 GMT");

fn read(headers: &[(&str, &str)], body: &str) -> Result<IssuedTokens, Error> {
    service().read_by_factors(&id(), &reply(200, headers, body))
}

#[test]
fn the_doubled_envelope_of_the_documentation_is_read() {
    let issued = read(&[DATE], DOCUMENTED).unwrap();
    assert_eq!(
        (issued.permission_token.expose(), issued.refresh_token.as_ref().unwrap().expose()),
        ("p1", "r1")
    );
    assert_eq!(issued.expires_at, Some(Timestamp::from_millis(1_688_453_621_000)));
    assert_eq!(issued.refresh_expires_at, Some(Timestamp::from_millis(1_691_045_621_000)));
    assert!(!format!("{issued:?}").contains("p1"));
}

#[test]
fn an_answer_names_the_request_that_it_is_to_or_nothing() {
    let named = |name: &str| DOCUMENTED.replace(r#""abababab-abab-4bab-abab-abababababab""#, name);
    for name in ["5", r#"["abababab-abab-4bab-abab-abababababab"]"#, r#""""#, r#""abababab""#, "true"] {
        assert_eq!(read(&[DATE], &named(name)).unwrap_err().kind(), ErrorKind::MalformedResponse, "{name}");
    }
    read(&[DATE], &named("null")).unwrap();
    read(&[DATE], &named(r#""ABABABAB-ABAB-4BAB-ABAB-ABABABABABAB""#)).unwrap();
}

#[test]
fn a_lifetime_is_told_by_the_services_clock_on_the_safe_side() {
    let wrong = Timestamp::from_millis(0);
    let issued = read(&[DATE], DOCUMENTED).unwrap();
    assert_eq!(issued.expires_in(wrong), Some(Duration::from_secs(899)));
    let undated = read(&[], DOCUMENTED).unwrap();
    let now = Timestamp::from_millis(1_688_453_619_000);
    assert_eq!(undated.expires_in(now), Some(Duration::from_secs(1)), "half of two seconds");
    assert_eq!(undated.expires_in(Timestamp::from_millis(1_700_000_000_000)), Some(Duration::ZERO));
    let silent = read(&[DATE], &DOCUMENTED.replace(r#","expiresAt":1688453621"#, "")).unwrap();
    assert_eq!(silent.expires_in(wrong), None);
    let response = issued.into_response(wrong);
    assert_eq!(
        (response.expires_in, response.refresh_token),
        (Some(Duration::from_secs(899)), Some(Secret::from("r1")))
    );
}

#[test]
fn what_the_tokens_say_themselves_counts_where_the_reply_is_silent_or_says_more() {
    use auth_core::jwt::{Draft, HmacKey};

    let issued = Timestamp::from_millis(1_688_452_721_000);
    let draft = Draft::new().with_lifetime(issued, Duration::from_secs(300));
    let token = HmacKey::hs256(&[1; 32]).unwrap().mint(&draft);
    let body = |expires: &str| {
        let token = token.expose();
        format!(
            r#"{{"data":{{"permissionToken":{{"permissionToken":"{token}"{expires}}},"permissionRefreshToken":{{"permissionRefreshToken":"{token}"}}}}}}"#
        )
    };
    for expires in ["", r#","expiresAt":1688453621"#, r#","expiresAt":"soon""#, r#","expiresAt":1e300"#] {
        let read = read(&[], &body(expires)).unwrap();
        assert_eq!(read.expires_in(Timestamp::from_millis(0)), Some(Duration::from_secs(299)), "{expires}");
        assert_eq!(read.refresh_expires_at, Some(Timestamp::from_millis(1_688_453_021_000)));
    }
}

#[test]
fn a_refusal_has_the_kind_of_its_call() {
    let (service, id) = (service(), id());
    let refused = reply(401, &[], r#"{"error":"invalid_client"}"#);
    let kinds = [
        service.read_security_token(&id, &refused).unwrap_err(),
        service.read_by_factors(&id, &refused).unwrap_err(),
        service.read_by_key(&id, &refused).unwrap_err(),
        service.read_refresh(&id, &refused).unwrap_err(),
    ];
    for (error, kind) in kinds.iter().zip([
        ErrorKind::InvalidClient,
        ErrorKind::InvalidGrant,
        ErrorKind::InvalidClient,
        ErrorKind::InvalidGrant,
    ]) {
        assert_eq!((error.kind(), error.code(), error.is_in_doubt()), (kind, Some(401), false));
        assert!(error.to_string().contains(ID), "it names the request: {error}");
    }
}

#[test]
fn paths_are_appended_whether_the_url_ends_in_a_slash_or_not() {
    for base in ["https://a", "https://a/", "https://a/v1", "https://a/v1/"] {
        let uri =
            AuthorizationService::new(base).unwrap().refresh(&id(), &Secret::from("r")).uri().to_string();
        assert_eq!(uri, format!("{}{REFRESH_PATH}", base.trim_end_matches('/')));
    }
}

#[test]
fn a_store_tells_sessions_apart_by_service_token_id_and_permissions() {
    let key = |service: &str, token_id: &str, permissions: &[&str]| {
        WantedPermissions::new(token_id, permissions.iter().copied()).unwrap().credential(service)
    };
    let one = key("https://a", "device", &["read", "secret"]);
    assert_eq!(one, key("https://a", "device", &["secret", "read"]));
    for other in [
        key("https://b", "device", &["read", "secret"]),
        key("https://a", "other", &["read", "secret"]),
        key("https://a", "device", &["read"]),
    ] {
        assert_ne!(one.holder(), other.holder());
    }
}
