//! What the document says of sessions that live.

use std::collections::BTreeSet;

use auth_core::{Demand, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::freshness::SystemFreshness;
use auth_http::manager::TokenManager;
use auth_http::spatium::wire::{AuthorizationService, WantedPermissions};
use auth_http::spatium::{AuthorizationSession, ConfigError, PermissionGrant};
use auth_http::store::FileStore;
use std::sync::Arc;
use tokio::task::JoinSet;

use super::{BASE, FACTORS, KEY_PATH, establish, member, presented, serve, served, text, verified};

#[tokio::test]
async fn the_example_of_the_document_works() {
    let served = served().await;
    let url = format!("{}{BASE}", served.relay.url());
    let auth =
        AuthorizationSession::new(&url, "c0ffee00-0000-4000-8000-000000000000", ["read", "secret"]).unwrap();
    let token = auth.security_factor_credentials("username", &Secret::from("password")).await.unwrap();
    auth.establish(&[token]).await.unwrap();
    verified(&text(&auth).await);

    let requests = served.relay.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].starts_with("POST /authorization/v1/api/security-factor/credentials HTTP/1.1\r\n"));
    assert!(requests[0].ends_with("\r\n\r\n{\"username\":\"username\",\"password\":\"password\"}"));
    assert!(requests[1].starts_with("POST /authorization/v1/api/permission/issue-by-factors HTTP/1.1\r\n"));
    let begin = r#"{"tokenId":"c0ffee00-0000-4000-8000-000000000000","permissions":["read","secret"],"securityTokens":["ey"#;
    assert!(requests[1].contains(&format!("\r\n\r\n{begin}")), "{}", requests[1]);
}

#[tokio::test]
async fn each_request_has_a_request_id_of_its_own() {
    let served = served().await;
    let session = served.established("device").await;
    session.refresh().await.unwrap();
    session.refresh().await.unwrap();
    let id = |request: &String| {
        let lower = request.to_lowercase();
        lower.lines().find_map(|line| line.strip_prefix("request-id: ").map(str::to_owned)).unwrap()
    };
    let ids: BTreeSet<_> = served.relay.requests().iter().map(id).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'), "{ids:?}");
    let echoed: Vec<_> = served.relay.answers().iter().map(|answer| member(answer, "/requestId")).collect();
    assert_eq!(echoed, served.relay.requests().iter().map(id).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_url_is_http_or_https() {
    let new = |url: &str| AuthorizationSession::new(url, "device", ["read"]).map(drop);
    assert!(new("https://cloud.spatium.net/authorization/v1").is_ok());
    assert!(new("http://127.0.0.1:1/authorization/v1").is_ok());
    for url in ["", "cloud.spatium.net", "ws://127.0.0.1/", "https://u:p@a/v1", "http://cloud.spatium.net/v1"]
    {
        assert!(matches!(new(url), Err(ConfigError::Url(_))), "{url}");
    }
    assert!(matches!(new("https://a/v1?x=1"), Err(ConfigError::Query)));
    let of = |token_id: &str, permissions: Vec<&str>| {
        AuthorizationSession::new("https://a/v1", token_id, permissions).map(drop)
    };
    assert!(matches!(of("", vec!["read"]), Err(ConfigError::TokenId)));
    assert!(matches!(of(&"x".repeat(257), vec!["read"]), Err(ConfigError::TokenId)));
    assert!(matches!(of("device", vec![]), Err(ConfigError::Permissions)));
}

#[tokio::test]
async fn before_a_session_is_established_no_token_operation_is_performed() {
    let served = served().await;
    let session = served.session("device");
    for error in [
        session.permission_token().await.unwrap_err(),
        session.refresh().await.unwrap_err(),
        session.token(Demand::Current).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.retry()), (ErrorKind::InvalidGrant, Retry::Reauthorize));
        assert_eq!(error.to_string(), "no session is established; gather security tokens and establish one");
    }
    assert!(!session.resume().await.unwrap(), "nor is there one from before");
    assert_eq!(served.relay.requests().len(), 0);
}

#[tokio::test]
async fn establishing_acquires_the_first_tokens() {
    let served = served().await;
    let session = served.established("device").await;
    let issued = member(&served.relay.answers()[1], "/data/permissionToken/permissionToken");
    assert_eq!(text(&session).await, issued);
    assert_eq!((served.relay.requests().len(), served.refreshes()), (2, 0), "nothing more was asked");
}

#[tokio::test]
async fn a_permission_token_has_the_permissions_of_the_constructor() {
    let served = served().await;
    let session = served.established("device").await;
    let first = text(&session).await;
    session.refresh().await.unwrap();
    for token in [first, text(&session).await] {
        let claims = verified(&token);
        assert!(claims.as_json().contains(r#""permissions":["read","secret"]"#), "{}", claims.as_json());
        assert_eq!(claims.text("magic"), Some("permissionTokenSchema"));
        assert_eq!((claims.text("accountId"), claims.text("merchantId")), (Some("username"), None));
    }
}

#[tokio::test]
async fn the_current_permission_token_is_cached() {
    let served = served().await;
    let session = served.established("device").await;
    let first = text(&session).await;
    for _ in 0..100 {
        assert_eq!(text(&session).await, first);
    }
    assert_eq!(served.relay.requests().len(), 2);
}

#[tokio::test]
async fn after_establishing_both_tokens_are_refreshed_on_demand() {
    let served = served().await;
    let session = served.established("device").await;
    let first = session.permission_token().await.unwrap();
    // Whoever presents the token says that it was refused: the refresh is internal.
    let second = session.token(Demand::InsteadOf(first.generation())).await.unwrap();
    assert_ne!(first.secret(), second.secret());
    session.refresh().await.unwrap();
    assert_ne!(text(&session).await, second.secret().expose());
    let presented = presented(&served);
    assert_eq!(presented.len(), 2);
    assert_eq!(
        presented[0],
        member(&served.relay.answers()[1], "/data/permissionRefreshToken/permissionRefreshToken")
    );
    assert_eq!(
        presented[1],
        member(&served.relay.answers()[2], "/data/permissionRefreshToken/permissionRefreshToken")
    );
    assert_ne!(presented[0], presented[1]);
    assert_eq!((served.counts.redeemed(), served.counts.revoked()), (2, 0));
}

#[tokio::test]
async fn refresh_replaces_both_tokens() {
    let served = served().await;
    let session = served.established("device").await;
    let mut tokens = vec![text(&session).await];
    for _ in 0..2 {
        session.refresh().await.unwrap();
        tokens.push(text(&session).await);
    }
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(presented(&served).iter().collect::<BTreeSet<_>>().len(), 2);
}

#[tokio::test]
async fn a_refresh_right_after_establishing_is_one_too() {
    let served = served().await;
    let session = served.established("device").await;
    session.refresh().await.unwrap();
    assert_eq!(served.refreshes(), 1);
}

#[tokio::test]
async fn refreshes_that_come_together_are_one_request() {
    let served = served().await;
    let session = served.established("device").await;
    session.permission_token().await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let session = session.clone();
        tasks.spawn(async move { session.refresh().await });
    }
    while let Some(refreshed) = tasks.join_next().await {
        refreshed.unwrap().unwrap();
    }
    assert_eq!(served.refreshes(), 1);
    // The control: one after the other they are two.
    session.refresh().await.unwrap();
    assert_eq!(served.refreshes(), 2);
}

#[tokio::test]
async fn parallel_sessions_with_distinct_token_ids_live_side_by_side() {
    let served = served().await;
    let (phone, laptop) = (served.established("phone").await, served.established("laptop").await);
    for _ in 0..2 {
        phone.refresh().await.unwrap();
        laptop.refresh().await.unwrap();
    }
    assert_ne!(text(&phone).await, text(&laptop).await);
    assert_eq!((served.counts.redeemed(), served.counts.revoked()), (4, 0));
}

#[tokio::test]
async fn a_session_of_the_same_token_id_displaces_the_one_before() {
    let served = served().await;
    let before = served.established("device").await;
    let after = served.established("device").await;
    assert_eq!(before.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    after.refresh().await.unwrap();
    assert_eq!(served.counts.revoked(), 0, "the displaced token was no theft");
}

#[tokio::test]
async fn a_stable_token_id_is_of_its_user_alone() {
    let served = served().await;
    let session = served.established("device").await;
    let service = AuthorizationService::new(&served.url()).unwrap();
    let wanted = WantedPermissions::new("device", ["read"]).unwrap();
    let other = AuthorizationSession::builder(service, Arc::new(HyperClient::plaintext()), wanted).build();
    let factor = other.security_factor_credentials("other", &Secret::from("password")).await.unwrap();
    other.establish(&[factor]).await.unwrap();
    session.refresh().await.unwrap();
    other.refresh().await.unwrap();
}

#[tokio::test]
async fn establishing_again_replaces_the_session_before() {
    let served = served().await;
    let session = served.established("device").await;
    let first = session.permission_token().await.unwrap();
    establish(&session).await.unwrap();
    let second = session.permission_token().await.unwrap();
    assert_ne!(first.secret(), second.secret());
    assert!(second.generation() > first.generation(), "generations go on");
    // A socket that was refused with the old token gets the new one, without a further request.
    let instead = session.token(Demand::InsteadOf(first.generation())).await.unwrap();
    assert_eq!(instead.secret(), second.secret());
    assert_eq!(served.refreshes(), 0);
}

#[tokio::test]
async fn establishing_again_invalidates_the_previous_refresh_token() {
    let served = served().await;
    let session = served.established("device").await;
    let previous = member(&served.relay.answers()[1], "/data/permissionRefreshToken/permissionRefreshToken");
    establish(&session).await.unwrap();
    assert_eq!(status_of_refresh(&served, &previous).await, 401);
    // The control: the one that replaced it is good, and the session lives on it.
    session.refresh().await.unwrap();
    assert_eq!(served.counts.revoked(), 0);
}

pub(super) async fn status_of_refresh(served: &super::Served, refresh_token: &str) -> u16 {
    use auth_http::exchange::HttpExchange as _;
    use auth_http::spatium::wire::RequestId;

    let service = AuthorizationService::new(&served.url()).unwrap();
    let request = service.refresh(&RequestId::from_random([1; 16]), &Secret::from(refresh_token));
    HyperClient::plaintext().exchange(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn insufficient_or_invalid_security_tokens_establish_nothing() {
    let served = served().await;
    let session = served.session("device");
    let password = Secret::from("password");
    let wrong = session.security_factor_credentials("username", &Secret::from("wrong")).await.unwrap_err();
    assert_eq!(
        (wrong.kind(), wrong.code(), wrong.retry()),
        (ErrorKind::InvalidClient, Some(401), Retry::Never)
    );
    let unknown = session.security_factor_credentials("nobody", &password).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidClient);

    let good = session.security_factor_credentials("username", &password).await.unwrap();
    let of_other = session.security_factor_credentials("other", &password).await.unwrap();
    let permission_token = text(&served.established("another").await).await;
    let before = served.relay.requests_to(FACTORS).len();
    for (tokens, kind) in [
        (vec![], ErrorKind::Refused),
        (vec![Secret::from("no.such.token")], ErrorKind::InvalidGrant),
        (vec![Secret::from(permission_token)], ErrorKind::InvalidGrant),
        (vec![good.clone(), of_other.clone()], ErrorKind::InvalidGrant),
        // Its user may read, and no more.
        (vec![of_other], ErrorKind::Refused),
    ] {
        let error = session.establish(&tokens).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(session.permission_token().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    }
    assert_eq!(served.relay.requests_to(FACTORS).len(), before + 5, "each was tried once");
    session.establish(&[good]).await.unwrap();
    verified(&text(&session).await);
}

#[tokio::test]
async fn a_session_that_can_not_be_established_leaves_the_one_before() {
    let served = served().await;
    let session = served.established("device").await;
    let token = text(&session).await;
    session.establish(&[Secret::from("no.such.token")]).await.unwrap_err();
    assert_eq!(text(&session).await, token);
    session.refresh().await.unwrap();
}

#[tokio::test]
async fn a_session_in_a_file_is_gone_on_with_in_the_next_run_and_belongs_to_its_token_id() {
    let served = served().await;
    let folder = tempfile::tempdir().unwrap();
    let store = || Arc::new(FileStore::open(folder.path().join("session.json")).unwrap());
    let first = served.builder("device").with_store(store()).build();
    assert!(!first.resume().await.unwrap());
    establish(&first).await.unwrap();
    let token = text(&first).await;
    first.shut_down().await;
    assert_eq!(first.permission_token().await.unwrap_err().kind(), ErrorKind::InvalidGrant);

    let second = served.builder("device").with_store(store()).build();
    assert!(second.resume().await.unwrap());
    assert_eq!(text(&second).await, token);
    assert_eq!(served.relay.requests().len(), 2, "the token in the file serves");
    second.refresh().await.unwrap();
    second.shut_down().await;

    let third = served.builder("device").with_store(store()).build();
    assert!(third.resume().await.unwrap());
    third.refresh().await.unwrap();
    assert_eq!((served.counts.redeemed(), served.counts.revoked()), (2, 0));
    let other = served.builder("other device").with_store(store()).build();
    assert_eq!(other.resume().await.unwrap_err().kind(), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn a_service_has_its_tokens_by_its_merchant_key() {
    let served = serve(|server| server).await;
    let grant = || {
        let service = AuthorizationService::new(&served.url()).unwrap();
        let wanted = WantedPermissions::new("service", ["read"]).unwrap();
        let key = Secret::from("canary-merchant-key");
        let http = Arc::new(HyperClient::plaintext());
        PermissionGrant::by_merchant_key(service, http, Arc::new(SystemFreshness), wanted, key)
    };
    assert!(!format!("{:?}", grant()).contains("canary"));
    let tokens = TokenManager::builder(grant()).spawn();
    let first = tokens.token(Demand::Current).await.unwrap();
    let claims = verified(first.secret().expose());
    assert_eq!((claims.text("accountId"), claims.text("merchantId")), (None, Some("merchant")));
    assert!(claims.as_json().contains(r#""accountId":null"#));
    tokens.token(Demand::NewerThan(first.generation())).await.unwrap();
    assert_eq!(served.refreshes(), 1);
    // Another process of this service displaces the session; the key is the way back.
    let another = TokenManager::builder(grant()).spawn();
    another.token(Demand::Current).await.unwrap();
    let last = tokens.token(Demand::Current).await.unwrap();
    let by_key = || served.relay.requests_to(KEY_PATH).len();
    assert_eq!((by_key(), served.refreshes()), (2, 1));
    let back = tokens.token(Demand::InsteadOf(last.generation())).await.unwrap();
    verified(back.secret().expose());
    assert_eq!((by_key(), served.refreshes()), (3, 2));
    let answers = served.relay.answers();
    let [.., refused, issued] = &answers[..] else { panic!("{answers:?}") };
    assert!(refused.starts_with("HTTP/1.1 401 ") && issued.starts_with("HTTP/1.1 200 "), "{answers:?}");
}
