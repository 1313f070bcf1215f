//! UTS `rest/unit/auth/token_request_params.md`: what a signed request asks for; and RSA9.

use super::*;

/// The request that a client with these defaults signs for these parameters.
async fn signed(defaults: TokenParams, given: Option<TokenParams>) -> TokenRequest {
    let world = World::content();
    let auth = world.builder(with_key()).with_default_params(defaults).build().unwrap();
    let request = auth.create_token_request(given, None).await.unwrap();
    assert_eq!(world.count(), 0, "nothing is sent");
    request
}

fn ttl(millis: u64) -> TokenParams {
    TokenParams::new().with_ttl(Duration::from_millis(millis))
}

fn capability(text: &str) -> TokenParams {
    TokenParams::new().with_capability(text.parse().unwrap())
}

fn millis(request: &TokenRequest) -> Option<u128> {
    request.ttl().map(|ttl| ttl.as_millis())
}

/// UTS rest/unit/RSA5/ttl-null-when-unspecified-0.
#[tokio::test]
async fn uts_rsa5_ttl_null_when_unspecified_0() {
    let request = signed(TokenParams::new(), None).await;
    assert_eq!(request.ttl(), None);
    assert!(!request.to_json().expose().contains("ttl"));
}

/// UTS rest/unit/RSA5b/explicit-ttl-preserved-0.
#[tokio::test]
async fn uts_rsa5b_explicit_ttl_preserved_0() {
    assert_eq!(millis(&signed(TokenParams::new(), Some(ttl(7_200_000))).await), Some(7_200_000));
}

/// UTS rest/unit/RSA5c/ttl-from-default-params-0.
#[tokio::test]
async fn uts_rsa5c_ttl_from_default_params_0() {
    assert_eq!(millis(&signed(ttl(1_800_000), None).await), Some(1_800_000));
}

/// UTS rest/unit/RSA5d/explicit-ttl-overrides-default-0.
#[tokio::test]
async fn uts_rsa5d_explicit_ttl_overrides_default_0() {
    assert_eq!(millis(&signed(ttl(1_800_000), Some(ttl(600_000))).await), Some(600_000));
}

/// UTS rest/unit/RSA6/capability-null-when-unspecified-0.
#[tokio::test]
async fn uts_rsa6_capability_null_when_unspecified_0() {
    let request = signed(TokenParams::new(), None).await;
    assert_eq!(request.capability_text(), None);
    assert!(!request.to_json().expose().contains("capability"));
}

/// UTS rest/unit/RSA6b/explicit-capability-preserved-0.
#[tokio::test]
async fn uts_rsa6b_explicit_capability_preserved_0() {
    let text = r#"{"channel-a":["publish","subscribe"]}"#;
    assert_eq!(signed(TokenParams::new(), Some(capability(text))).await.capability_text(), Some(text));
}

/// UTS rest/unit/RSA6c/capability-from-default-params-0.
#[tokio::test]
async fn uts_rsa6c_capability_from_default_params_0() {
    let text = r#"{"*":["subscribe"]}"#;
    assert_eq!(signed(capability(text), None).await.capability_text(), Some(text));
}

/// UTS rest/unit/RSA6d/explicit-capability-overrides-default-0.
#[tokio::test]
async fn uts_rsa6d_explicit_capability_overrides_default_0() {
    let text = r#"{"channel-x":["publish"]}"#;
    let request = signed(capability(r#"{"*":["subscribe"]}"#), Some(capability(text))).await;
    assert_eq!(request.capability_text(), Some(text));
}

#[tokio::test]
async fn rsa9a_rsa9g_the_request_verifies_under_the_key_that_was_given() {
    let world = World::content();
    let auth = world.client(with_key());
    assert!(auth.create_token_request(None, None).await.unwrap().verify(&key(), world.now()).is_ok());
    let other = ApiKey::parse("appId.other:otherSecret").unwrap();
    let options = AuthOptions::new().with_key(other.clone());
    let request = auth.create_token_request(None, Some(options)).await.unwrap();
    assert!(request.verify(&other, world.now()).is_ok());
    assert_eq!(request.key_name(), "appId.other");
}

#[tokio::test]
async fn rsa9c_each_nonce_is_new_and_long_enough() {
    let auth = World::content().client(with_key());
    let one = auth.create_token_request(None, None).await.unwrap();
    let two = auth.create_token_request(None, None).await.unwrap();
    assert_ne!(one.nonce(), two.nonce());
    assert!(one.nonce().len() >= 16);
}

#[tokio::test]
async fn rsa9d_the_timestamp_is_now_or_the_callers() {
    let request = signed(TokenParams::new(), None).await;
    assert_eq!(request.timestamp().unwrap().as_millis(), START);
    let params = TokenParams::new().with_timestamp(Timestamp::from_millis(5));
    assert_eq!(signed(TokenParams::new(), Some(params)).await.timestamp().unwrap().as_millis(), 5);
}

#[tokio::test]
async fn rsa9h_rsa9i_given_parameters_replace_the_stored_ones() {
    let defaults = ttl(5).with_capability(r#"{"*":["subscribe"]}"#.parse().unwrap()).with_client_id(id("al"));
    let request = signed(defaults, Some(ttl(7))).await;
    assert_eq!((millis(&request), request.capability_text(), request.client_id()), (Some(7), None, None));
}

#[tokio::test]
async fn rsa9_without_a_key_nothing_can_be_signed() {
    let auth = World::content().client(with_url());
    assert_eq!(code(&auth.create_token_request(None, None).await.unwrap_err()), 40_101);
}
