//! The client of Ably Auth against our own service half: what each says, the other understands.

use std::sync::atomic::{AtomicUsize, Ordering};

use auth_core::ably::{RevocationRequest, RevocationTarget, TokenParams, mint_jwt};
use auth_core::time::{Moment, Now, Timestamp};
use auth_http::ably::callback;
use gateway::{Config, Gateway, Running, ServedKey};

use super::*;

pub(super) async fn service() -> Running {
    let served = ServedKey::new(ApiKey::parse(KEY).unwrap())
        .with_capability(r#"{"chat:*":["publish","history"]}"#.parse().unwrap())
        .with_revocable_tokens();
    let config = Config::new("127.0.0.1:0".parse().unwrap()).with_ably_key(served);
    Gateway::bind(config).await.unwrap().spawn()
}

/// Whoever has the key; over plain http, which reaches this machine only.
pub(super) fn owner(service: &Running) -> Auth {
    client(key(), service.http_url()).dangerous().with_plaintext_keys().build().unwrap()
}

/// A client without the key, which asks its owner, and how often it did.
pub(super) fn trusted(service: &Running, params: TokenParams) -> (Auth, Arc<AtomicUsize>) {
    let (owner, asked) = (owner(service), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let ask = callback(move |_| {
        let (owner, params) = (owner.clone(), params.clone());
        count.fetch_add(1, Ordering::Relaxed);
        async move { Ok(TokenReply::Request(owner.create_token_request(Some(params), None).await?)) }
    });
    let options = AuthOptions::new().with_auth_callback(ask);
    (client(options, service.http_url()).build().unwrap(), asked)
}

async fn publish(auth: &Auth, channel: &str) -> Result<u16, Error> {
    let request = Request::post(format!("/channels/{channel}/messages"))
        .header("content-type", "application/json")
        .body(Bytes::from_static(br#"{"name":"greeting","data":"hello"}"#));
    let response = auth.request(request.unwrap()).await?;
    error_of(&response).map_or(Ok(response.status().as_u16()), Err)
}

fn alice() -> TokenParams {
    TokenParams::new().with_client_id(auth_core::ably::ClientId::new("alice").unwrap())
}

#[tokio::test]
async fn a_request_signed_by_the_keys_owner_is_exchanged_and_its_token_used_within_its_capability() {
    let service = service().await;
    let wanted = r#"{"chat:lobby":["publish","subscribe"]}"#.parse().unwrap();
    let (auth, asked) = trusted(&service, alice().with_capability(wanted));
    assert_eq!(publish(&auth, "chat:lobby").await.unwrap(), 201);
    let details = auth.token_details().unwrap();
    assert_eq!(details.capability_text(), Some(r#"{"chat:lobby":["publish"]}"#), "what the key has of it");
    assert_eq!(auth.client_id().unwrap().as_str(), "alice");
    let error = publish(&auth, "chat:attic").await.unwrap_err();
    assert_eq!(error.code(), Some(40_160));
    assert_eq!(asked.load(Ordering::Relaxed), 1, "another token would not help");
}

#[tokio::test]
async fn the_time_is_the_services_and_the_key_itself_is_accepted() {
    let service = service().await;
    let owner = owner(&service);
    let off = owner.query_time().await.unwrap().as_millis().abs_diff(now().wall.as_millis());
    assert!(off < 60_000, "{off} ms");
    assert_eq!(publish(&owner, "chat:lobby").await.unwrap(), 201);
    let nothing = TokenParams::new().with_capability(r#"{"news":["subscribe"]}"#.parse().unwrap());
    assert_eq!(owner.request_token(Some(nothing), None).await.unwrap_err().code(), Some(40_160));
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_and_its_twin_is_left_alone() {
    let service = service().await;
    let ((alice, asked), (bob, bobs)) = (trusted(&service, alice()), trusted(&service, TokenParams::new()));
    assert_eq!(
        (publish(&alice, "chat:a").await.unwrap(), publish(&bob, "chat:a").await.unwrap()),
        (201, 201)
    );
    let before = alice.token_details().unwrap();
    // Revoked is what was issued before the revocation: a millisecond later, that is hers.
    while now().wall <= before.issued().unwrap() {
        tokio::task::yield_now().await;
    }
    let target = RevocationTarget::parse("clientId:alice").unwrap();
    let unknown = RevocationTarget::new("bogus", "x");
    let request = RevocationRequest::new(vec![target, unknown]);
    let result = owner(&service).revoke_tokens(&request).await.unwrap();
    assert_eq!((result.success_count(), result.failure_count()), (1, 1));

    assert_eq!(publish(&alice, "chat:a").await.unwrap(), 201);
    assert_ne!(alice.token_details().unwrap().token(), before.token());
    assert_eq!(publish(&bob, "chat:a").await.unwrap(), 201);
    assert_eq!((asked.load(Ordering::Relaxed), bobs.load(Ordering::Relaxed)), (2, 1));
}

/// The kind that the object's document has, and that only our own service honours.
#[tokio::test]
async fn one_token_can_be_revoked_by_itself() {
    let service = service().await;
    let owner = owner(&service);
    let details = owner.request_token(None, None).await.unwrap();
    let twin = owner.request_token(None, None).await.unwrap();
    let with = |details: &auth_core::ably::TokenDetails| {
        client(AuthOptions::new().with_token(details.clone()), service.http_url()).build().unwrap()
    };
    assert_eq!(publish(&with(&details), "chat:a").await.unwrap(), 201);
    let target = RevocationTarget::token(details.token().clone());
    let result = owner.revoke_tokens(&RevocationRequest::new(vec![target])).await.unwrap();
    assert_eq!(result.success_count(), 1);
    let error = publish(&with(&details), "chat:a").await.unwrap_err();
    assert_eq!(error.code(), Some(40_171), "there is no way to another: {error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("revoked"), "{cause}");
    assert_eq!(publish(&with(&twin), "chat:a").await.unwrap(), 201);
}

#[tokio::test]
async fn a_jwt_that_the_keys_owner_mints_is_as_good_as_a_token_and_a_strangers_is_not() {
    let service = service().await;
    let minted = |key: &str| {
        let jwt = mint_jwt(&ApiKey::parse(key).unwrap(), &alice(), now());
        let ask = callback(move |_| {
            let jwt = jwt.clone();
            async move { Ok(TokenReply::Token(jwt)) }
        });
        client(AuthOptions::new().with_auth_callback(ask), service.http_url()).build().unwrap()
    };
    assert_eq!(publish(&minted(KEY), "chat:a").await.unwrap(), 201);
    let forged = publish(&minted("appId.keyId:anotherSecret"), "chat:a").await.unwrap_err();
    assert_eq!(forged.code(), Some(40_144), "{forged}");
}

fn now() -> Now {
    let wall = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    Now { wall: Timestamp::since_epoch(wall), mono: Moment::ORIGIN }
}
