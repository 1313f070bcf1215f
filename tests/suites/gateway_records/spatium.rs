//! Spatium's stories: factors, sessions, refreshes, and the reuse of a refresh token.

use auth_http::endpoint::spatium::{Account, AuthorizationServer, Merchant};
use serde_json::json;

use super::*;

const JSON: &str = "Content-Type: application/json";

async fn served(grace: Duration) -> Told {
    let server = AuthorizationServer::hs256([7; 32])
        .with_account(Account::new("alice", Secret::from("canary-password"), ["read"]))
        .with_merchant(Merchant::new("shop", Secret::from("canary-merchant"), ["read"]))
        .with_refresh_grace(grace);
    Told::with(|config| config.with_spatium(server)).await
}

async fn call(told: &Told, path: &str, body: &Value) -> (u16, Value) {
    let line = format!("POST /authorization/v1/api/{path}");
    let (status, reply) = told.ask(&line, &[JSON], &body.to_string()).await;
    (status, serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap())
}

/// The permission token and the refresh token of a reply.
fn both(reply: &Value) -> (String, String) {
    let text = |name: &str| reply["data"][name][name].as_str().expect("a token").to_owned();
    (text("permissionToken"), text("permissionRefreshToken"))
}

async fn established(told: &Told) -> (String, String) {
    let body = json!({ "tokenId": "t", "permissions": ["read"], "merchantKey": "canary-merchant" });
    let (status, reply) = call(told, "permission/issue-by-key", &body).await;
    assert_eq!(status, 200, "{reply}");
    both(&reply)
}

#[tokio::test]
async fn a_session_is_told_from_its_factors_to_the_reuse_that_revokes_it() {
    let told = served(Duration::ZERO).await;
    let credentials = json!({ "username": "alice", "password": "canary-password" });
    let (status, reply) = call(&told, "security-factor/credentials", &credentials).await;
    assert_eq!(status, 200, "{reply}");
    let factor = reply["data"]["securityToken"].as_str().unwrap();
    let wanted = json!({ "tokenId": "t", "permissions": ["read"], "securityTokens": [factor] });
    let (_, reply) = call(&told, "permission/issue-by-factors", &wanted).await;
    let (permission, refresh) = both(&reply);
    let redeem = json!({ "permissionRefreshToken": refresh });
    assert_eq!(call(&told, "permission/refresh", &redeem).await.0, 200);
    assert_eq!(call(&told, "permission/refresh", &redeem).await.0, 401);
    assert_eq!(call(&told, "permission/refresh", &redeem).await.0, 401);
    let wrong = json!({ "username": "alice", "password": "canary-wrong" });
    assert_eq!(call(&told, "security-factor/credentials", &wrong).await.0, 401);
    established(&told).await;
    let forbidden = json!({ "tokenId": "t", "permissions": ["sign"], "merchantKey": "canary-merchant" });
    assert_eq!(call(&told, "permission/issue-by-key", &forbidden).await.0, 403);
    assert_eq!(
        told.story(9).await,
        [
            "token_minted spatium_credentials alice",
            "token_minted spatium_security_factors alice",
            "token_minted spatium_refresh alice",
            "replay_rejected refresh_token alice",
            "token_revoked session of alice",
            "token_denied spatium_refresh unauthorized alice",
            "token_denied spatium_credentials unauthorized alice",
            "token_minted spatium_merchant_key shop",
            "token_denied spatium_merchant_key forbidden shop",
        ]
    );
    let events = told.recorder.events();
    assert_eq!(parsed(&events[1])["token"], print(&permission));
    assert_eq!(parsed(&events[3])["token"], print(&refresh));
    assert_eq!(parsed(&events[1])["scope"], json!(["read"]));
}

#[tokio::test]
async fn a_password_in_the_place_of_the_user_is_in_no_record() {
    let told = served(Duration::ZERO).await;
    for (username, password) in [("canary-password", "canary-password"), ("canary-password", "alice")] {
        let typed = json!({ "username": username, "password": password });
        assert_eq!(call(&told, "security-factor/credentials", &typed).await.0, 401);
    }
    assert_eq!(told.story(2).await, ["token_denied spatium_credentials unauthorized"; 2]);
}

#[tokio::test]
async fn a_refresh_that_can_not_be_recorded_is_answered_503_and_costs_no_session() {
    let told = served(Duration::ZERO).await;
    let (_, refresh) = established(&told).await;
    let redeem = json!({ "permissionRefreshToken": refresh });
    told.recorder.refuse(&["token_minted"]);
    for _ in 0..2 {
        let (status, reply) = call(&told, "permission/refresh", &redeem).await;
        assert_eq!((status, &reply["error"]["code"]), (503, &"unavailable".into()));
    }
    told.recorder.refuse(&[]);
    let (status, reply) = call(&told, "permission/refresh", &redeem).await;
    assert_eq!(status, 200, "{reply}");
    let next = json!({ "permissionRefreshToken": both(&reply).1 });
    assert_eq!(call(&told, "permission/refresh", &next).await.0, 200);
    assert_eq!(call(&told, "permission/refresh", &redeem).await.0, 401, "it is spent now");
}
