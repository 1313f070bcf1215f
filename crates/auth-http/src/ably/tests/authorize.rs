//! UTS `rest/unit/auth/authorize.md`: a new token now, and new defaults.

use super::*;

/// UTS rest/unit/RSA10a/authorize-default-params-0.
#[tokio::test]
async fn uts_rsa10a_authorize_default_params_0() {
    let world = World::content();
    let auth = world.client(with_key());
    let token = auth.authorize(None, None).await.unwrap();
    assert_eq!(token.token().expose(), "obtained-1");
    status(&auth).await.unwrap();
    assert_eq!(token_of(world.asked().last().unwrap()), "obtained-1", "and no longer the key");
}

/// UTS rest/unit/RSA10b/authorize-explicit-params-0.
#[tokio::test]
async fn uts_rsa10b_authorize_explicit_params_0() {
    let (calls, options) = Calls::numbered();
    let auth = World::content().builder(options).with_client_id(id("default-client")).build().unwrap();
    let params =
        TokenParams::new().with_client_id(id("override-client")).with_ttl(Duration::from_secs(7_200));
    auth.authorize(Some(params.clone()), None).await.unwrap();
    assert_eq!(calls.params(1), params);
}

/// UTS rest/unit/RSA10e/authorize-saves-params-0.
#[tokio::test]
async fn uts_rsa10e_authorize_saves_params_0() {
    let (calls, options) = Calls::numbered();
    let auth = World::content().client(options);
    let params = TokenParams::new().with_client_id(id("saved-client")).with_ttl(Duration::from_secs(3_600));
    auth.authorize(Some(params.clone()), None).await.unwrap();
    auth.authorize(None, None).await.unwrap();
    assert_eq!((calls.count(), calls.params(2)), (2, params));
}

/// UTS rest/unit/RSA10g/authorize-updates-token-details-0.
#[tokio::test]
async fn uts_rsa10g_authorize_updates_token_details_0() {
    let world = World::new(|_, _| {
        json(200, given("new-token").with_client_id(id("token-client")).to_json().expose())
    });
    let auth = world.client(with_key());
    assert_eq!(auth.token_details(), None);
    let token = auth.authorize(None, None).await.unwrap();
    assert_eq!(token.client_id().unwrap().as_str(), "token-client");
    assert_eq!(auth.token_details(), Some(token));
}

/// UTS rest/unit/RSA10h/authorize-replaces-auth-options-0.
#[tokio::test]
async fn uts_rsa10h_authorize_replaces_auth_options_0() {
    let ((original, options), (new, replacement)) = (Calls::numbered(), Calls::numbered());
    World::content().client(options).authorize(None, Some(replacement)).await.unwrap();
    assert_eq!((original.count(), new.count()), (0, 1));
}

/// UTS rest/unit/RSA10i/authorize-preserves-key-0: for telling whether another key is the client's. It signs nothing
/// any more, since options replace options as a whole (RSA10j).
#[tokio::test]
async fn uts_rsa10i_authorize_preserves_key_0() {
    let world = World::content();
    let auth = world.client(with_key());
    auth.authorize(None, Some(with_url())).await.unwrap();
    assert_eq!(code(&auth.create_token_request(None, None).await.unwrap_err()), 40_101);
    let other = AuthOptions::new().with_key(ApiKey::parse("appId.other:keySecret").unwrap());
    assert_eq!(code(&auth.authorize(None, Some(other)).await.unwrap_err()), 40_102);
    auth.authorize(None, Some(with_key())).await.unwrap();
}

/// UTS rest/unit/RSA10j/authorize-replaces-existing-token-0.
#[tokio::test]
async fn uts_rsa10j_authorize_replaces_existing_token_0() {
    let (_, options) = Calls::numbered();
    let auth = World::content().client(options);
    let tokens = [auth.authorize(None, None).await.unwrap(), auth.authorize(None, None).await.unwrap()];
    assert_eq!(tokens.each_ref().map(|token| token.token().expose()), ["token-1", "token-2"]);
    assert_eq!(auth.token_details().unwrap().token().expose(), "token-2");
}

/// UTS rest/unit/RSA10k/authorize-query-time-0.
#[tokio::test]
async fn uts_rsa10k_authorize_query_time_0() {
    let world = World::content();
    world.client(with_key()).authorize(None, Some(with_key().with_query_time(true))).await.unwrap();
    let paths: Vec<_> = world.asked().iter().map(|asked| asked.uri().path().to_owned()).collect();
    assert_eq!(paths, ["/time", "/keys/appId.keyId/requestToken"]);
}

/// UTS rest/unit/RSA10l/authorize-error-propagated-0.
#[tokio::test]
async fn uts_rsa10l_authorize_error_propagated_0() {
    let world = World::new(|_, _| refusal(401, 40_100));
    let error = world.client(with_key()).authorize(None, None).await.unwrap_err();
    assert_eq!((code(&error), auth_core::ably::ErrorCode::new(40_100).status()), (40_100, 401));
}

#[tokio::test]
async fn rsa10e_a_token_that_is_given_is_used_as_it_is_and_nothing_is_sent() {
    let world = World::content();
    let auth = world.client(with_key());
    let token = auth.authorize(None, Some(with_token("zzz"))).await.unwrap();
    assert_eq!((token.token().expose(), world.count()), ("zzz", 0));
    status(&auth).await.unwrap();
    assert_eq!(token_of(&world.asked()[0]), "zzz");
    assert_eq!(code(&auth.authorize(None, None).await.unwrap_err()), 40_171);
}

#[tokio::test]
async fn rsa10j_empty_options_are_refused_and_change_nothing() {
    let world = World::content();
    let auth = world.client(with_key());
    let empty = (Some(TokenParams::new()), Some(AuthOptions::new()));
    assert_eq!(code(&auth.authorize(empty.0, empty.1).await.unwrap_err()), 40_106);
    assert!(!auth.uses_token_auth());
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn rsa10g_the_timestamp_and_query_time_serve_once() {
    let world = World::content();
    let auth = world.client(with_key());
    let params =
        TokenParams::new().with_ttl(Duration::from_millis(5)).with_timestamp(Timestamp::from_millis(1));
    auth.authorize(Some(params), Some(with_key().with_query_time(true))).await.unwrap();
    auth.authorize(None, None).await.unwrap();
    let signed = world.asked_at("/requestToken");
    let signed: Vec<_> = signed.iter().map(|asked| TokenRequest::parse(asked.body()).unwrap()).collect();
    let told = |request: &TokenRequest| (request.ttl(), request.timestamp().unwrap().as_millis());
    assert_eq!(told(&signed[0]), (Some(Duration::from_millis(5)), 1));
    assert_eq!(told(&signed[1]), (Some(Duration::from_millis(5)), START));
    assert_eq!(world.asked_at("/time").len(), 0, "with a timestamp of its own there is nothing to ask");
}

#[tokio::test]
async fn rsa10h_authorize_asks_for_the_identity_that_the_client_has() {
    let (calls, callback) =
        Calls::giving(|_| Ok(TokenReply::Details(given("t").with_client_id(id("alice")))));
    let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
    auth.authorize(None, None).await.unwrap();
    auth.authorize(None, None).await.unwrap();
    auth.request_token(None, None).await.unwrap();
    auth.authorize(Some(TokenParams::new()), None).await.unwrap();
    let asked: Vec<_> = (1..=4).map(|call| calls.params(call).client_id().cloned()).collect();
    assert_eq!(
        asked,
        [None, Some(id("alice").into()), None, None],
        "given ones replace it, and it is not stored"
    );
}

#[tokio::test]
async fn rsa8e_request_token_stores_nothing_and_changes_no_token() {
    let world = World::content();
    let auth = world
        .builder(with_key())
        .with_default_params(TokenParams::new().with_ttl(Duration::from_millis(222)));
    let auth = auth.build().unwrap();
    auth.request_token(Some(TokenParams::new()), None).await.unwrap();
    auth.request_token(None, None).await.unwrap();
    let asked = world.asked();
    let ttl = |index: usize| TokenRequest::parse(asked[index].body()).unwrap().ttl();
    assert_eq!((ttl(0), ttl(1)), (None, Some(Duration::from_millis(222))));
    assert_eq!((auth.token_details(), auth.uses_token_auth()), (None, false));

    let auth = World::content().client(Calls::numbered().1);
    let held = auth.authorize(None, None).await.unwrap();
    let another = auth.request_token(None, None).await.unwrap();
    assert_ne!(another.token(), held.token());
    assert_eq!(auth.token_details(), Some(held), "the one in use stays");
}
