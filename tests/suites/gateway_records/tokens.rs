//! The token endpoint's stories: minted, denied, replayed, revoked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[tokio::test]
async fn each_answer_of_the_token_endpoint_is_told_once() {
    let told = Told::plain().await;
    let token = told.token().await;
    assert_eq!(told.grant("grant_type=client_credentials&scope=c").await.0, 400);
    assert_eq!(told.grant("grant_type=password").await.0, 400);
    assert_eq!(told.grant("grant_type=refresh_token&refresh_token=canary-unknown").await.0, 400);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let wrong = "grant_type=client_credentials&client_id=stranger%0d%0a&client_secret=canary";
    assert_eq!(told.ask("POST /oauth/token", &[form], wrong).await.0, 401);
    assert_eq!(told.ask("GET /oauth/token", &[], "").await.0, 405);
    assert_eq!(
        told.story(6).await,
        [
            "token_minted client_credentials id",
            "token_denied client_credentials invalid_scope id",
            "token_denied unsupported unsupported_grant_type id",
            "token_denied refresh_token invalid_grant id",
            "token_denied client_credentials invalid_client",
            "token_denied unknown invalid_request",
        ]
    );
    let minted = parsed(&told.recorder.events()[0]);
    assert_eq!(minted["token"], print(&token));
    assert_eq!(
        (&minted["scope"], &minted["expires_in_ms"]),
        (&serde_json::json!(["a", "b"]), &3_600_000.into())
    );
}

#[tokio::test]
async fn whoever_puts_a_secret_where_the_name_belongs_does_not_find_it_in_the_records() {
    let told = Told::plain().await;
    let form = "Content-Type: application/x-www-form-urlencoded";
    let swapped = format!("grant_type=client_credentials&client_id={CLIENT_SECRET}&client_secret=id");
    assert_eq!(told.ask("POST /oauth/token", &[form], &swapped).await.0, 401);
    let basic = format!("Authorization: Basic {}", STANDARD.encode(format!("{CLIENT_SECRET}:id")));
    assert_eq!(told.ask("POST /oauth/token", &[form, &basic], "grant_type=client_credentials").await.0, 401);
    let wrong = "grant_type=client_credentials&client_id=id&client_secret=wrong";
    assert_eq!(told.ask("POST /oauth/token", &[form], wrong).await.0, 401);
    assert_eq!(
        told.story(3).await,
        [
            "token_denied client_credentials invalid_client",
            "token_denied client_credentials invalid_client",
            "token_denied client_credentials invalid_client id",
        ],
        "who is known is named"
    );
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_as_denied() {
    let told = Told::with(|config| config.with_rate_limit(RateLimit::new(Duration::from_secs(60), 1))).await;
    told.token().await;
    assert_eq!(told.grant("grant_type=client_credentials").await.0, 429);
    assert_eq!(
        told.story(2).await,
        ["token_minted client_credentials id", "token_denied client_credentials temporarily_unavailable id"]
    );
}

#[tokio::test]
async fn the_reuse_of_a_spent_refresh_token_is_a_replay_that_revokes_its_family_once() {
    let told = Told::with(|config| config.with_refresh_grace(Duration::ZERO)).await;
    let (status, reply) = told.grant("grant_type=refresh_token&refresh_token=canary-r1").await;
    assert_eq!(status, 200);
    for _ in 0..2 {
        assert_eq!(told.grant("grant_type=refresh_token&refresh_token=canary-r1").await.0, 400);
    }
    let newest = format!("grant_type=refresh_token&refresh_token={}", member(&reply, "refresh_token"));
    assert_eq!(told.grant(&newest).await.0, 400);
    assert_eq!(
        told.story(5).await,
        [
            "token_minted refresh_token id",
            "replay_rejected refresh_token id",
            "token_revoked refresh tokens of id",
            "replay_rejected refresh_token id",
            "token_denied refresh_token invalid_grant id",
        ]
    );
    assert_eq!(parsed(&told.recorder.events()[1])["token"], print("canary-r1"));
}
