//! UTS `rest/unit/auth/auth_callback.md`: who gives the tokens.

use auth_core::ably::{AuthMethod, AuthUrl};

use super::*;

/// UTS rest/unit/RSA8d/callback-invoked-for-auth-0.
#[tokio::test]
async fn uts_rsa8d_callback_invoked_for_auth_0() {
    let world = World::content();
    let (calls, options) = Calls::numbered();
    status(&world.client(options)).await.unwrap();
    assert_eq!(calls.count(), 1);
    assert_eq!(world.count(), 1);
    assert_eq!(token_of(&world.asked()[0]), "token-1");
}

/// UTS rest/unit/RSA8d/callback-returns-jwt-1.
#[tokio::test]
async fn uts_rsa8d_callback_returns_jwt_1() {
    let world = World::content();
    let jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.own-payload.signature";
    let (_, callback) = Calls::giving(move |_| Ok(TokenReply::Token(Secret::from(jwt))));
    status(&world.client(AuthOptions::new().with_auth_callback(callback))).await.unwrap();
    assert_eq!(token_of(&world.asked()[0]), jwt);
}

/// UTS rest/unit/RSA8d/callback-returns-token-request-2.
#[tokio::test]
async fn uts_rsa8d_callback_returns_token_request_2() {
    let world = World::content();
    let (_, callback) = Calls::giving(|_| Ok(TokenReply::Request(foreign_request())));
    status(&world.client(AuthOptions::new().with_auth_callback(callback))).await.unwrap();
    let [exchange, call] = &world.asked()[..] else { panic!("two requests") };
    assert_eq!(
        (exchange.method().as_str(), exchange.uri().path()),
        ("POST", "/keys/appId.keyId/requestToken")
    );
    assert_eq!(exchange.body(), foreign_request().to_json().expose().as_bytes());
    assert!(!exchange.headers().contains_key("authorization"));
    assert_eq!(token_of(call), "obtained-1");
}

/// UTS rest/unit/RSA8d/callback-receives-token-params-3.
#[tokio::test]
async fn uts_rsa8d_callback_receives_token_params_3() {
    let (calls, options) = Calls::numbered();
    let params = TokenParams::new()
        .with_client_id(id("requested"))
        .with_ttl(Duration::from_millis(7_200_000))
        .with_capability(r#"{"channel1":["publish"]}"#.parse().unwrap());
    World::content().client(options).authorize(Some(params.clone()), None).await.unwrap();
    assert_eq!(calls.params(1), params);
}

/// UTS rest/unit/RSA8c/authurl-invoked-for-auth-0.
#[tokio::test]
async fn uts_rsa8c_authurl_invoked_for_auth_0() {
    let world = World::content();
    status(&world.client(with_url())).await.unwrap();
    let [asked, call] = &world.asked()[..] else { panic!("two requests") };
    assert_eq!((asked.method().as_str(), asked.uri().to_string().as_str()), ("GET", AUTH_URL));
    assert!(
        !asked.headers().contains_key("authorization") && !asked.headers().contains_key("x-ably-version")
    );
    assert_eq!(token_of(call), "authurl-1");
}

/// UTS rest/unit/RSA8c/authurl-post-method-1.
#[tokio::test]
async fn uts_rsa8c_authurl_post_method_1() {
    let world = World::content();
    let url = AuthUrl::new(AUTH_URL).with_method(AuthMethod::Post);
    status(&world.client(AuthOptions::new().with_auth_url(url))).await.unwrap();
    assert_eq!(world.asked()[0].method(), "POST");
}

/// UTS rest/unit/RSA8c/authurl-custom-headers-2.
#[tokio::test]
async fn uts_rsa8c_authurl_custom_headers_2() {
    let world = World::content();
    let url = AuthUrl::new(AUTH_URL).with_header("X-Custom-Header", "custom").with_header("X-API-Key", "k");
    status(&world.client(AuthOptions::new().with_auth_url(url))).await.unwrap();
    let asked = world.asked();
    assert_eq!((header(&asked[0], "x-custom-header"), header(&asked[0], "x-api-key")), ("custom", "k"));
    assert!(!asked[1].headers().contains_key("x-api-key"), "the service never sees them");
}

/// UTS rest/unit/RSA8c/authurl-query-params-3.
#[tokio::test]
async fn uts_rsa8c_authurl_query_params_3() {
    let world = World::content();
    let url = AuthUrl::new(AUTH_URL).with_param("client_id", "my-client").with_param("scope", "publish:*");
    status(&world.client(AuthOptions::new().with_auth_url(url))).await.unwrap();
    assert_eq!(world.asked()[0].uri().query(), Some("client_id=my-client&scope=publish%3A*"));
}

/// UTS rest/unit/RSA8c/authurl-returns-jwt-4.
#[tokio::test]
async fn uts_rsa8c_authurl_returns_jwt_4() {
    let world = World::new(|request, _| match request.uri().host() {
        Some("auth.example.com") => {
            reply(200, &[("content-type", "text/plain")], "eyJhbGciOiJIUzI1NiJ9.own.sig")
        }
        _ => json(200, "{}"),
    });
    status(&world.client(with_url())).await.unwrap();
    assert_eq!(token_of(&world.asked()[1]), "eyJhbGciOiJIUzI1NiJ9.own.sig");
}

/// UTS rest/unit/RSA8d/callback-error-propagated-4: as the cause, behind 40170 (RSA4e).
#[tokio::test]
async fn uts_rsa8d_callback_error_propagated_4() {
    let world = World::content();
    let (_, callback) = Calls::giving(|_| Err(down()));
    let error = status(&world.client(AuthOptions::new().with_auth_callback(callback))).await.unwrap_err();
    assert_eq!(code(&error), 40_170);
    assert!(cause(&error).to_string().contains("authentication server unavailable"));
    assert_eq!(world.count(), 0);
}

/// UTS rest/unit/RSA8c/authurl-error-propagated-5.
#[tokio::test]
async fn uts_rsa8c_authurl_error_propagated_5() {
    let world = World::new(|_, _| json(500, r#"{"error":"canary"}"#));
    let error = status(&world.client(with_url())).await.unwrap_err();
    assert!(error.to_string().contains("auth"));
    assert_eq!((code(&error), cause(&error).code()), (40_170, Some(500)));
    assert_eq!(world.count(), 1);
}

/// Waits for no time at all, and keeps how long it should have been.
#[derive(Clone, Default)]
struct Impatient(Arc<Mutex<Vec<Duration>>>);

impl Delay for Impatient {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn rsa4e_a_callback_that_does_not_answer_within_10_seconds_is_40170() {
    let impatient = Impatient::default();
    let mut surroundings = World::content().surroundings();
    surroundings.delay = Arc::new(impatient.clone());
    let options = AuthOptions::new().with_auth_callback(super::super::callback(|_| std::future::pending()));
    let auth = Auth::builder(options, surroundings).build().unwrap();
    for error in [auth.request_token(None, None).await.unwrap_err(), status(&auth).await.unwrap_err()] {
        assert_eq!((code(&error), cause(&error).kind()), (40_170, ErrorKind::Timeout));
    }
    let waited: Vec<_> = impatient.0.lock().unwrap().iter().map(Duration::as_secs).collect();
    assert_eq!(waited, [10, 10]);
}

#[tokio::test]
async fn rsa4f_what_a_callback_must_not_answer_is_40170() {
    let long = "a".repeat(TokenReply::LONGEST + 1);
    let details = |token: &str| TokenReply::Details(TokenDetails::new(Secret::from(token)));
    for reply in [
        TokenReply::Token(Secret::from("")),
        TokenReply::Token(Secret::from("undefined")),
        TokenReply::Token(Secret::from(r#"{"token":"t"}"#)),
        TokenReply::Token(Secret::from(long.as_str())),
        details(""),
        details(&long),
    ] {
        let (_, callback) = Calls::giving(move |_| Ok(reply.clone()));
        let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
        assert_eq!(code(&auth.authorize(None, None).await.unwrap_err()), 40_170);
    }
}

#[tokio::test]
async fn rsa4e_a_network_failure_on_the_way_to_the_auth_url_is_40170() {
    let world = World::failing(|_, _| Err(down()));
    let error = world.client(with_url()).request_token(None, None).await.unwrap_err();
    assert_eq!((code(&error), cause(&error).kind()), (40_170, ErrorKind::Transport));
}

#[tokio::test]
async fn rsa8c3_headers_and_parameters_are_replaced_with_their_url() {
    let world = World::content();
    let stored = AuthUrl::new(AUTH_URL).with_param("a", "1").with_header("x-stored", "1");
    let auth = world.client(AuthOptions::new().with_auth_url(stored));
    let given = AuthOptions::new().with_auth_url(AuthUrl::new(AUTH_URL).with_param("b", "2"));
    auth.request_token(None, Some(given)).await.unwrap();
    auth.request_token(None, None).await.unwrap();
    let asked = world.asked();
    assert_eq!((asked[0].uri().query(), header(&asked[0], "x-stored")), (Some("b=2"), ""));
    assert_eq!((asked[1].uri().query(), header(&asked[1], "x-stored")), (Some("a=1"), "1"));
}

#[tokio::test]
async fn a_callback_that_asks_the_client_for_the_token_it_is_to_give_ends_with_an_error() {
    let world = World::content();
    let own: Arc<Mutex<Option<Auth>>> = Arc::default();
    let inside = Arc::clone(&own);
    let callback = super::super::callback(move |_| {
        let auth = inside.lock().unwrap().clone().unwrap();
        async move { status(&auth).await.map(|_| lasting("never")) }
    });
    let auth = world.client(AuthOptions::new().with_auth_callback(callback));
    *own.lock().unwrap() = Some(auth.clone());
    let ended = tokio::time::timeout(Duration::from_secs(5), status(&auth)).await.expect("it hangs");
    assert_eq!(code(&ended.unwrap_err()), 40_170);
    own.lock().unwrap().take();
}
