//! UTS `rest/unit/auth/auth_scheme.md`: a key, or a token.

use auth_core::ably::KeyOrToken;

use super::*;
use crate::ably::wire::BearerFormat;

/// UTS rest/unit/RSA4/basic-auth-key-only-0.
#[tokio::test]
async fn uts_rsa4_basic_auth_key_only_0() {
    let world = World::content();
    status(&world.client(with_key())).await.unwrap();
    let expected = format!("Basic {}", STANDARD.encode(KEY));
    assert_eq!(header(&world.asked()[0], "authorization"), expected);
}

/// UTS rest/unit/RSA3/token-auth-explicit-token-0.
#[tokio::test]
async fn uts_rsa3_token_auth_explicit_token_0() {
    let world = World::content();
    status(&world.client(with_token("explicit-token"))).await.unwrap();
    assert_eq!(token_of(&world.asked()[0]), "explicit-token");
}

/// UTS rest/unit/RSA3/token-auth-token-details-1, in the raw form that it expects.
#[tokio::test]
async fn uts_rsa3_token_auth_token_details_1() {
    let world = World::content();
    let options = AuthOptions::new().with_token(given("from-details"));
    status(&world.builder(options).with_bearer(BearerFormat::Raw).build().unwrap()).await.unwrap();
    assert_eq!(header(&world.asked()[0], "authorization"), "Bearer from-details");
}

/// UTS rest/unit/RSA4/use-token-auth-forced-1.
#[tokio::test]
async fn uts_rsa4_use_token_auth_forced_1() {
    let world = World::content();
    status(&world.client(with_key().with_use_token_auth(true))).await.unwrap();
    assert_eq!(token_of(&world.asked()[1]), "obtained-1");
}

/// UTS rest/unit/RSA4/auth-callback-triggers-token-2.
#[tokio::test]
async fn uts_rsa4_auth_callback_triggers_token_2() {
    let world = World::content();
    let (_, options) = Calls::numbered();
    status(&world.client(options)).await.unwrap();
    assert_eq!(token_of(&world.asked()[0]), "token-1");
}

/// UTS rest/unit/RSA4/authurl-triggers-token-3.
#[tokio::test]
async fn uts_rsa4_authurl_triggers_token_3() {
    let world = World::content();
    let auth = world.client(with_url());
    assert!(auth.uses_token_auth());
    status(&auth).await.unwrap();
    assert_eq!(token_of(&world.asked()[1]), "authurl-1");
}

/// UTS rest/unit/RSC1b/no-auth-method-error-0: refused when the client is made.
#[tokio::test]
async fn uts_rsc1b_no_auth_method_error_0() {
    let world = World::content();
    assert_eq!(code(&world.builder(AuthOptions::new()).build().unwrap_err()), 40_106);
    assert_eq!(world.count(), 0);
}

/// UTS rest/unit/RSA4a2/expired-token-no-renewal-0, once the service's time is known (RSA4b1).
#[tokio::test]
async fn uts_rsa4a2_expired_token_no_renewal_0() {
    let world = World::content();
    let expired = TokenDetails::new(Secret::from("t")).with_expires(Timestamp::from_millis(START - 1_000));
    let auth = world.client(AuthOptions::new().with_token(expired));
    auth.query_time().await.unwrap();
    let error = status(&auth).await.unwrap_err();
    assert_eq!((code(&error), cause(&error).code()), (40_171, Some(40_142)));
    assert_eq!(world.asked_at("/channels/test").len(), 0);
    assert_eq!(auth.token_details(), None);
}

/// The other side of it: a clock of one's own proves nothing.
#[tokio::test]
async fn rsa4b1_without_the_services_time_an_expiry_is_left_to_the_service() {
    let world = World::content();
    let expired = TokenDetails::new(Secret::from("t")).with_expires(Timestamp::from_millis(START - 1_000));
    let auth = world.client(AuthOptions::new().with_token(expired));
    status(&auth).await.unwrap();
    assert_eq!(token_of(&world.asked()[0]), "t");
}

/// UTS rest/unit/RSA1/token-auth-takes-precedence-0.
#[tokio::test]
async fn uts_rsa1_token_auth_takes_precedence_0() {
    let world = World::content();
    let (_, options) = Calls::numbered();
    status(&world.client(options.with_key(key()))).await.unwrap();
    assert_eq!(token_of(&world.asked()[0]), "token-1");
}

/// UTS rest/unit/RSA2/basic-auth-header-format-0.
#[tokio::test]
async fn uts_rsa2_basic_auth_header_format_0() {
    let world = World::content();
    let options = AuthOptions::new().with_key(ApiKey::parse("app123.key456:secretXYZ").unwrap());
    status(&world.client(options)).await.unwrap();
    let expected = format!("Basic {}", STANDARD.encode("app123.key456:secretXYZ"));
    assert_eq!(header(&world.asked()[0], "authorization"), expected);
}

/// UTS rest/unit/RSC18/token-auth-over-non-tls-0: on this machine, which is all that plain http may reach.
#[tokio::test]
async fn uts_rsc18_token_auth_over_non_tls_0() {
    let world = World::content();
    let local = |options| world.builder(options).with_endpoint("http://127.0.0.1:8080");
    status(&local(with_token("explicit-token")).build().unwrap()).await.unwrap();
    assert_eq!(world.asked()[0].uri().scheme_str(), Some("http"));
    assert_eq!(token_of(&world.asked()[0]), "explicit-token");
    let elsewhere = world.builder(with_token("t")).with_endpoint("http://rest.example.com");
    assert_eq!(elsewhere.build().unwrap_err().kind(), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn rsa1_rsc18_a_key_without_tls_is_refused_before_anything_is_sent() {
    let world = World::content();
    let local = |options| world.builder(options).with_endpoint("http://127.0.0.1:8080");
    assert_eq!(code(&local(with_key()).build().unwrap_err()), 40_103);
    assert!(local(with_key().with_use_token_auth(true)).build().is_ok(), "signing does not send it");
    let opted_in = local(with_key()).dangerous().with_plaintext_keys().build().unwrap();
    status(&opted_in).await.unwrap();
    assert!(header(&world.asked()[0], "authorization").starts_with("Basic "));
}

#[tokio::test]
async fn rsc1_rsc1a_one_text_is_a_key_or_a_token() {
    let world = World::content();
    for (text, uses_token) in [(KEY, false), ("xVLyHw.token", true)] {
        let options = AuthOptions::from(KeyOrToken::parse(text).unwrap());
        assert_eq!(world.client(options).uses_token_auth(), uses_token, "{text}");
    }
}

#[tokio::test]
async fn rsa4a1_a_client_that_cannot_renew_says_so() {
    let world = World::content();
    assert!(!world.client(with_token("t")).can_renew());
    assert!(world.client(with_token("t").with_key(key())).can_renew());
    assert!(world.client(with_url()).can_renew());
}

#[tokio::test]
async fn rsa14_token_authentication_without_a_way_to_a_token_is_an_error() {
    let world = World::content();
    let forced = AuthOptions::new().with_use_token_auth(true);
    assert_eq!(code(&world.builder(forced).build().unwrap_err()), 40_106);
    let error = world.client(with_key()).request_token(None, Some(AuthOptions::new())).await.unwrap_err();
    assert_eq!((code(&error), world.count()), (40_171, 0));
}

#[tokio::test]
async fn rsc9_rsc19_other_requests_keep_their_method_headers_and_body() {
    let world = World::content();
    let request =
        Request::post("/channels/x/messages?a=1").header("content-type", "text/x").body(Bytes::from("b"));
    world.client(with_token("t")).request(request.unwrap()).await.unwrap();
    let asked = &world.asked()[0];
    assert_eq!(*asked.uri(), "https://rest.example.com/channels/x/messages?a=1");
    assert_eq!(
        (asked.method().as_str(), header(asked, "content-type"), &asked.body()[..]),
        ("POST", "text/x", &b"b"[..])
    );
}
