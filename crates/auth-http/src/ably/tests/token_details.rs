//! UTS `rest/unit/auth/token_details.md`: the token in use.

use super::*;

fn token(auth: &Auth) -> Option<String> {
    auth.token_details().map(|details| details.token().expose().to_owned())
}

fn named(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn whole(token: &str) -> TokenDetails {
    given(token).with_issued(Timestamp::from_millis(START)).with_client_id(id("my-client"))
}

fn calling(give: impl Fn(usize) -> Result<TokenReply, Error> + Send + Sync + 'static) -> AuthOptions {
    AuthOptions::new().with_auth_callback(Calls::giving(give).1)
}

/// UTS rest/unit/RSA16a/token-from-callback-0.
#[tokio::test]
async fn uts_rsa16a_token_from_callback_0() {
    let auth = World::content().client(calling(|_| Ok(TokenReply::Details(whole("callback-token")))));
    status(&auth).await.unwrap();
    assert_eq!(auth.token_details(), Some(whole("callback-token")));
}

/// UTS rest/unit/RSA16a/token-from-request-token-1.
#[tokio::test]
async fn uts_rsa16a_token_from_request_token_1() {
    let world = World::new(|_, _| json(200, whole("requested").to_json().expose()));
    let auth = world.client(with_key());
    auth.authorize(None, None).await.unwrap();
    assert_eq!(auth.token_details(), Some(whole("requested")));
}

/// UTS rest/unit/RSA16b/token-string-in-options-0.
#[tokio::test]
async fn uts_rsa16b_token_string_in_options_0() {
    let options = AuthOptions::from(auth_core::ably::KeyOrToken::parse("standalone").unwrap());
    let auth = World::content().client(options);
    assert_eq!(auth.token_details(), Some(TokenDetails::new(Secret::from("standalone"))));
}

/// UTS rest/unit/RSA16b/token-string-from-callback-1.
#[tokio::test]
async fn uts_rsa16b_token_string_from_callback_1() {
    let auth = World::content().client(calling(|_| Ok(TokenReply::Token(Secret::from("just-a-token")))));
    status(&auth).await.unwrap();
    assert_eq!(auth.token_details(), Some(TokenDetails::new(Secret::from("just-a-token"))));
}

/// UTS rest/unit/RSA16c/set-on-instantiation-0.
#[tokio::test]
async fn uts_rsa16c_set_on_instantiation_0() {
    let auth = World::content().client(AuthOptions::new().with_token(whole("initial")));
    assert_eq!(auth.token_details(), Some(whole("initial")));
}

/// UTS rest/unit/RSA16c/updated-after-authorize-1.
#[tokio::test]
async fn uts_rsa16c_updated_after_authorize_1() {
    let auth = World::content().client(Calls::numbered().1);
    for expected in ["token-1", "token-2"] {
        auth.authorize(None, None).await.unwrap();
        assert_eq!(token(&auth), named(expected));
    }
}

/// UTS rest/unit/RSA16c/updated-after-expiry-renewal-2, once the service's time is known.
#[tokio::test]
async fn uts_rsa16c_updated_after_expiry_renewal_2() {
    let world = World::content();
    let clock = Arc::clone(&world);
    let auth = world.client(calling(move |number| {
        let expires = clock.now().wall.saturating_add(Duration::from_secs(1));
        Ok(TokenReply::Details(
            TokenDetails::new(Secret::from(format!("token-v{number}"))).with_expires(expires),
        ))
    }));
    auth.query_time().await.unwrap();
    status(&auth).await.unwrap();
    assert_eq!(token(&auth), named("token-v1"));
    world.advance(Duration::from_secs(2));
    assert_eq!(token(&auth), None, "RSA16d: known to have expired");
    status(&auth).await.unwrap();
    assert_eq!(token(&auth), named("token-v2"));
}

/// UTS rest/unit/RSA16c/updated-after-40142-renewal-3.
#[tokio::test]
async fn uts_rsa16c_updated_after_40142_renewal_3() {
    let world = World::new(|_, number| if number == 1 { refusal(401, 40_142) } else { json(200, "{}") });
    let auth = world.client(Calls::numbered().1);
    auth.authorize(None, None).await.unwrap();
    assert_eq!(token(&auth), named("token-1"));
    status(&auth).await.unwrap();
    assert_eq!(token(&auth), named("token-2"));
}

/// UTS rest/unit/RSA16d/null-with-basic-auth-0.
#[tokio::test]
async fn uts_rsa16d_null_with_basic_auth_0() {
    let auth = World::content().client(with_key());
    status(&auth).await.unwrap();
    assert_eq!(token(&auth), None);
}

/// UTS rest/unit/RSA16d/null-before-token-obtained-1.
#[tokio::test]
async fn uts_rsa16d_null_before_token_obtained_1() {
    let (calls, options) = Calls::numbered();
    assert_eq!(token(&World::content().client(options)), None);
    assert_eq!(calls.count(), 0);
}

/// UTS rest/unit/RSA16d/null-after-invalidation-2.
#[tokio::test]
async fn uts_rsa16d_null_after_invalidation_2() {
    let world = World::new(|_, _| refusal(401, 40_142));
    let auth = world.client(calling(|number| if number == 1 { Ok(lasting("first")) } else { Err(down()) }));
    auth.authorize(None, None).await.unwrap();
    assert_eq!(token(&auth), named("first"));
    status(&auth).await.unwrap_err();
    assert_eq!(token(&auth), None);
}

/// UTS rest/unit/RSA16d/null-after-switch-to-basic-3 is not followed: `authorize` means tokens from then on (RSA10a),
/// whatever `use_token_auth` says. A client that authenticates with the key is another client.
#[tokio::test]
async fn uts_rsa16d_null_after_switch_to_basic_3() {
    let world = World::content();
    let auth = world.client(Calls::numbered().1);
    auth.authorize(None, None).await.unwrap();
    auth.authorize(None, Some(with_key().with_use_token_auth(false))).await.unwrap();
    assert_eq!(token(&auth), named("obtained-1"));
    assert_eq!(token(&world.client(with_key())), None, "the way to get there");
}

/// UTS rest/unit/RSA16a/preserved-across-requests-0.
#[tokio::test]
async fn uts_rsa16a_preserved_across_requests_0() {
    let (calls, options) = Calls::numbered();
    let auth = World::content().client(options);
    for _ in 0..3 {
        status(&auth).await.unwrap();
        assert_eq!(token(&auth), named("token-1"));
    }
    assert_eq!(calls.count(), 1);
}

/// UTS rest/unit/RSA16a/reflects-capability-1.
#[tokio::test]
async fn uts_rsa16a_reflects_capability_1() {
    let text = r#"{"channel1":["publish","subscribe"],"channel2":["subscribe"]}"#;
    let auth = World::content().client(calling(move |_| {
        Ok(TokenReply::Details(given("capable").with_capability(&text.parse().unwrap())))
    }));
    status(&auth).await.unwrap();
    assert_eq!(auth.token_details().unwrap().capability_text(), Some(text));
}
