//! Replace, never merge (RSA10j): the calls that were tried on the real ably-js, row by row.

use alloc::sync::Arc;
use core::time::Duration;
use std::boxed::Box;

use async_trait::async_trait;

use super::*;
use crate::ably::{AuthCallback, AuthUrl, TokenReply};
use crate::time::Timestamp;
use crate::{ErrorKind, Secret};

struct Nobody;

#[async_trait]
impl AuthCallback for Nobody {
    async fn token(&self, _params: &TokenParams) -> Result<TokenReply, Error> {
        Err(Error::new(ErrorKind::Refused, "nobody answers"))
    }
}

fn key() -> ApiKey {
    ApiKey::parse("a.b:c").unwrap()
}

fn with_key() -> AuthOptions {
    AuthOptions::new().with_key(key())
}

fn client() -> AuthDefaults {
    AuthDefaults::new(with_key(), None, TokenParams::new()).unwrap()
}

fn bob() -> AuthDefaults {
    AuthDefaults::new(with_key(), Some(ClientId::new("bob").unwrap()), TokenParams::new()).unwrap()
}

fn ttl(millis: u64) -> TokenParams {
    TokenParams::new().with_ttl(Duration::from_millis(millis))
}

fn code<T: core::fmt::Debug>(result: Result<T, Error>) -> u32 {
    result.unwrap_err().code().unwrap()
}

#[test]
fn authorize_with_empty_options_fails_and_does_not_fall_back_to_the_stored_key() {
    let mut client = client();
    assert_eq!(code(client.authorize(Some(TokenParams::new()), Some(AuthOptions::new()))), 40_106);
    assert!(client.options().key.is_some() && !client.uses_token_auth(), "nothing was stored");
}

#[test]
fn authorize_with_another_key_is_refused() {
    let other = AuthOptions::new().with_key(ApiKey::parse("a.b:other").unwrap());
    assert_eq!(code(client().authorize(None, Some(other.clone()))), 40_102);
    let callback = AuthOptions::new().with_auth_callback(Arc::new(Nobody));
    let mut keyless = AuthDefaults::new(callback, None, TokenParams::new()).unwrap();
    keyless.authorize(None, Some(with_key())).unwrap();
    assert_eq!(code(keyless.authorize(None, Some(other))), 40_102, "the first key stays");
}

#[test]
fn rsa10e_authorize_with_a_token_uses_it_as_it_is() {
    let mut client = client();
    let token = TokenDetails::new(Secret::from("zzz"));
    let authorization = client.authorize(None, Some(AuthOptions::new().with_token(token.clone()))).unwrap();
    assert!(matches!(authorization, Authorization::Use(used) if used == token));
    assert!(client.uses_token_auth());
    assert_eq!(code(client.authorize(None, None)), 40_171, "and has no way to the next one");
}

#[test]
fn rsa10e_with_a_token_and_a_means_the_token_serves_now_and_the_means_later() {
    let mut client = client();
    let options = with_key().with_token(TokenDetails::new(Secret::from("now")));
    assert!(matches!(client.authorize(None, Some(options)), Ok(Authorization::Use(_))));
    assert!(matches!(client.authorize(None, None), Ok(Authorization::Get(_))));
}

#[test]
fn rsa10j_authorize_stores_its_parameters_and_request_token_uses_them() {
    let mut client = client();
    client.authorize(Some(ttl(111)), None).unwrap();
    assert_eq!(client.token_plan(None, None).unwrap().params, ttl(111));
}

#[test]
fn rsa8e_given_parameters_replace_the_stored_ones() {
    let client = AuthDefaults::new(with_key(), None, ttl(222)).unwrap();
    assert_eq!(client.token_plan(Some(TokenParams::new()), None).unwrap().params.ttl(), None);
    assert_eq!(client.token_plan(None, None).unwrap().params, ttl(222));
}

#[test]
fn rsa8e_empty_options_have_no_means() {
    assert_eq!(code(client().token_plan(None, Some(AuthOptions::new()))), 40_171);
    assert_eq!(code(client().signing_plan(None, Some(AuthOptions::new()))), 40_101);
}

#[test]
fn rsa7d_the_client_id_is_a_default_that_given_parameters_replace() {
    let bob = bob();
    let stored = bob.signing_plan(None, None).unwrap();
    assert_eq!(stored.params.client_id().unwrap().as_str(), "bob");
    let replaced = bob.signing_plan(Some(TokenParams::new()), None).unwrap();
    assert_eq!(replaced.params.client_id(), None);
}

#[test]
fn rsa7a4_the_clients_own_id_wins_over_the_default_parameters() {
    let al = TokenParams::new().with_client_id(ClientId::new("al").unwrap());
    let client = AuthDefaults::new(with_key(), Some(ClientId::new("bob").unwrap()), al).unwrap();
    let plan = client.signing_plan(None, None).unwrap();
    assert_eq!(plan.params.client_id().unwrap().as_str(), "bob");
}

#[test]
fn rsa10g_timestamp_and_query_time_serve_once() {
    let mut client = client();
    let once = ttl(5).with_timestamp(Timestamp::from_millis(1));
    let authorization = client.authorize(Some(once.clone()), Some(with_key().with_query_time(true))).unwrap();
    let Authorization::Get(plan) = authorization else { panic!("no token was given") };
    assert_eq!((plan.params, plan.query_time), (once, true));
    assert_eq!(*client.params(), ttl(5));
    assert!(!client.options().query_time && client.options().key.is_some());
}

#[test]
fn rsc1b_a_client_without_a_usable_way_to_authenticate_is_refused() {
    let new = |options| AuthDefaults::new(options, None, TokenParams::new());
    let callback = || AuthOptions::new().with_auth_callback(Arc::new(Nobody));
    assert_eq!(code(new(AuthOptions::new())), 40_106);
    assert_eq!(code(new(AuthOptions::new().with_use_token_auth(true))), 40_106);
    assert_eq!(code(new(callback().with_use_token_auth(false))), 40_106);
    assert!(new(callback()).is_ok());
}

#[test]
fn rsa4_a_key_means_basic_unless_something_asks_for_tokens() {
    let uses_tokens =
        |options| AuthDefaults::new(options, None, TokenParams::new()).unwrap().uses_token_auth();
    assert!(!uses_tokens(with_key()));
    assert!(uses_tokens(with_key().with_use_token_auth(true)));
    assert!(uses_tokens(with_key().with_auth_url(AuthUrl::new("https://a/auth"))));
    assert!(uses_tokens(with_key().with_auth_callback(Arc::new(Nobody))));
    assert!(uses_tokens(with_key().with_token(TokenDetails::new(Secret::from("t")))));
    assert!(!uses_tokens(with_key().with_auth_callback(Arc::new(Nobody)).with_use_token_auth(false)));
}

#[test]
fn rsa4g_of_several_means_the_callback_comes_first_and_the_key_last() {
    let url =
        AuthUrl::new("https://user:canary@a/auth?key=canary#canary").with_header("authorization", "canary");
    let both = with_key().with_auth_url(url);
    assert!(matches!(both.means(), Some(Means::Url(_))));
    let text = std::format!("{both:?} {:?}", both.means());
    assert!(!text.contains("canary"), "{text}");
    assert!(matches!(both.with_auth_callback(Arc::new(Nobody)).means(), Some(Means::Callback(_))));
    assert!(matches!(with_key().means(), Some(Means::Key(_))));
}

#[test]
fn rsa15a_a_token_of_another_client_is_refused() {
    let alice = TokenDetails::new(Secret::from("t")).with_client_id(ClientId::new("alice").unwrap());
    let options = AuthOptions::new().with_token(alice);
    let id = Some(ClientId::new("bob").unwrap());
    assert_eq!(code(AuthDefaults::new(options.clone(), id, TokenParams::new())), 40_102);
    assert_eq!(code(bob().authorize(None, Some(options.clone()))), 40_102);
    let anybody = TokenParams::new().with_client_id(crate::ably::TokenClientId::Wildcard);
    for params in [TokenParams::new(), anybody] {
        let result = bob().authorize(Some(params), Some(options.clone()));
        assert_eq!(code(result), 40_102, "whatever the parameters of the call say");
    }
}
