//! UTS `rest/unit/auth/revoke_tokens.md`: what is sent, and what came of each target.

use auth_core::ably::{RevocationRequest, RevocationResult, RevocationTarget};

use super::*;

const APPLIES: &str = r#""issuedBefore":1700000000000,"appliesAt":1700000001000"#;

fn revoked(targets: &[&str]) -> String {
    let results: Vec<_> =
        targets.iter().map(|target| format!(r#"{{"target":"{target}",{APPLIES}}}"#)).collect();
    format!("[{}]", results.join(","))
}

fn refused(target: &str) -> String {
    format!(
        r#"{{"target":"{target}","error":{{"code":40000,"statusCode":400,"message":"Invalid target type"}}}}"#
    )
}

fn targets(texts: &[&str]) -> RevocationRequest {
    RevocationRequest::new(texts.iter().map(|text| RevocationTarget::parse(text).unwrap()).collect())
}

/// Sends a request to a service that answers this.
async fn sent(
    request: &RevocationRequest,
    status: u16,
    body: &str,
) -> (Request<Bytes>, Result<RevocationResult, Error>) {
    let body = body.to_owned();
    let world = World::new(move |_, _| json(status, &body));
    let auth = world.client(AuthOptions::new().with_key(ApiKey::parse("appId.keyName:keySecret").unwrap()));
    let result = auth.revoke_tokens(request).await;
    assert_eq!(world.count(), 1);
    (world.asked()[0].clone(), result)
}

async fn body(request: RevocationRequest) -> serde_json::Value {
    let (asked, _) = sent(&request, 200, &revoked(&["clientId:alice"])).await;
    serde_json::from_slice(asked.body()).unwrap()
}

async fn result(texts: &[&str], body: &str) -> RevocationResult {
    sent(&targets(texts), 201, body).await.1.unwrap()
}

/// UTS rest/unit/RSA17g/sends-post-correct-path-0.
#[tokio::test]
async fn uts_rsa17g_sends_post_correct_path_0() {
    let (asked, _) = sent(&targets(&["clientId:alice"]), 200, &revoked(&["clientId:alice"])).await;
    assert_eq!((asked.method().as_str(), asked.uri().path()), ("POST", "/keys/appId.keyName/revokeTokens"));
}

/// UTS rest/unit/RSA17b/single-specifier-targets-0.
#[tokio::test]
async fn uts_rsa17b_single_specifier_targets_0() {
    assert_eq!(body(targets(&["clientId:alice"])).await["targets"], serde_json::json!(["clientId:alice"]));
}

/// UTS rest/unit/RSA17b/multiple-specifier-types-1.
#[tokio::test]
async fn uts_rsa17b_multiple_specifier_types_1() {
    let several = vec![
        RevocationTarget::client_id(&id("alice")),
        RevocationTarget::revocation_key("group-1"),
        RevocationTarget::channel("secret"),
    ];
    let expected = serde_json::json!(["clientId:alice", "revocationKey:group-1", "channel:secret"]);
    assert_eq!(body(RevocationRequest::new(several)).await["targets"], expected);
}

/// UTS rest/unit/RSA17c/all-success-result-0, in the older form that it has.
#[tokio::test]
async fn uts_rsa17c_all_success_result_0() {
    let both = ["clientId:alice", "clientId:bob"];
    let result = result(&both, &revoked(&both)).await;
    assert_eq!((result.success_count(), result.failure_count(), result.results.len()), (2, 0, 2));
}

/// UTS rest/unit/RSA17c/mixed-success-failure-1.
#[tokio::test]
async fn uts_rsa17c_mixed_success_failure_1() {
    let body = format!(
        r#"{{"successCount":1,"failureCount":1,"results":[{{"target":"clientId:alice",{APPLIES}}},{}]}}"#,
        refused("invalidType:abc")
    );
    let result = result(&["clientId:alice", "invalidType:abc"], &body).await;
    assert_eq!((result.success_count(), result.failure_count(), result.results.len()), (1, 1, 2));
}

/// UTS rest/unit/RSA17c/all-failure-result-2.
#[tokio::test]
async fn uts_rsa17c_all_failure_result_2() {
    let body = format!(
        r#"{{"successCount":0,"failureCount":2,"results":[{},{}]}}"#,
        refused("invalidType:foo"),
        refused("invalidType:bar")
    );
    let result = result(&["invalidType:foo", "invalidType:bar"], &body).await;
    assert_eq!((result.success_count(), result.failure_count(), result.results.len()), (0, 2, 2));
}

/// UTS rest/unit/TRS2/success-result-attributes-0.
#[tokio::test]
async fn uts_trs2_success_result_attributes_0() {
    let result = result(&["clientId:alice"], &revoked(&["clientId:alice"])).await;
    let success = result.results[0].as_ref().unwrap();
    assert_eq!(success.target.to_text().expose(), "clientId:alice");
    assert_eq!(success.issued_before.as_millis(), 1_700_000_000_000);
    assert_eq!(success.applies_at.as_millis(), 1_700_000_001_000);
}

/// UTS rest/unit/TRF2/failure-result-attributes-0.
#[tokio::test]
async fn uts_trf2_failure_result_attributes_0() {
    let body = format!(r#"{{"successCount":0,"failureCount":1,"results":[{}]}}"#, refused("invalidType:abc"));
    let result = result(&["invalidType:abc"], &body).await;
    let failure = result.results[0].as_ref().unwrap_err();
    assert_eq!(failure.target.to_text().expose(), "invalidType:abc");
    assert_eq!((failure.error.code.number(), failure.error.status), (40_000, 400));
    assert!(failure.error.message.as_str().contains("Invalid target type"));
}

/// UTS rest/unit/RSA17d/token-auth-revoke-rejected-0.
#[tokio::test]
async fn uts_rsa17d_token_auth_revoke_rejected_0() {
    rejected(with_token("a.token.string")).await;
}

/// UTS rest/unit/RSA17d/use-token-auth-revoke-rejected-1.
#[tokio::test]
async fn uts_rsa17d_use_token_auth_revoke_rejected_1() {
    rejected(with_key().with_use_token_auth(true)).await;
}

async fn rejected(options: AuthOptions) {
    let world = World::content();
    let error = world.client(options).revoke_tokens(&targets(&["clientId:alice"])).await.unwrap_err();
    assert_eq!(
        (code(&error), auth_core::ably::ErrorCode::new(40_162).status(), world.count()),
        (40_162, 401, 0)
    );
}

/// UTS rest/unit/RSA17e/issued-before-included-0.
#[tokio::test]
async fn uts_rsa17e_issued_before_included_0() {
    let request = targets(&["clientId:alice"]).with_issued_before(Timestamp::from_millis(1_699_999_000_000));
    assert_eq!(body(request).await["issuedBefore"], 1_699_999_000_000_u64);
}

/// UTS rest/unit/RSA17e/issued-before-omitted-1.
#[tokio::test]
async fn uts_rsa17e_issued_before_omitted_1() {
    assert!(body(targets(&["clientId:alice"])).await.get("issuedBefore").is_none());
}

/// UTS rest/unit/RSA17f/reauth-margin-included-0.
#[tokio::test]
async fn uts_rsa17f_reauth_margin_included_0() {
    assert_eq!(body(targets(&["clientId:alice"]).with_reauth_margin()).await["allowReauthMargin"], true);
}

/// UTS rest/unit/RSA17f/reauth-margin-omitted-1.
#[tokio::test]
async fn uts_rsa17f_reauth_margin_omitted_1() {
    assert!(body(targets(&["clientId:alice"])).await.get("allowReauthMargin").is_none());
}

/// UTS rest/unit/RSA17f/both-options-together-2.
#[tokio::test]
async fn uts_rsa17f_both_options_together_2() {
    let request = targets(&["clientId:alice"]).with_reauth_margin();
    let sent = body(request.with_issued_before(Timestamp::from_millis(1_699_999_000_000))).await;
    let expected = serde_json::json!({
        "targets": ["clientId:alice"], "issuedBefore": 1_699_999_000_000_u64, "allowReauthMargin": true
    });
    assert_eq!(sent, expected);
}

/// UTS rest/unit/RSA17/server-error-propagated-0.
#[tokio::test]
async fn uts_rsa17_server_error_propagated_0() {
    let error = r#"{"error":{"code":50000,"statusCode":500,"message":"Internal error"}}"#;
    let error = sent(&targets(&["clientId:alice"]), 500, error).await.1.unwrap_err();
    assert_eq!((code(&error), error.kind()), (50_000, ErrorKind::ServerFailed));
}

/// UTS rest/unit/RSA17/request-uses-basic-auth-0.
#[tokio::test]
async fn uts_rsa17_request_uses_basic_auth_0() {
    let (asked, _) = sent(&targets(&["clientId:alice"]), 200, "[]").await;
    assert!(header(&asked, "authorization").starts_with("Basic "));
}
