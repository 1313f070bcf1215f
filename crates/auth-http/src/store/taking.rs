//! What a person does to a store that managers share: waiting for its lock, and putting another login in.

use std::time::Duration;

use auth_core::renewal::Record;
use auth_core::{Error, ErrorKind, Retry};

use super::{LockedStore, TokenStore};
use crate::grant::Delay;

/// How often the lock is tried for.
const PAUSE: Duration = Duration::from_millis(50);

/// How long it is tried for: whoever redeems a refresh token holds it for a flight, which takes half a minute by default.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the lock of a store, for a minute at most.
///
/// # Errors
///
/// [`StoreFailed`](ErrorKind::StoreFailed) when somebody else holds it all that time, and those of
/// [`TokenStore::try_lock`].
pub async fn lock(store: &dyn TokenStore, delay: &dyn Delay) -> Result<Box<dyn LockedStore>, Error> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(locked) = store.try_lock().await? {
            return Ok(locked);
        }
        if waited >= PATIENCE {
            let text = "another process keeps the lock of the token store; see what it waits for, or end it";
            return Err(Error::new(ErrorKind::StoreFailed, text));
        }
        delay.sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// Puts `record` into a store in place of what it holds, under its lock: a new login, or, without tokens, none. The
/// old one's refresh token is not redeemed. The record gets the revision after the old one's, so that managers which share the
/// store adopt it, and the old one's origin, so that a refresh token which is still configured somewhere does not take its
/// place at the next start. Whatever it says of a refresh that is under way is kept out.
///
/// A record that can't be read is moved aside, where the store does that.
///
/// # Errors
///
/// Those of [`lock`] and of the store, which then holds what it held.
pub async fn replace(store: &dyn TokenStore, delay: &dyn Delay, record: Record) -> Result<(), Error> {
    let mut locked = lock(store, delay).await?;
    let old = match locked.load().await {
        Ok(old) => old.unwrap_or_default(),
        // What is there is damaged: a person who logs in anew misses nothing of it.
        Err(error) if error.kind() == ErrorKind::StoreFailed && error.retry() == Retry::Never => {
            Record::default()
        }
        Err(error) => return Err(error),
    };
    let revision = old.revision.saturating_add(1);
    let origin = record.origin.clone().or(old.origin);
    locked.save(&Record { revision, origin, intent: None, ..record }).await
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use std::sync::Arc;

    use auth_core::time::Timestamp;
    use auth_core::{Demand, Secret, TokenSource as _};

    use super::*;
    use crate::grant::RefreshToken;
    use crate::manager::{TokenManager, TokioTimer};
    use crate::store::MemoryStore;
    use crate::testing::{Scripted, value};
    use crate::wire::TokenEndpoint;

    fn login(refresh_token: &str) -> Record {
        Record { refresh_token: Some(Secret::from(refresh_token)), ..Record::default() }
    }

    #[tokio::test]
    async fn a_new_login_takes_the_place_of_the_old_one() {
        let store = MemoryStore::new();
        let intent = Some(Timestamp::from_millis(1));
        let old = Record { revision: 7, intent, origin: Some("o".to_owned()), ..login("old") };
        store.try_lock().await.unwrap().unwrap().save(&old).await.unwrap();
        replace(&store, &TokioTimer::start(), login("new")).await.unwrap();
        let new = Record { revision: 8, origin: Some("o".to_owned()), ..login("new") };
        assert_eq!(store.load().await.unwrap(), Some(new));
        assert!(store.try_lock().await.unwrap().is_some(), "the lock is free again");
    }

    /// What was configured is older than what a person did since.
    #[tokio::test]
    async fn a_configured_refresh_token_does_not_come_back_after_a_new_login() {
        let issued = |number: u8| {
            let body =
                format!(r#"{{"access_token":"t{number}","refresh_token":"r{number}","expires_in":600}}"#);
            Ok(crate::testing::reply(200, &[], &body))
        };
        let (http, store) = (Scripted::new([issued(1), issued(2)]), MemoryStore::new());
        let start = async || {
            let endpoint = TokenEndpoint::new("https://a/t", "c", Secret::from("s")).unwrap();
            let grant = RefreshToken::new(endpoint, Arc::clone(&http) as _, Secret::from("r0"));
            let manager = TokenManager::builder(grant).with_store(Arc::new(store.clone())).spawn();
            manager.token(Demand::Current).await.unwrap();
            manager.shut_down().await;
        };
        start().await;
        replace(&store, &TokioTimer::start(), login("of a person")).await.unwrap();
        start().await;
        let sent =
            http.asked().iter().map(|asked| value(asked, "refresh_token").unwrap()).collect::<Vec<_>>();
        assert_eq!(sent, ["r0", "of a person"]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_holds_the_lock_is_waited_for_and_overwritten_afterwards() {
        let store = MemoryStore::new();
        let mut held = store.try_lock().await.unwrap().unwrap();
        let timer = TokioTimer::start();
        let replacing = replace(&store, &timer, login("new"));
        let holding = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            assert_eq!(store.load().await.unwrap(), None, "nothing is written without the lock");
            held.save(&Record { revision: 3, ..login("rotated meanwhile") }).await.unwrap();
            drop(held);
        };
        let (replaced, ()) = tokio::join!(replacing, holding);
        replaced.unwrap();
        assert_eq!(store.load().await.unwrap(), Some(Record { revision: 4, ..login("new") }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_never_let_go_is_an_error() {
        let store = MemoryStore::new();
        let _held = store.try_lock().await.unwrap().unwrap();
        let error = replace(&store, &TokioTimer::start(), login("new")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreFailed);
        assert_eq!(store.load().await.unwrap(), None);
    }

    #[tokio::test]
    async fn of_many_that_replace_at_once_each_gets_a_revision_of_its_own() {
        let store = Arc::new(MemoryStore::new());
        let timer = TokioTimer::start();
        let replacing = |name: &'static str| replace(&*store, &timer, login(name));
        let (a, b, c) = tokio::join!(replacing("a"), replacing("b"), replacing("c"));
        [a, b, c].into_iter().for_each(Result::unwrap);
        assert_eq!(store.load().await.unwrap().unwrap().revision, 3);
    }

    #[cfg(all(unix, feature = "file-store"))]
    mod files {
        use std::fs;
        use std::os::unix::fs::PermissionsExt as _;

        use super::*;
        use crate::store::FileStore;

        #[tokio::test]
        async fn two_stores_on_one_file_wait_for_each_other() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("tokens.json");
            let (one, other) = (FileStore::open(&path).unwrap(), FileStore::open(&path).unwrap());
            let timer = TokioTimer::start();
            let mut held = one.try_lock().await.unwrap().unwrap();
            let holding = async {
                held.save(&Record { revision: 5, ..login("old") }).await.unwrap();
                drop(held);
            };
            let (replaced, ()) = tokio::join!(replace(&other, &timer, login("new")), holding);
            replaced.unwrap();
            assert_eq!(one.load().await.unwrap(), Some(Record { revision: 6, ..login("new") }));
        }

        #[tokio::test]
        async fn what_is_damaged_is_moved_aside_and_what_is_newer_is_left() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("tokens.json");
            let store = FileStore::open(&path).unwrap();
            let timer = TokioTimer::start();
            let plant = |text: &str| {
                fs::write(&path, text).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            };
            plant("{\"version\":1,damaged");
            replace(&store, &timer, login("new")).await.unwrap();
            assert_eq!(store.load().await.unwrap(), Some(Record { revision: 1, ..login("new") }));
            assert!(folder.path().join("tokens.json.unreadable-1").exists());

            let newer = r#"{"version":99}"#;
            plant(newer);
            let error = replace(&store, &timer, login("new")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured);
            assert_eq!(fs::read_to_string(&path).unwrap(), newer);
        }
    }
}
