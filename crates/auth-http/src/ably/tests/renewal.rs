//! UTS `rest/unit/auth/token_renewal.md`: a refused token is renewed once.

use super::*;

/// A service that refuses the first `refused` calls with this code; an auth URL and `requestToken` give tokens.
fn refusing(refused: usize, number: u32) -> Arc<World> {
    let (calls, issued) = (AtomicU64::new(0), AtomicU64::new(0));
    World::new(move |request, _| {
        let next = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed) + 1;
        if request.uri().host() == Some("auth.example.com") || request.uri().path().ends_with("/requestToken")
        {
            return json(200, &details(&format!("obtained-{}", next(&issued))));
        }
        if next(&calls) <= refused as u64 { refusal(401, number) } else { json(200, "[]") }
    })
}

/// UTS rest/unit/RSA4b/renewal-on-40142-0.
#[tokio::test]
async fn uts_rsa4b_renewal_on_40142_0() {
    let world = refusing(1, 40_142);
    let (calls, options) = Calls::numbered();
    status(&world.client(options)).await.unwrap();
    let tokens: Vec<_> = world.asked().iter().map(token_of).collect();
    assert_eq!((calls.count(), tokens), (2, vec!["token-1".to_owned(), "token-2".to_owned()]));
}

/// UTS rest/unit/RSA4b/renewal-on-40140-1; and on the rest of the range.
#[tokio::test]
async fn uts_rsa4b_renewal_on_40140_1() {
    for number in 40_140..40_150 {
        let world = refusing(1, number);
        let (calls, options) = Calls::numbered();
        status(&world.client(options)).await.unwrap();
        assert_eq!((calls.count(), world.count()), (2, 2), "{number}");
    }
}

/// UTS rest/unit/RSA4b1/preemptive-renewal-0, once the service's time is known.
#[tokio::test]
async fn uts_rsa4b1_preemptive_renewal_0() {
    let world = World::content();
    let (calls, callback) = Calls::giving(|number| {
        let expires = if number == 1 { START - 1_000 } else { START + 3_600_000 };
        let token = TokenDetails::new(Secret::from(if number == 1 { "expired" } else { "fresh" }));
        Ok(TokenReply::Details(token.with_expires(Timestamp::from_millis(expires))))
    });
    let auth = world.client(AuthOptions::new().with_auth_callback(callback));
    auth.query_time().await.unwrap();
    auth.authorize(None, None).await.unwrap();
    status(&auth).await.unwrap();
    let asked = world.asked_at("/channels/test");
    assert_eq!((calls.count(), asked.len(), token_of(&asked[0]).as_str()), (2, 1, "fresh"));
}

/// UTS rest/unit/RSA4a2/no-renewal-without-callback-0.
#[tokio::test]
async fn uts_rsa4a2_no_renewal_without_callback_0() {
    let world = refusing(1, 40_142);
    let error = status(&world.client(with_token("static"))).await.unwrap_err();
    assert_eq!((code(&error), world.count()), (40_171, 1));
    assert_eq!(cause(&error).code(), Some(40_142), "what the service said is not hidden");
}

/// UTS rest/unit/RSA4b/renewal-via-authurl-2.
#[tokio::test]
async fn uts_rsa4b_renewal_via_authurl_2() {
    let world = refusing(1, 40_142);
    status(&world.client(with_url())).await.unwrap();
    let calls = world.asked_at("/channels/test");
    assert_eq!((world.count(), calls.len()), (4, 2));
    assert_eq!(token_of(&calls[1]), "obtained-2");
}

/// UTS rest/unit/RSA4b/renewal-limit-no-loop-3.
#[tokio::test]
async fn uts_rsa4b_renewal_limit_no_loop_3() {
    let world = refusing(usize::MAX, 40_142);
    let (calls, options) = Calls::numbered();
    let auth = world.client(options);
    assert_eq!(code(&status(&auth).await.unwrap_err()), 40_142);
    assert_eq!((calls.count(), world.count()), (2, 2));
    assert_eq!(auth.token_details(), None, "the second was refused as well");
}

/// UTS rest/unit/RSC10/request-retried-after-renewal-0.
#[tokio::test]
async fn uts_rsc10_request_retried_after_renewal_0() {
    let world = World::new(|request, _| match token_of(request).as_str() {
        "token-1" => refusal(401, 40_142),
        _ => json(200, r#"{"channelId":"test"}"#),
    });
    let (calls, options) = Calls::numbered();
    let response = status(&world.client(options)).await.unwrap();
    assert_eq!(response.body().as_ref(), br#"{"channelId":"test"}"#);
    let tokens: Vec<_> = world.asked().iter().map(token_of).collect();
    assert_eq!((calls.count(), tokens), (2, vec!["token-1".to_owned(), "token-2".to_owned()]));
}

/// UTS rest/unit/RSC10b/non-token-401-no-renewal-0.
#[tokio::test]
async fn uts_rsc10b_non_token_401_no_renewal_0() {
    let world = refusing(usize::MAX, 40_100);
    let (calls, options) = Calls::numbered();
    assert_eq!(code(&status(&world.client(options)).await.unwrap_err()), 40_100);
    assert_eq!((calls.count(), world.count()), (1, 1));
}

/// UTS rest/unit/RSA4b/renewal-msgpack-response-4: the number is read from the header, which the service sends beside
/// every body; a body in MessagePack is not read (it is not asked for either).
#[tokio::test]
async fn uts_rsa4b_renewal_msgpack_response_4() {
    let world = World::new(|_, number| match number {
        1 => {
            let headers = [("content-type", "application/x-msgpack"), ("x-ably-errorcode", "40142")];
            reply(401, &headers, "\u{1}binary")
        }
        _ => reply(200, &[("content-type", "application/x-msgpack")], "\u{1}binary"),
    });
    let (calls, options) = Calls::numbered();
    status(&world.client(options)).await.unwrap();
    assert_eq!((calls.count(), world.count()), (2, 2));
    assert_eq!(header(&world.asked()[0], "accept"), "application/json");
}

#[tokio::test]
async fn rsa4b_a_client_with_a_key_renews_by_it() {
    let world = refusing(1, 40_141);
    status(&world.client(with_key().with_use_token_auth(true))).await.unwrap();
    assert_eq!(world.asked_at("/requestToken").len(), 2);
    assert_eq!(token_of(&world.asked_at("/channels/test")[1]), "obtained-2");
}

#[tokio::test]
async fn rsa4b_the_error_of_a_renewal_is_not_taken_for_one_of_the_new_token() {
    let world = refusing(usize::MAX, 40_142);
    let (_, callback) = Calls::giving(|number| match number {
        1 => Ok(lasting("first")),
        _ => Err(auth_core::ably::ErrorCode::TOKEN_EXPIRED.error("the backend's own session has expired")),
    });
    let error = status(&world.client(AuthOptions::new().with_auth_callback(callback))).await.unwrap_err();
    assert_eq!((code(&error), cause(&error).code()), (40_170, Some(40_142)));
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn rsa4b1_a_token_held_for_longer_than_it_was_issued_for_is_renewed_before_it_is_refused() {
    let world = World::content();
    let (calls, callback) = Calls::giving(|number| {
        // By the server's clock, which is a year ahead and not known.
        let issued = START + 31_536_000_000;
        let token = TokenDetails::new(Secret::from(format!("token-{number}")));
        let token = token.with_issued(Timestamp::from_millis(issued));
        Ok(TokenReply::Details(token.with_expires(Timestamp::from_millis(issued + 60_000))))
    });
    let auth = world.client(AuthOptions::new().with_auth_callback(callback));
    status(&auth).await.unwrap();
    world.advance(Duration::from_millis(59_999));
    status(&auth).await.unwrap();
    assert_eq!(calls.count(), 1);
    world.advance(Duration::from_millis(1));
    assert_eq!(auth.token_details(), None);
    status(&auth).await.unwrap();
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_refusal_of_a_key_is_handed_back_as_it_is() {
    let world = refusing(usize::MAX, 40_142);
    assert_eq!(code(&status(&world.client(with_key())).await.unwrap_err()), 40_142);
    assert_eq!(world.count(), 1);
}
