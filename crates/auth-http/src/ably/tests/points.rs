//! Points of the specification that no case of its test suite stands for.

use auth_core::ably::{AuthMethod, Means, RevocationTarget, TokenClientId};

use super::*;

fn client_id(auth: &Auth) -> Option<String> {
    auth.client_id().map(|client_id| client_id.as_str().to_owned())
}

#[tokio::test]
async fn rsc25_the_primary_domain_is_the_default() {
    let world = World::content();
    let auth = Auth::builder(with_token("t"), world.surroundings()).build().unwrap();
    status(&auth).await.unwrap();
    assert_eq!(*world.asked()[0].uri(), "https://main.realtime.ably.net/channels/test");
}

#[tokio::test]
async fn rsa3a_a_token_goes_with_tls_and_without() {
    let world = World::content();
    for endpoint in ["https://rest.example.com", "http://localhost:1"] {
        status(&world.builder(with_token("t")).with_endpoint(endpoint).build().unwrap()).await.unwrap();
        assert_eq!(token_of(world.asked().last().unwrap()), "t");
    }
}

#[tokio::test]
async fn rsc17_rsa7b1_rsa7b2_rsa7b4_the_identity_is_the_configured_one_else_the_tokens() {
    let world = World::content();
    let token =
        |client_id: TokenClientId| AuthOptions::new().with_token(given("t").with_client_id(client_id));
    let configured = world.builder(token(TokenClientId::Wildcard)).with_client_id(id("me")).build().unwrap();
    assert_eq!(client_id(&configured).as_deref(), Some("me"));
    assert_eq!(client_id(&world.client(token(id("alice").into()))).as_deref(), Some("alice"));
    assert_eq!(client_id(&world.client(token(TokenClientId::Wildcard))).as_deref(), Some("*"));
}

#[tokio::test]
async fn rsa12a_rsa12b_the_identity_is_none_before_the_first_token_and_with_an_anonymous_one() {
    let (_, options) = Calls::numbered();
    let auth = World::content().client(options);
    assert_eq!(client_id(&auth), None);
    status(&auth).await.unwrap();
    assert_eq!(client_id(&auth), None);
    assert!(auth.token_details().is_some());
}

#[tokio::test]
async fn rsa8f1_rsa8f3_an_anonymous_and_a_wildcard_token_show_in_the_identity() {
    let anybody =
        World::new(|_, _| json(201, given("t").with_client_id(TokenClientId::Wildcard).to_json().expose()));
    for (world, expected) in [(World::content(), None), (anybody, Some("*"))] {
        let auth = world.client(with_key());
        auth.authorize(None, None).await.unwrap();
        assert_eq!(client_id(&auth).as_deref(), expected);
    }
}

#[tokio::test]
async fn rsa8a_rsa8b_request_token_signs_what_it_is_given_and_exchanges_it() {
    let world = World::content();
    let params = TokenParams::new()
        .with_ttl(Duration::from_secs(9))
        .with_capability(r#"{"a":["publish"]}"#.parse().unwrap())
        .with_client_id(TokenClientId::Wildcard)
        .with_timestamp(Timestamp::from_millis(START - 7))
        .with_nonce(Nonce::new("a-nonce-of-my-own").unwrap());
    let token = world.client(with_key()).request_token(Some(params), None).await.unwrap();
    assert_eq!(token.token().expose(), "obtained-1");
    let asked = TokenRequest::parse(world.asked()[0].body()).unwrap();
    assert_eq!((asked.ttl(), asked.client_id()), (Some(Duration::from_secs(9)), Some("*")));
    assert_eq!(asked.capability_text(), Some(r#"{"a":["publish"]}"#));
    assert_eq!((asked.timestamp().unwrap().as_millis(), asked.nonce()), (START - 7, "a-nonce-of-my-own"));
    assert!(asked.verify(&key(), world.now()).is_ok());
}

#[tokio::test]
async fn rsa9e_rsa9f_lifetime_and_capability_are_the_servers_choice_unless_given() {
    let auth = World::content().client(with_key());
    let bare = auth.create_token_request(None, None).await.unwrap();
    assert_eq!((bare.ttl(), bare.capability_text()), (None, None));
    let params = TokenParams::new()
        .with_ttl(Duration::from_millis(5))
        .with_capability(r#"{ "b:*": ["subscribe", "publish"], "a": ["*"] }"#.parse().unwrap());
    let request = auth.create_token_request(Some(params), None).await.unwrap();
    assert_eq!(request.ttl(), Some(Duration::from_millis(5)));
    assert_eq!(request.capability_text(), Some(r#"{"a":["*"],"b:*":["publish","subscribe"]}"#));
}

#[tokio::test]
async fn rsa10f_rsa10i_authorize_gives_the_details_and_asks_whom_it_is_told_to() {
    let world = World::content();
    let auth = world.client(with_key());
    let url = AuthUrl::new(AUTH_URL).with_method(AuthMethod::Post).with_param("a", "1");
    let params = TokenParams::new().with_ttl(Duration::from_millis(5));
    let token = auth.authorize(Some(params), Some(AuthOptions::new().with_auth_url(url))).await.unwrap();
    assert_eq!(token, given("authurl-1"));
    assert_eq!(world.asked()[0].body().as_ref(), b"a=1&ttl=5");
}

#[test]
fn ao1_ao2_each_option_is_there() {
    let url = AuthUrl::new(AUTH_URL).with_method(AuthMethod::Post).with_header("h", "1").with_param("p", "2");
    let (_, callback) = Calls::giving(|_| Err(down()));
    let options = with_token("t")
        .with_key(key())
        .with_auth_callback(callback)
        .with_auth_url(url)
        .with_query_time(true)
        .with_use_token_auth(true);
    let url = options.auth_url.as_ref().unwrap();
    assert_eq!((url.method, url.headers.len(), url.params.len()), (AuthMethod::Post, 1, 1));
    assert!(options.key.is_some() && options.token.is_some() && options.auth_callback.is_some());
    assert_eq!((options.query_time, options.use_token_auth), (true, Some(true)));
    assert!(matches!(options.means(), Some(Means::Callback(_))));
    assert_eq!(AuthUrl::new(AUTH_URL).method, AuthMethod::Get, "AO2d");
}

#[test]
fn trt1_trt2_a_target_has_a_type_and_a_value() {
    let target = RevocationTarget::parse("revocationKey:a:b").unwrap();
    assert_eq!((target.kind(), target.value().expose()), ("revocationKey", "a:b"));
}

#[tokio::test]
async fn tn1_tn2_tn3_a_token_is_never_looked_into() {
    let world = World::content();
    let claims_alice = "eyJhbGciOiJIUzI1NiJ9.eyJ4LWFibHktY2xpZW50SWQiOiJhbGljZSIsImV4cCI6MX0.c2ln";
    for token in ["appId.opaque", claims_alice] {
        let auth = world.builder(with_token(token)).with_client_id(id("bob")).build().unwrap();
        status(&auth).await.unwrap();
        let bare = TokenDetails::new(Secret::from(token));
        assert_eq!((auth.token_details(), client_id(&auth).as_deref()), (Some(bare), Some("bob")));
    }
}
