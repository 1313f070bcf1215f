//! The client as the source of a connection's tokens, and of a token manager's.

use auth_core::token::Generation;
use auth_core::{Demand, Retry, TokenSource as _};

use super::*;
use crate::ably::connection_error;

fn calling(give: impl Fn(usize) -> Result<TokenReply, Error> + Send + Sync + 'static) -> AuthOptions {
    AuthOptions::new().with_auth_callback(Calls::giving(give).1)
}

#[tokio::test]
async fn rtc8_authorize_is_announced_so_that_a_live_connection_can_change_over() {
    let auth = World::content().client(Calls::numbered().1);
    let first = auth.token(Demand::Current).await.unwrap();
    let mut changes = auth.changes();
    assert_eq!(changes.generation(), first.generation());
    let authorizing = auth.clone();
    let (announced, authorized) = tokio::join!(changes.changed(), authorizing.authorize(None, None));
    authorized.unwrap();
    assert_eq!(announced.unwrap(), first.generation().next());
    let second = auth.token(Demand::NewerThan(first.generation())).await.unwrap();
    assert_eq!((second.secret().expose(), second.generation()), ("token-2", first.generation().next()));

    // One that is given is as new to a connection as one that was obtained.
    let (announced, authorized) =
        tokio::join!(changes.changed(), authorizing.authorize(None, Some(with_token("given"))));
    authorized.unwrap();
    assert_eq!(announced.unwrap(), second.generation().next());
    assert_eq!(auth.token(Demand::Current).await.unwrap().secret().expose(), "given");
}

#[tokio::test]
async fn a_watcher_ends_with_the_last_handle() {
    let auth = World::content().client(with_token("t"));
    let mut changes = auth.changes();
    assert_eq!(changes.generation(), Generation::NONE.next(), "the token that was given is the first");
    drop(auth);
    assert_eq!(changes.changed().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_client_with_a_key_gives_connections_tokens_and_keeps_to_basic_itself() {
    let auth = World::content().client(with_key());
    assert_eq!(auth.token(Demand::Current).await.unwrap().secret().expose(), "obtained-1");
    assert!(!auth.uses_token_auth());
}

/// RSA4c is about callbacks and auth URLs.
#[tokio::test]
async fn rtn14a_what_the_service_says_of_a_key_is_final_and_an_outage_is_not() {
    for (status, number) in [(401, 40_101), (404, 40_400), (401, 40_160)] {
        let auth = World::new(move |_, _| refusal(status, number)).client(with_key());
        let error = auth.token(Demand::Current).await.unwrap_err();
        assert_eq!((code(&error), error.retry()), (number, Retry::Never));
    }
    for (status, number) in [(500, 50_000), (503, 50_004)] {
        let auth = World::new(move |_, _| refusal(status, number)).client(with_key());
        let error = auth.token(Demand::Current).await.unwrap_err();
        assert_eq!((code(&error), error.retry()), (80_019, Retry::Backoff));
    }
}

/// RSA4d: else it would be asked again and again until the token that is in use has expired.
#[tokio::test]
async fn rsa4d_who_refuses_the_next_token_is_heard_and_who_fails_is_not_as_long_as_the_last_is_alive() {
    for (failure, expected) in
        [(down(), None), (auth_core::ably::ErrorCode::FORBIDDEN.error("no"), Some(80_019))]
    {
        let answer = move |number| if number == 1 { Ok(lasting("first")) } else { Err(failure.clone()) };
        let auth = World::content().client(calling(answer));
        let first = auth.token(Demand::Current).await.unwrap();
        let next = auth.token(Demand::NewerThan(first.generation())).await;
        assert_eq!(next.err().map(|error| code(&error)), expected);
        assert!(auth.token(Demand::Current).await.is_ok());
    }
}

#[tokio::test]
async fn rsa4c_rsa4c1_a_provider_that_fails_is_80019_with_its_cause_and_tried_again() {
    let world = World::new(|_, _| refusal(401, 40_101));
    let exchange = calling(|_| Ok(TokenReply::Request(foreign_request())));
    for (options, behind) in [(calling(|_| Err(down())), 40_170), (exchange, 40_101)] {
        let error = world.client(options).token(Demand::Current).await.unwrap_err();
        assert_eq!(
            (code(&error), error.retry(), cause(&error).code()),
            (80_019, Retry::Backoff, Some(behind))
        );
    }
}

#[tokio::test]
async fn rsa4d_rsa4d1_a_refusal_is_80019_for_good_and_request_token_shows_it_bare() {
    let world = World::new(|_, _| json(403, ""));
    let refusing = calling(|_| Err(auth_core::ably::ErrorCode::FORBIDDEN.error("not this user")));
    let exchange = calling(|_| Ok(TokenReply::Request(foreign_request())));
    for options in [with_url(), refusing, exchange] {
        let auth = world.client(options);
        let error = auth.token(Demand::Current).await.unwrap_err();
        assert_eq!((code(&error), error.retry(), cause(&error).code()), (80_019, Retry::Never, Some(40_300)));
        assert_eq!(code(&auth.request_token(None, None).await.unwrap_err()), 40_300);
    }
}

#[tokio::test]
async fn rsa4d_a_403_of_the_exchange_is_a_refusal_whatever_its_number() {
    let world = World::new(|_, _| refusal(403, 40_101));
    let error = world.client(with_key()).token(Demand::Current).await.unwrap_err();
    assert_eq!((code(&error), error.retry(), cause(&error).code()), (80_019, Retry::Never, Some(40_300)));
    assert_eq!(cause(cause(&error)).code(), Some(40_101));
}

#[tokio::test]
async fn rsa4d_a_refusal_that_a_callback_met_with_a_client_of_ours_is_a_refusal() {
    let token_endpoint = Error::new(ErrorKind::Refused, "not this user").with_code(403);
    let refused = auth_core::ably::ErrorCode::FORBIDDEN.error("not this user");
    for cause in [token_endpoint, connection_error(refused)] {
        let auth = World::content().client(calling(move |_| Err(cause.clone())));
        let error = auth.token(Demand::Current).await.unwrap_err();
        let behind = cause_code(&error);
        assert_eq!((code(&error), error.retry(), behind), (80_019, Retry::Never, Some(40_300)));
        assert_eq!(code(&auth.request_token(None, None).await.unwrap_err()), 40_300);
    }
    let failing = World::content().client(calling(|_| Err(connection_error(down()))));
    let error = failing.token(Demand::Current).await.unwrap_err();
    assert_eq!((code(&error), error.retry(), cause_code(&error)), (80_019, Retry::Backoff, Some(40_170)));
}

fn cause_code(error: &Error) -> Option<u32> {
    cause(error).code()
}

/// Never answers.
struct Silent;

#[async_trait]
impl HttpExchange for Silent {
    async fn exchange(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        std::future::pending().await
    }
}

fn silent() -> Auth {
    let mut surroundings = World::content().surroundings();
    surroundings.http = Arc::new(Silent);
    Auth::builder(with_key(), surroundings).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_keeps_a_connection_waiting_for_less_than_a_minute() {
    let auth = silent();
    let outcome = tokio::time::timeout(Duration::from_secs(60), auth.token(Demand::Current)).await;
    let error = outcome.expect("it takes longer than a source may").unwrap_err();
    assert_eq!(cause(&error).kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn nor_does_a_later_request_that_begins_meanwhile_make_a_connection_wait_for_longer() {
    let auth = silent();
    let later = async {
        tokio::time::sleep(Duration::from_secs(40)).await;
        auth.authorize(None, None).await
    };
    let waiting = tokio::time::timeout(Duration::from_secs(60), auth.token(Demand::Current));
    let (outcome, later) = tokio::join!(waiting, later);
    let error = outcome.expect("it takes longer than a source may").unwrap_err();
    assert_eq!((cause(&error).kind(), error.retry()), (ErrorKind::Timeout, Retry::Backoff));
    assert_eq!(later.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn rsa4a2_without_a_way_to_another_token_a_refusal_is_final() {
    let auth = World::content().client(with_token("t"));
    let token = auth.token(Demand::Current).await.unwrap();
    assert_eq!((token.expires_in(), token.renew_in()), (None, None));
    let error = auth.token(Demand::InsteadOf(token.generation())).await.unwrap_err();
    assert_eq!((code(&error), error.retry(), cause(&error).code()), (40_171, Retry::Never, Some(40_140)));
    assert_eq!(auth.token_details(), None);
}

#[test]
fn what_only_a_human_can_change_is_not_dressed_up() {
    use auth_core::ably::ErrorCode;
    for code in [ErrorCode::CANNOT_RENEW, ErrorCode::INCOMPATIBLE_CREDENTIALS, ErrorCode::NO_MEANS] {
        assert_eq!(connection_error(code.error("as it is")).code(), Some(code.number()));
    }
    let slow = down().with_retry(Retry::After(Duration::from_secs(9)));
    assert_eq!(connection_error(slow).retry(), Retry::After(Duration::from_secs(9)));
}

#[tokio::test]
async fn when_no_newer_token_can_be_had_the_one_that_is_alive_will_do() {
    let auth = World::content()
        .client(calling(|number| if number == 1 { Ok(lasting("first")) } else { Err(down()) }));
    let first = auth.token(Demand::Current).await.unwrap();
    let same = auth.token(Demand::NewerThan(first.generation())).await.unwrap();
    assert_eq!(same.generation(), first.generation());
    let error = auth.token(Demand::InsteadOf(first.generation())).await.unwrap_err();
    assert_eq!(code(&error), 80_019, "but not one that was refused");
}

#[tokio::test]
async fn the_generation_of_another_source_refuses_no_token_and_asks_for_none() {
    let (calls, options) = Calls::numbered();
    let auth = World::content().client(options);
    let first = auth.token(Demand::Current).await.unwrap();
    let foreign = first.generation().next().next();
    let error = auth.token(Demand::InsteadOf(foreign)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidToken, None));
    for demand in [Demand::NewerThan(foreign), Demand::Current] {
        assert_eq!(auth.token(demand).await.unwrap().generation(), first.generation());
    }
    assert_eq!(calls.count(), 1);
    auth.token(Demand::InsteadOf(first.generation())).await.unwrap();
    assert_eq!(calls.count(), 2, "the control");
}

#[tokio::test]
async fn rsa4b1_a_clock_that_is_set_forward_does_not_end_a_token_that_cannot_be_renewed() {
    let world = World::content();
    let token = given("t").with_issued(Timestamp::from_millis(START));
    let auth = world.client(AuthOptions::new().with_token(token));
    world.set_forward(Duration::from_secs(7_200));
    status(&auth).await.unwrap();
    assert_eq!(auth.token(Demand::Current).await.unwrap().secret().expose(), "t");
    assert!(auth.token_details().is_some());
}

#[tokio::test]
async fn an_auth_url_that_cannot_be_asked_is_not_tried_again() {
    let url = AuthUrl::new("http://auth.example.com/in-clear");
    let world = World::content();
    let error = world.client(AuthOptions::new().with_auth_url(url)).token(Demand::Current).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Misconfigured, Retry::Never));
    assert_eq!((code(&error), world.count()), (40_170, 0));
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_presented_whatever_the_local_clock_says_of_it() {
    let expired = TokenDetails::new(Secret::from("t")).with_expires(Timestamp::from_millis(START + 1_000));
    let world = World::content();
    let auth = world.client(AuthOptions::new().with_token(expired));
    world.advance(Duration::from_secs(2));
    let token = auth.token(Demand::Current).await.unwrap();
    // A session presents nothing that is said to have expired.
    assert_eq!((token.secret().expose(), token.expires_in()), ("t", None));
}

#[tokio::test]
async fn one_that_has_expired_as_far_as_can_be_told_will_not_do_when_no_newer_can_be_had() {
    let world = World::content();
    let auth = world.client(calling(|number| if number == 1 { Ok(lasting("first")) } else { Err(down()) }));
    let first = auth.token(Demand::Current).await.unwrap();
    world.advance(Duration::from_secs(3_601));
    assert_eq!(code(&auth.token(Demand::NewerThan(first.generation())).await.unwrap_err()), 80_019);
}

#[tokio::test]
async fn a_connection_is_told_when_to_come_for_the_next_token() {
    let world = World::content();
    let auth = world.client(calling(|_| Ok(lasting("an hour"))));
    let token = auth.token(Demand::Current).await.unwrap();
    assert_eq!(token.expires_in(), Some(Duration::from_secs(3_600)));
    let renew = token.renew_in().unwrap();
    assert!((Duration::from_secs(3_450)..=Duration::from_secs(3_480)).contains(&renew), "{renew:?}");
    world.advance(Duration::from_secs(3_600));
    auth.token(Demand::Current).await.unwrap();
    world.advance(Duration::from_secs(1));
    let again = auth.token(Demand::Current).await.unwrap();
    assert!(again.generation() > token.generation(), "a connection is not made with an expired one");
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_does_not_make_every_token_dead_on_arrival() {
    let auth = World::content().client(calling(|_| {
        let token =
            TokenDetails::new(Secret::from("t")).with_issued(Timestamp::from_millis(START - 9_000_000));
        Ok(TokenReply::Details(token.with_expires(Timestamp::from_millis(START - 5_400_000))))
    }));
    let token = auth.token(Demand::Current).await.unwrap();
    assert_eq!(token.expires_in(), Some(Duration::from_secs(3_600)));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_token_manager_keeps_the_tokens_of_a_client_and_a_store_knows_whose_they_are() {
    use crate::grant::Grant as _;
    use crate::manager::TokenManager;
    use crate::store::{MemoryStore, TokenStore as _};
    let world = World::content();
    let key = with_key().with_use_token_auth(true);
    let auth = world.builder(key.clone()).with_client_id(id("bob")).build().unwrap();
    let other = world.builder(key).with_client_id(id("eve")).build().unwrap();
    assert_eq!(auth.credential().unwrap().holder(), other.credential().unwrap().holder());
    assert_ne!(auth.credential().unwrap().wanted(), other.credential().unwrap().wanted());
    assert_ne!(world.client(with_url()).credential().unwrap().holder(), auth.credential().unwrap().holder());
    assert!(world.client(Calls::numbered().1).credential().is_none());
    let elsewhere = world.builder(with_key()).with_endpoint("https://other.example.com").build().unwrap();
    assert_ne!(elsewhere.credential().unwrap().holder(), auth.credential().unwrap().holder());
    let asking = |room: &str| {
        let url = AuthUrl::new(AUTH_URL).with_param("room", Secret::from(room));
        world.client(AuthOptions::new().with_auth_url(url)).credential().unwrap()
    };
    assert_eq!(asking("a").holder(), asking("b").holder());
    assert_ne!(asking("a").wanted(), asking("b").wanted());
    let store = MemoryStore::new();
    let manager = TokenManager::builder(auth.clone()).with_store(Arc::new(store.clone())).spawn();
    let token = manager.token(Demand::Current).await.unwrap();
    assert_eq!(token.secret().expose(), "obtained-1");
    let kept = store.load().await.unwrap().unwrap().access_token.unwrap();
    let known = TokenDetails::parse_of(kept.secret, &kept.details.unwrap()).unwrap();
    assert_eq!(known.to_json(), given("obtained-1").to_json());
    assert!(token.expires_in().unwrap() > Duration::from_secs(3_590));
    let same = manager.token(Demand::Current).await.unwrap();
    assert_eq!((same.secret().expose(), world.count()), ("obtained-1", 1));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_token_manager_is_given_no_token_of_another_client() {
    use crate::manager::TokenManager;
    let options = calling(|_| Ok(TokenReply::Details(given("t").with_client_id(id("eve")))));
    let auth = World::content().builder(options).with_client_id(id("bob")).build().unwrap();
    let error = TokenManager::builder(auth).spawn().token(Demand::Current).await.unwrap_err();
    assert_eq!(code(&error), 40_102);
}

#[test]
fn a_store_hands_no_token_to_another_user_of_an_auth_url_or_to_another_service() {
    use crate::grant::Grant as _;
    use auth_core::ably::AuthMethod;
    let world = World::content();
    let at = |endpoint: &str, options: AuthOptions| {
        world.builder(options).with_endpoint(endpoint).build().unwrap().credential().unwrap()
    };
    let credential = |url: AuthUrl| at("https://rest.example.com", AuthOptions::new().with_auth_url(url));
    let alice = AuthUrl::new(AUTH_URL).with_header("cookie", "alice").with_param("user", "1");
    assert_eq!(credential(alice.clone()), credential(alice.clone()));
    for other in [
        AuthUrl::new(AUTH_URL).with_header("cookie", "bob").with_param("user", "1"),
        AuthUrl::new(AUTH_URL).with_header("cookie", "alice").with_param("user", "2"),
        AuthUrl::new(AUTH_URL).with_header("cookie", "alice").with_header("user", "1"),
        alice.clone().with_method(AuthMethod::Post),
    ] {
        assert_ne!(credential(other).wanted(), credential(alice.clone()).wanted());
    }
    for options in [AuthOptions::new().with_auth_url(alice), with_key()] {
        let (one, other) = (at("https://one.example", options.clone()), at("https://two.example", options));
        assert_ne!(one.holder(), other.holder());
    }
}
