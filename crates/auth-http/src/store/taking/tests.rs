//! Taking the lock from whoever has it, and another login for the one that is stored; also where the store is slow, or damaged.

use std::sync::Arc;

use async_trait::async_trait;
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

#[tokio::test]
async fn a_rehearsal_changes_nothing_and_fails_as_the_real_thing_would() {
    let store = MemoryStore::new();
    rehearse(&store, &TokioTimer::start()).await.unwrap();
    assert_eq!(store.load().await.unwrap(), Some(Record::default()));
    let old = Record { revision: 7, intent: Some(Timestamp::from_millis(1)), ..login("old") };
    store.try_lock().await.unwrap().unwrap().save(&old).await.unwrap();
    rehearse(&store, &TokioTimer::start()).await.unwrap();
    assert_eq!(store.load().await.unwrap(), Some(old));
}

/// What was configured is older than what a person did since.
#[tokio::test]
async fn a_configured_refresh_token_does_not_come_back_after_a_new_login() {
    let issued = |number: u8| {
        let body = format!(r#"{{"access_token":"t{number}","refresh_token":"r{number}","expires_in":600}}"#);
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
    let sent = http.asked().iter().map(|asked| value(asked, "refresh_token").unwrap()).collect::<Vec<_>>();
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

/// A store that is slow at one thing, and good at all others.
#[derive(Clone)]
struct Slow {
    store: MemoryStore,
    at: At,
    takes: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Locking,
    Loading,
    Saving,
}

impl Slow {
    fn at(at: At, takes: Duration) -> Self {
        Self { store: MemoryStore::new(), at, takes }
    }

    async fn pass(&self, at: At) {
        if at == self.at {
            tokio::time::sleep(self.takes).await;
        }
    }
}

#[async_trait]
impl TokenStore for Slow {
    async fn load(&self) -> Result<Option<Record>, Error> {
        self.store.load().await
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        self.pass(At::Locking).await;
        let slow = self.clone();
        let locked = self.store.try_lock().await?;
        Ok(locked.map(|store| Box::new(LockedSlow { store, slow }) as Box<dyn LockedStore>))
    }
}

struct LockedSlow {
    store: Box<dyn LockedStore>,
    slow: Slow,
}

#[async_trait]
impl LockedStore for LockedSlow {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        self.slow.pass(At::Loading).await;
        self.store.load().await
    }

    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        self.slow.pass(At::Saving).await;
        self.store.save(record).await
    }
}

/// As a file on a server that is gone: nobody who logs in or out waits for it for ever.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_has_five_seconds_for_each_call() {
    const FIVE: Duration = Duration::from_secs(5);
    for at in [At::Locking, At::Loading, At::Saving] {
        let timer = TokioTimer::start();
        let hung = Slow::at(at, Duration::from_secs(3_600));
        let replacing = replace(&hung, &timer, login("new"));
        let replaced = tokio::time::timeout(Duration::from_secs(600), replacing).await;
        let error = replaced.unwrap_or_else(|_| panic!("{at:?}: it hangs")).unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreFailed, Retry::Backoff), "{at:?}");
        let took = crate::manager::Timer::now(&timer).mono.elapsed();
        assert!((FIVE..2 * FIVE).contains(&took), "{at:?}: {took:?}");
        assert_eq!(hung.load().await.unwrap(), None, "{at:?}");

        let slow = Slow::at(at, FIVE - Duration::from_millis(10));
        replace(&slow, &timer, login("new")).await.unwrap();
        assert_eq!(slow.load().await.unwrap(), Some(Record { revision: 1, ..login("new") }), "{at:?}");
    }
}

/// The time that each attempt takes counts, too.
#[tokio::test(start_paused = true)]
async fn a_slow_lock_that_is_never_let_go_is_waited_for_a_minute_at_most() {
    let slow = Slow::at(At::Locking, Duration::from_secs(4));
    let _held = slow.store.try_lock().await.unwrap().unwrap();
    let timer = TokioTimer::start();
    let waiting = tokio::time::timeout(Duration::from_secs(600), lock(&slow, &timer));
    let error = waiting.await.expect("it goes on for ever").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreFailed);
    let took = crate::manager::Timer::now(&timer).mono.elapsed();
    assert!((Duration::from_secs(55)..Duration::from_secs(62)).contains(&took), "{took:?}");
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
        for outcome in [replace(&store, &timer, login("new")).await, rehearse(&store, &timer).await] {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Misconfigured);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    }
}
