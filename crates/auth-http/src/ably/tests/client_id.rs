//! UTS `rest/unit/auth/client_id.md`: whom the client speaks for.

use auth_core::ably::TokenClientId;

use super::*;

fn of(token_client: Option<TokenClientId>) -> AuthOptions {
    let token = given("t");
    AuthOptions::new().with_token(match token_client {
        Some(client_id) => token.with_client_id(client_id),
        None => token,
    })
}

fn client_id(auth: &Auth) -> Option<String> {
    auth.client_id().map(|client_id| client_id.as_str().to_owned())
}

fn named(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// UTS rest/unit/RSA7a/clientid-from-options-0.
#[tokio::test]
async fn uts_rsa7a_clientid_from_options_0() {
    let auth = World::content().builder(with_key()).with_client_id(id("my-client")).build().unwrap();
    assert_eq!(client_id(&auth), named("my-client"));
}

/// UTS rest/unit/RSA7b/clientid-from-token-details-0.
#[tokio::test]
async fn uts_rsa7b_clientid_from_token_details_0() {
    let auth = World::content().client(of(Some(id("token-client").into())));
    assert_eq!(client_id(&auth), named("token-client"));
}

/// UTS rest/unit/RSA7b/clientid-from-callback-token-1.
#[tokio::test]
async fn uts_rsa7b_clientid_from_callback_token_1() {
    let (_, callback) =
        Calls::giving(|_| Ok(TokenReply::Details(given("t").with_client_id(id("callback-client")))));
    let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
    assert_eq!(client_id(&auth), None, "RSA12b: not known before");
    status(&auth).await.unwrap();
    assert_eq!(client_id(&auth), named("callback-client"));
}

/// UTS rest/unit/RSA7c/clientid-null-unidentified-0.
#[tokio::test]
async fn uts_rsa7c_clientid_null_unidentified_0() {
    assert_eq!(client_id(&World::content().client(with_key())), None);
}

/// UTS rest/unit/RSA7c/clientid-null-unidentified-token-1.
#[tokio::test]
async fn uts_rsa7c_clientid_null_unidentified_token_1() {
    assert_eq!(client_id(&World::content().client(of(None))), None);
}

/// UTS rest/unit/RSA12a/clientid-passed-to-callback-0.
#[tokio::test]
async fn uts_rsa12a_clientid_passed_to_callback_0() {
    let (calls, options) = Calls::numbered();
    let auth = World::content().builder(options).with_client_id(id("library-client")).build().unwrap();
    status(&auth).await.unwrap();
    assert_eq!(calls.params(1).client_id().unwrap().as_str(), "library-client");
}

/// UTS rest/unit/RSA12b/clientid-sent-to-authurl-0.
#[tokio::test]
async fn uts_rsa12b_clientid_sent_to_authurl_0() {
    let world = World::content();
    let auth = world.builder(with_url()).with_client_id(id("url-client")).build().unwrap();
    status(&auth).await.unwrap();
    assert_eq!(world.asked()[0].uri().query(), Some("clientId=url-client"));
}

/// UTS rest/unit/RSA7/clientid-updated-after-authorize-0.
#[tokio::test]
async fn uts_rsa7_clientid_updated_after_authorize_0() {
    let (_, callback) = Calls::giving(|number| {
        Ok(TokenReply::Details(given(&format!("t{number}")).with_client_id(id(&format!("client-{number}")))))
    });
    let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
    status(&auth).await.unwrap();
    assert_eq!(client_id(&auth), named("client-1"));
    auth.authorize(None, None).await.unwrap();
    assert_eq!(client_id(&auth), named("client-2"));
}

/// UTS rest/unit/RSA12/wildcard-clientid-0.
#[tokio::test]
async fn uts_rsa12_wildcard_clientid_0() {
    let auth = World::content().client(of(Some(TokenClientId::Wildcard)));
    assert_eq!(client_id(&auth), named("*"), "RSA7b4");
}

/// UTS rest/unit/RSA7/clientid-mismatch-error-1, with each row of its table.
#[tokio::test]
async fn uts_rsa7_clientid_mismatch_error_1() {
    for (configured, token, expected) in [
        (Some("client-a"), Some("client-a"), Ok("client-a")),
        (Some("client-a"), Some("client-b"), Err(40_102)),
        (Some("client-a"), None, Ok("client-a")),
        (Some("client-a"), Some("*"), Ok("client-a")),
        (None, Some("client-b"), Ok("client-b")),
    ] {
        let token = token.map(|text| TokenClientId::new(text).unwrap());
        let builder = World::content().builder(of(token));
        let builder = match configured {
            Some(configured) => builder.with_client_id(id(configured)),
            None => builder,
        };
        let told = builder.build().map(|auth| client_id(&auth).unwrap()).map_err(|error| {
            assert!(error.to_string().contains("clientId"));
            code(&error)
        });
        assert_eq!(told, expected.map(str::to_owned));
    }
}

/// UTS rest/unit/RSA15a/token-clientid-must-match-0.
#[tokio::test]
async fn uts_rsa15a_token_clientid_must_match_0() {
    let build = |token: &str| {
        World::content().builder(of(Some(id(token).into()))).with_client_id(id("my-client")).build()
    };
    assert_eq!(client_id(&build("my-client").unwrap()), named("my-client"));
    assert_eq!(code(&build("other-client").unwrap_err()), 40_102);
}

/// UTS rest/unit/RSA15b/wildcard-token-permits-any-0.
#[tokio::test]
async fn uts_rsa15b_wildcard_token_permits_any_0() {
    let builder = World::content().builder(of(Some(TokenClientId::Wildcard)));
    assert_eq!(client_id(&builder.with_client_id(id("any-client")).build().unwrap()), named("any-client"));
}

/// UTS rest/unit/RSA15c/incompatible-clientid-error-0: for a token that comes later.
#[tokio::test]
async fn uts_rsa15c_incompatible_clientid_error_0() {
    let world = World::content();
    let (calls, callback) =
        Calls::giving(|_| Ok(TokenReply::Details(given("t").with_client_id(id("other")))));
    let options = AuthOptions::new().with_auth_callback(callback);
    let auth = world.builder(options).with_client_id(id("mine")).build().unwrap();
    assert_eq!(code(&auth.authorize(None, None).await.unwrap_err()), 40_102);
    assert_eq!(code(&status(&auth).await.unwrap_err()), 40_102);
    assert_eq!((world.count(), auth.token_details(), calls.count()), (0, None, 2));
    assert!(auth.request_token(None, None).await.is_ok(), "a token for somebody else may be handed on");
}

#[tokio::test]
async fn rsa7b3_rsa15a_the_connection_says_whom_it_speaks_for_until_the_next_token() {
    let auth = World::content().client(with_token("bare").with_key(key()));
    auth.connected_as(Some(id("of-connection").into())).unwrap();
    assert_eq!(client_id(&auth), named("of-connection"));
    auth.authorize(None, Some(with_token("other").with_key(key()))).await.unwrap();
    assert_eq!(client_id(&auth), None);
    let mine = World::content().builder(with_token("bare")).with_client_id(id("mine")).build().unwrap();
    assert_eq!(code(&mine.connected_as(Some(id("other").into())).unwrap_err()), 40_102);
    mine.connected_as(Some(TokenClientId::Wildcard)).unwrap();
}

#[test]
fn rsa7c_what_cannot_be_a_client_id_is_40012() {
    for text in ["*", ""] {
        assert_eq!(ClientId::new(text).unwrap_err().code().number(), 40_012);
    }
}

#[tokio::test]
async fn rsa7e2_requests_name_the_configured_client_with_key_and_token() {
    let world = World::content();
    for options in [with_key(), with_token("t")] {
        let auth = world.builder(options).with_client_id(id("zoë ☃")).build().unwrap();
        status(&auth).await.unwrap();
    }
    assert!(world.asked().iter().all(|asked| header(asked, "x-ably-clientid") == "em/DqyDimIM="));
    let inherited = world.client(of(Some(id("alice").into())));
    status(&inherited).await.unwrap();
    assert_eq!(header(world.asked().last().unwrap(), "x-ably-clientid"), "", "the token says it itself");
}

#[tokio::test]
async fn rsa7d_the_configured_client_is_asked_for_in_signed_requests() {
    let world = World::content();
    let auth = world.builder(with_key()).with_client_id(id("bob")).build().unwrap();
    let stored = auth.create_token_request(None, None).await.unwrap();
    let replaced = auth.create_token_request(Some(TokenParams::new()), None).await.unwrap();
    assert_eq!((stored.client_id(), replaced.client_id()), (Some("bob"), None));
}
