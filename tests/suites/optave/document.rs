//! What the document says of tokens, as a client sees it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::{Demand, Error, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::grant::ClientCredentials;
use auth_http::manager::TokenManager;
use auth_http::optave::{Client, ConfigError, CredentialPlacement};
use auth_http::wire::TokenEndpoint;
use realtime_auth_tests::script::{Answer, Script};
use tokio::task::JoinSet;

use super::{SECRET, builder, serve, server, text, verified};

#[tokio::test]
async fn authenticate_gives_a_token_by_client_credentials() {
    let gateway = serve(server()).await;
    for placement in [CredentialPlacement::Basic, CredentialPlacement::Post, CredentialPlacement::Query] {
        let client = builder(&gateway).with_credential_placement(placement).build().unwrap();
        let token = client.authenticate().await.unwrap();
        let claims = verified(token.secret().expose());
        assert_eq!(claims.subject(), Some("cid"), "{placement:?}");
        assert!(claims.token_id().unwrap().len() >= 22, "{placement:?}");
        // Its end is rounded up to a whole second.
        assert!((300..=301).contains(&claims.lifetime().unwrap().as_secs()));
        assert!(token.expires_in().unwrap() <= Duration::from_secs(300));
    }
}

/// What the vendor's own client sends, byte for byte where it matters.
#[tokio::test]
async fn the_vendors_own_request_is_sent_where_it_was_asked_for() {
    let server = Script::serve(vec![Answer::token("t", 300)]).await.unwrap();
    let client = Client::builder()
        .with_authentication_url(format!("{}/auth/oauth2", server.url()))
        .with_client_id("cid")
        .with_client_secret("s&c r=t")
        .with_credential_placement(CredentialPlacement::Query)
        .build()
        .unwrap();
    text(&client).await;
    let request = server.requests().remove(0);
    let line = "POST /auth/oauth2/token?grant_type=client_credentials&client_id=cid&client_secret=s%26c+r%3Dt HTTP/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    let lower = request.to_lowercase();
    assert!(lower.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(lower.contains("content-length: 0\r\n") && request.ends_with("\r\n\r\n"), "{request}");
}

#[tokio::test]
async fn by_default_no_secret_is_in_the_url() {
    let server = Script::serve(vec![Answer::token("t", 300)]).await.unwrap();
    let client = Client::builder()
        .with_authentication_url(server.url())
        .with_client_id("cid")
        .with_client_secret(SECRET)
        .build()
        .unwrap();
    text(&client).await;
    assert!(server.requests()[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", server.requests()[0]);
}

#[tokio::test]
async fn only_the_access_token_of_the_answer_is_needed() {
    for body in [
        r#"{"access_token":"t"}"#,
        r#"{"access_token":"t","token_type":"whatever","expires_in":"soon","scope":5}"#,
    ] {
        let server = Script::serve(vec![Answer::http(200, "", body)]).await.unwrap();
        let client = Client::builder().with_authentication_url(server.url()).with_client_id("cid");
        assert_eq!(text(&client.with_client_secret("s").build().unwrap()).await, "t");
    }
}

#[tokio::test]
async fn authenticating_again_gives_a_fresh_token_each_time() {
    let gateway = serve(server()).await;
    let client = builder(&gateway).build().unwrap();
    let mut names = BTreeSet::new();
    for _ in 0..10 {
        names.insert(verified(&text(&client).await).token_id().unwrap().to_owned());
    }
    assert_eq!(names.len(), 10);
}

#[tokio::test]
async fn callers_that_come_together_get_a_token_each() {
    let gateway = serve(server()).await;
    for builder in [builder(&gateway), builder(&gateway).with_prefetch()] {
        let client = builder.build().unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let client = client.clone();
            tasks.spawn(async move { text(&client).await });
        }
        let tokens: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
        assert_eq!(tokens.len(), 20);
    }
}

#[tokio::test]
async fn no_token_is_fetched_ahead_unless_that_was_asked_for() {
    let server = Script::serve(vec![Answer::token("t1", 300), Answer::token("t2", 300)]).await.unwrap();
    let of = |server: &Script| {
        let client = Client::builder().with_authentication_url(server.url()).with_client_id("cid");
        client.with_client_secret("s")
    };
    let client = of(&server).build().unwrap();
    assert_eq!(text(&client).await, "t1");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(text(&client).await, "t2");

    let server = Script::serve(vec![Answer::token("t1", 300), Answer::token("t2", 300)]).await.unwrap();
    let client = of(&server).with_prefetch().build().unwrap();
    assert_eq!(text(&client).await, "t1");
    server.until(|progress| progress.answered == 2).await;
    assert_eq!(text(&client).await, "t2");
}

#[tokio::test]
async fn a_token_that_is_given_twice_is_not_handed_out_twice() {
    let server = Script::serve(vec![Answer::token("canary", 300)]).await.unwrap();
    let client = Client::builder().with_authentication_url(server.url()).with_client_id("cid");
    let client = client.with_client_secret("s").build().unwrap();
    assert_eq!(text(&client).await, "canary");
    let error = client.authenticate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn a_token_provider_is_invoked_for_each_token() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let client = Client::builder().with_token_provider(move || {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(Secret::from(format!("t{number}"))) }
    });
    let client = client.build().unwrap();
    assert_eq!((text(&client).await, text(&client).await), ("t1".into(), "t2".into()));
    let seen = client.authenticate().await.unwrap();
    let instead = client.token(Demand::InsteadOf(seen.generation())).await.unwrap();
    assert_eq!((instead.secret().expose(), count.load(Ordering::SeqCst)), ("t4", 4));
}

#[tokio::test]
async fn what_a_token_provider_fails_with_is_the_callers() {
    let failing = || async { Err(Error::new(ErrorKind::Refused, "the visitor is not logged in")) };
    let client = Client::builder().with_token_provider(failing).build().unwrap();
    let error = client.authenticate().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Refused, "the visitor is not logged in")
    );
    let empty = Client::builder().with_token_provider(|| async { Ok(Secret::from("")) }).build().unwrap();
    assert_eq!(empty.authenticate().await.unwrap_err().kind(), ErrorKind::InvalidToken);
}

/// A source that caches is told each time that the token before is used up.
#[tokio::test]
async fn a_token_source_that_caches_gives_another_token_each_time() {
    let gateway = serve(server()).await;
    let endpoint = format!("{}/auth/oauth2/token", gateway.http_url());
    let endpoint = TokenEndpoint::new(&endpoint, "cid", Secret::from(SECRET)).unwrap();
    let caching =
        TokenManager::builder(ClientCredentials::new(endpoint, Arc::new(HyperClient::plaintext()))).spawn();
    let same = |token: auth_core::Token| token.secret().expose().to_owned();
    let first = same(caching.token(Demand::Current).await.unwrap());
    assert_eq!(same(caching.token(Demand::Current).await.unwrap()), first, "the control");
    let client = Client::builder().with_token_source(Arc::new(caching)).build().unwrap();
    assert_eq!(text(&client).await, first);
    assert_ne!(text(&client).await, first);
}

#[tokio::test]
async fn a_wrong_secret_is_an_error_and_never_an_empty_token() {
    let gateway = serve(server()).await;
    for (id, secret) in [("cid", "wrong"), ("nobody", SECRET)] {
        let client = builder(&gateway).with_client_id(id).with_client_secret(secret).build().unwrap();
        let error = client.authenticate().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.retry()),
            (ErrorKind::InvalidClient, Some(401), Retry::Never)
        );
    }
}

#[tokio::test]
async fn each_missing_setting_is_named_at_construction() {
    let new = Client::builder;
    let url = "https://sandbox.oco.optave.tech/auth/oauth2";
    let refused = |builder: auth_http::optave::Builder| builder.build().map(drop).unwrap_err();
    assert!(matches!(refused(new()), ConfigError::NoTokenSource));
    let error = refused(new().with_client_id("cid").with_client_secret("s"));
    assert!(matches!(error, ConfigError::NoAuthenticationUrl), "{error}");
    let error = refused(new().with_client_secret("s"));
    assert!(matches!(error, ConfigError::NoAuthenticationUrl), "{error}");
    let error = refused(new().with_authentication_url(url).with_client_secret("s"));
    assert!(matches!(error, ConfigError::NoClientId), "{error}");
    let error = refused(new().with_authentication_url(url).with_client_id("").with_client_secret("s"));
    assert!(matches!(error, ConfigError::NoClientId), "{error}");
    let error = refused(new().with_authentication_url(url).with_client_id("cid"));
    assert!(matches!(error, ConfigError::NoClientSecret), "{error}");
    for url in ["http://sandbox.oco.optave.tech/auth", "auth/oauth2", "wss://a/auth"] {
        let error = refused(new().with_authentication_url(url).with_client_id("c").with_client_secret("s"));
        assert!(matches!(error, ConfigError::Url(_)), "{url}: {error}");
    }
    assert!(matches!(refused(new().with_ticket_endpoint("http://shop.example")), ConfigError::Url(_)));
    let error = refused(new().with_token_provider(provider).with_publishable_key("pk"));
    assert!(matches!(error, ConfigError::KeyWithoutTicketEndpoint), "{error}");
    let error = refused(new().with_ticket_endpoint("https://shop.example").with_publishable_key("p\nk"));
    assert!(matches!(error, ConfigError::PublishableKey), "{error}");
    let error = refused(new().with_ticket_endpoint("https://shop.example").with_token_provider(provider));
    assert!(matches!(error, ConfigError::SeveralTokenSources), "{error}");
    let complete = new().with_authentication_url(url).with_client_id("cid").with_client_secret("s");
    assert!(complete.build().is_ok(), "the control");
}

async fn provider() -> Result<Secret, Error> {
    Ok(Secret::from("t"))
}

#[tokio::test]
async fn a_client_secret_beside_a_token_provider_is_refused_at_construction() {
    for builder in [
        Client::builder().with_token_provider(provider),
        Client::builder().with_ticket_endpoint("https://shop.example"),
    ] {
        let error = builder.with_client_secret("canary").build().unwrap_err();
        assert!(matches!(error, ConfigError::SecretBesideProvider), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert!(Client::builder().with_token_provider(provider).build().is_ok(), "the control");
}

#[tokio::test]
async fn a_client_that_is_shut_down_gives_no_token() {
    let client = Client::builder().with_token_provider(provider).build().unwrap();
    client.shut_down().await;
    assert_eq!(client.authenticate().await.unwrap_err().kind(), ErrorKind::Closed);
}
