//! What users of Ably's libraries complain about, each turned into the behaviour that they want.

use auth_core::{Demand, Retry, TokenSource as _};

use super::*;

/// 1: renewal that loops, and sends the header of the token that was refused (ably/ably-js#2193).
#[tokio::test]
async fn a_refused_rest_request_is_sent_once_more_with_a_header_built_anew() {
    let world = World::new(|_, _| refusal(401, 40_142));
    let (calls, options) = Calls::numbered();
    status(&world.client(options)).await.unwrap_err();
    let tokens: Vec<_> = world.asked().iter().map(token_of).collect();
    assert_eq!((tokens, calls.count()), (vec!["token-1".to_owned(), "token-2".to_owned()], 2));
}

/// 2: another identity on a live client (ably/ably-js#1600, #1458).
#[tokio::test]
async fn another_identity_is_a_clear_error_and_a_client_without_one_takes_it_over() {
    let login = |user: &'static str| {
        let (calls, callback) =
            Calls::giving(move |_| Ok(TokenReply::Details(given(user).with_client_id(id(user)))));
        (calls, AuthOptions::new().with_auth_callback(callback))
    };
    let bound = World::content().builder(login("alice").1).with_client_id(id("alice")).build().unwrap();
    let error = bound.authorize(None, Some(login("bob").1)).await.unwrap_err();
    assert_eq!(code(&error), 40_102);
    assert!(error.to_string().contains("differs from the configured one"), "{error}");
    let free = World::content().client(login("alice").1);
    free.authorize(None, None).await.unwrap();
    let (calls, bob) = login("bob");
    free.authorize(None, Some(bob)).await.unwrap();
    assert_eq!(calls.params(1).client_id(), None, "bob's login is not asked for a token of alice's");
    assert_eq!(free.client_id().unwrap().as_str(), "bob");
}

/// 3: callbacks that can't be asynchronous (ably/ably-js#1360, #1974).
#[tokio::test]
async fn an_auth_callback_is_an_asynchronous_closure() {
    let callback = super::super::callback(|_| async {
        tokio::task::yield_now().await;
        Ok(lasting("after a while"))
    });
    let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
    assert_eq!(auth.authorize(None, None).await.unwrap().token().expose(), "after a while");
}

/// 4: clocks that are wrong (ably/docs#619, #435, #142).
#[tokio::test]
async fn a_wrong_clock_costs_one_query_of_the_time_and_no_error() {
    let server = START - 86_400_000;
    let world = World::new(move |request, _| match request.uri().path() {
        "/time" => json(200, &format!("[{server}]")),
        _ => match TokenRequest::parse(request.body()).unwrap().timestamp() {
            Some(time) if time.as_millis() == server => json(201, &details("t")),
            _ => refusal(401, 40_104),
        },
    });
    world.client(with_key()).authorize(None, None).await.unwrap();
    assert_eq!(world.asked_at("/time").len(), 1);
}

/// 5: token requests from a cache (ably/ably-ruby#202).
#[tokio::test]
async fn a_token_request_from_a_cache_is_named_as_such() {
    let world = World::new(|request, _| match request.uri().host() {
        Some("auth.example.com") => json(200, foreign_request().to_json().expose()),
        _ => refusal(401, 40_105),
    });
    let error = world.client(with_url()).request_token(None, None).await.unwrap_err();
    assert_eq!((code(&error), world.count()), (40_105, 2));
    for part in ["used already", "cached", "no-store", "auth URL"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let own = world.client(with_key()).request_token(None, None).await.unwrap_err();
    assert!(!own.to_string().contains("cached"), "the control: {own}");
}

/// 6: the service's wish for a new token, before the old one expires, is not heeded (ably/ably-dotnet#1301).
#[tokio::test]
async fn a_new_token_is_got_on_demand_while_the_old_one_is_still_good() {
    let (calls, options) = Calls::numbered();
    let auth = World::content().client(options);
    let first = auth.token(Demand::Current).await.unwrap();
    let second = auth.token(Demand::NewerThan(first.generation())).await.unwrap();
    assert_eq!((calls.count(), second.secret().expose()), (2, "token-2"));
}

/// 7: no new token after sleep (ably/ably-java#470).
#[tokio::test]
async fn a_token_that_expired_in_ones_sleep_is_renewed_before_it_is_used() {
    let world = World::content();
    let (calls, callback) = Calls::giving(|number| {
        let token = given(&format!("token-{number}")).with_issued(Timestamp::from_millis(START));
        Ok(TokenReply::Details(token))
    });
    let auth = world.client(AuthOptions::new().with_auth_callback(callback));
    status(&auth).await.unwrap();
    // The wall clock goes on during a suspend, and the monotonic clock stands still.
    world.set_forward(Duration::from_secs(7_200));
    status(&auth).await.unwrap();
    auth.token(Demand::Current).await.unwrap();
    assert!(calls.count() >= 2);
    let tokens: Vec<_> = world.asked().iter().map(token_of).collect();
    assert_eq!(tokens, ["token-1", "token-2"]);
}

/// 8: failures of an auth URL that say nothing, and refusals that are tried for ever (ably/ably-js#402).
#[tokio::test]
async fn an_auth_url_that_refuses_is_final_and_one_that_fails_says_how() {
    let answering = |status: u16| World::new(move |_, _| json(status, "")).client(with_url());
    let refused = answering(403).token(Demand::Current).await.unwrap_err();
    assert_eq!((code(&refused), refused.retry()), (80_019, Retry::Never));
    let failed = answering(502).token(Demand::Current).await.unwrap_err();
    assert_eq!((code(&failed), failed.retry()), (80_019, Retry::Backoff));
    let why = cause(cause(&failed));
    assert_eq!((why.kind(), why.code()), (ErrorKind::ServerFailed, Some(502)));
}

/// 9: causes that are hidden behind 40171 and 80019, and an identity that REST does not know (ably/ably-js#1409,
/// #2192).
#[tokio::test]
async fn the_cause_stays_behind_40171_and_80019_and_the_tokens_identity_is_known() {
    let world = World::new(|_, _| refusal(401, 40_142));
    let error = status(&world.client(with_token("t"))).await.unwrap_err();
    assert_eq!((code(&error), cause(&error).code()), (40_171, Some(40_142)));
    let failing = AuthOptions::new().with_auth_callback(Calls::giving(|_| Err(down())).1);
    let error = world.client(failing).token(Demand::Current).await.unwrap_err();
    assert!(cause(cause(&error)).to_string().contains("authentication server unavailable"));
    let token = AuthOptions::new().with_token(given("t").with_client_id(id("alice")));
    assert_eq!(world.client(token).client_id().unwrap().as_str(), "alice");
}

/// 10: capabilities that are denied without a word, and channels that are added later (ably/laravel-broadcaster#63).
#[tokio::test]
async fn a_denied_capability_names_what_was_asked_for_and_authorize_asks_for_more() {
    let world =
        World::new(|_, number| if number == 1 { refusal(401, 40_160) } else { json(201, &details("t")) });
    let auth = world.client(with_key());
    let params = |text: &str| Some(TokenParams::new().with_capability(text.parse().unwrap()));
    let error = auth.authorize(params(r#"{"private:x":["publish"]}"#), None).await.unwrap_err();
    assert_eq!((code(&error), error.kind()), (40_160, ErrorKind::InsufficientScope));
    assert!(error.to_string().contains(r#"{"private:x":["publish"]}"#), "{error}");
    let more = r#"{"added:later":["subscribe"],"chat":["subscribe"]}"#;
    auth.authorize(params(more), None).await.unwrap();
    let asked = TokenRequest::parse(world.asked()[1].body()).unwrap();
    assert_eq!(asked.capability_text(), Some(more));
}
