//! Sessions that share a store, and what establishing does while it is locked.

use super::*;
use crate::store::MemoryStore;
use crate::testing::{Scripted, reply};

fn session(http: &Arc<Scripted>, store: &MemoryStore) -> AuthorizationSession {
    let service = AuthorizationService::new("https://a/v1").unwrap();
    let wanted = WantedPermissions::new("device", ["read"]).unwrap();
    let builder = AuthorizationSession::builder(service, Arc::clone(http) as _, wanted);
    builder.with_store(Arc::new(store.clone())).build()
}

/// Answers with the tokens of this number, which live for 900 s from now.
fn issue(http: &Scripted, number: u32) {
    let expires = crate::manager::wall().as_secs() + 900;
    http.answer(Ok(reply(
        200,
        &[],
        &format!(
            r#"{{"data":{{"permissionToken":{{"permissionToken":"p{number}","expiresAt":{expires}}},"permissionRefreshToken":{{"permissionRefreshToken":"r{number}"}}}}}}"#
        ),
    )));
}

async fn text(session: &AuthorizationSession) -> String {
    session.permission_token().await.unwrap().secret().expose().to_owned()
}

#[tokio::test(start_paused = true)]
async fn two_programs_with_one_store_refresh_once() {
    let (http, store) = (Scripted::new([]), MemoryStore::new());
    let (one, two) = (session(&http, &store), session(&http, &store));
    issue(&http, 1);
    one.establish(&[Secret::from("f")]).await.unwrap();
    assert!(two.resume().await.unwrap());
    assert_eq!((text(&one).await, text(&two).await), ("p1".into(), "p1".into()));
    issue(&http, 2);
    one.refresh().await.unwrap();
    // The other had not noticed, and finds in the store what it would have asked for.
    let refused = two.permission_token().await.unwrap().generation();
    let instead = two.token(Demand::InsteadOf(refused)).await.unwrap();
    assert_eq!(instead.secret().expose(), "p2");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_another_program_establishes_is_taken_over() {
    let (http, store) = (Scripted::new([]), MemoryStore::new());
    let (one, two) = (session(&http, &store), session(&http, &store));
    issue(&http, 1);
    one.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(text(&one).await, "p1");
    issue(&http, 2);
    two.establish(&[Secret::from("f")]).await.unwrap();
    // The one that was displaced is not sent: the store has the tokens that a refresh would be for.
    one.refresh().await.unwrap();
    assert_eq!((text(&one).await, http.count()), ("p2".into(), 2));
    issue(&http, 3);
    tokio::time::sleep(Duration::from_secs(2)).await;
    one.refresh().await.unwrap();
    assert!(http.asked()[2].body().ends_with(br#":"r2"}"#));
}

#[tokio::test(start_paused = true)]
async fn establishing_waits_for_the_lock_and_not_for_ever() {
    let (http, store) = (Scripted::new([]), MemoryStore::new());
    let session = session(&http, &store);
    let lock = store.try_lock().await.unwrap().unwrap();
    let error = session.establish(&[Secret::from("f")]).await.unwrap_err();
    assert_eq!(
        (error.kind(), http.count()),
        (ErrorKind::StoreFailed, 0),
        "nothing was asked for that could not be kept"
    );
    issue(&http, 1);
    let unlock = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(lock);
    };
    let ((), established) = tokio::join!(unlock, async { session.establish(&[Secret::from("f")]).await });
    established.unwrap();
    assert_eq!(text(&session).await, "p1");
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_of_a_living_session_tells_why() {
    let (http, store) = (Scripted::new([]), MemoryStore::new());
    let session = session(&http, &store);
    issue(&http, 1);
    session.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(text(&session).await, "p1");
    for _ in 0..3 {
        http.answer(Ok(reply(503, &[], "")));
    }
    let error = session.refresh().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ServerFailed, Some(503)));
    assert_eq!(text(&session).await, "p1", "it is still valid");
}
