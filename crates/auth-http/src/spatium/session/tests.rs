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

#[tokio::test(start_paused = true)]
async fn a_failure_of_long_ago_is_no_reason() {
    let (http, store) = (Scripted::new([]), MemoryStore::new());
    let session = session(&http, &store);
    issue(&http, 1);
    session.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(text(&session).await, "p1");
    http.answer(Ok(reply(403, &[], "")));
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::Refused);
    // By a refresh, and by another session, that is over.
    issue(&http, 2);
    tokio::time::sleep(Duration::from_secs(120)).await;
    session.refresh().await.unwrap();
    let lock = store.try_lock().await.unwrap().unwrap();
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::Timeout);
    drop(lock);
    tokio::time::sleep(Duration::from_secs(120)).await;
    http.answer(Ok(reply(401, &[], "")));
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    issue(&http, 3);
    session.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(text(&session).await, "p3");
    let _lock = store.try_lock().await.unwrap().unwrap();
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::Timeout);
}

/// What was told since the last look, in short.
type Diary = Arc<Mutex<Vec<String>>>;

fn watched(http: &Arc<Scripted>, store: Arc<dyn TokenStore>) -> (AuthorizationSession, Diary) {
    let (service, diary) = (AuthorizationService::new("https://a/v1").unwrap(), Diary::default());
    let wanted = WantedPermissions::new("device", ["read"]).unwrap();
    let builder = AuthorizationSession::builder(service, Arc::clone(http) as _, wanted).with_store(store);
    let told = Arc::clone(&diary);
    let observer = Arc::new(move |event: &AuthEvent| {
        told.lock().unwrap().push(match event {
            // Virtual time is not the wall's.
            AuthEvent::ClockSetBack { .. } => return,
            AuthEvent::TokenRequested { attempt, redeems, noted, valid_for } => {
                assert_eq!(noted.is_some(), *redeems, "what redeems is noted before");
                format!("requested {attempt} {redeems} {}", valid_for.is_some())
            }
            AuthEvent::TokenIssued { generation, took: Some(_), expires_in, renews_in, .. } => {
                assert!(renews_in < expires_in, "a token is renewed before it expires");
                format!("issued {}", generation.number())
            }
            AuthEvent::TokenAdopted { generation, .. } => format!("adopted {}", generation.number()),
            AuthEvent::TokenRequestFailed { code, took: Some(_), retry_in: None, .. } => {
                format!("failed {code:?}")
            }
            AuthEvent::RefreshTokenSaved { revision, took: Some(_) } => format!("saved {revision}"),
            AuthEvent::RefreshTokenRefused { .. } => "refused".to_owned(),
            AuthEvent::StoreFailed { step, took: Some(_), retry_in: None, .. } => {
                format!("no store: {step:?}")
            }
            other => other.name().to_owned(),
        });
    });
    (builder.with_observer(observer).build(), diary)
}

fn take(diary: &Diary) -> Vec<String> {
    std::mem::take(&mut *diary.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn each_step_of_a_session_is_told_once() {
    let http = Scripted::new([]);
    let (session, diary) = watched(&http, Arc::new(MemoryStore::new()));
    http.answer(Ok(reply(401, &[], "")));
    session.establish(&[Secret::from("f")]).await.unwrap_err();
    assert_eq!(take(&diary), ["requested 1 false false", "failed Some(401)"]);
    issue(&http, 1);
    session.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(take(&diary), ["requested 1 false false", "issued 1", "saved 3"]);
    assert_eq!(text(&session).await, "p1");
    assert_eq!(take(&diary), ["renewal_started"], "that it is taken from the store is no news");
    tokio::time::sleep(Duration::from_secs(2)).await;
    issue(&http, 2);
    session.refresh().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refreshed = ["renewal_started", "requested 1 true true", "issued 2", "saved 4"];
    assert_eq!(take(&diary), refreshed);
    issue(&http, 3);
    session.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(take(&diary), ["requested 1 false true", "issued 3", "saved 6"]);
    assert_eq!(text(&session).await, "p3");
    assert_eq!(take(&diary), ["renewal_started"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    http.answer(Ok(reply(401, &[], "")));
    session.refresh().await.unwrap_err();
    let over = take(&diary);
    assert_eq!(over.iter().filter(|line| *line == "refused").count(), 1, "{over:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_while_a_session_is_established_is_told_of() {
    for (successes, step) in [(0, "SaveIntent"), (1, "SaveToken")] {
        let http = Scripted::new([]);
        let (session, diary) = watched(&http, Arc::new(Failing::after(successes, 100)));
        issue(&http, 1);
        session.establish(&[Secret::from("f")]).await.unwrap_err();
        assert_eq!(take(&diary).last().unwrap(), &format!("no store: {step}"));
    }
}

/// A store of which so many writes succeed, and then so many fail; what it holds is damaged until it was written.
#[derive(Clone, Default)]
struct Failing {
    store: MemoryStore,
    writes: Arc<Mutex<(usize, usize)>>,
    damaged: Arc<Mutex<bool>>,
}

impl Failing {
    fn after(successes: usize, failures: usize) -> Self {
        let writes = Arc::new(Mutex::new((successes, failures)));
        Self { writes, ..Self::default() }
    }

    fn session(&self, http: &Arc<Scripted>) -> AuthorizationSession {
        let service = AuthorizationService::new("https://a/v1").unwrap();
        let wanted = WantedPermissions::new("device", ["read"]).unwrap();
        let builder = AuthorizationSession::builder(service, Arc::clone(http) as _, wanted);
        builder.with_store(Arc::new(self.clone())).build()
    }

    fn readable(&self) -> Result<(), Error> {
        match *self.damaged.lock().unwrap() {
            true => Err(Error::new(ErrorKind::StoreFailed, "it is damaged").with_retry(Retry::Never)),
            false => Ok(()),
        }
    }
}

struct FailingLock(Failing, Box<dyn LockedStore>);

#[async_trait]
impl TokenStore for Failing {
    async fn load(&self) -> Result<Option<Record>, Error> {
        self.readable()?;
        self.store.load().await
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        let locked = self.store.try_lock().await?;
        Ok(locked.map(|locked| Box::new(FailingLock(self.clone(), locked)) as Box<dyn LockedStore>))
    }
}

#[async_trait]
impl LockedStore for FailingLock {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        self.0.readable()?;
        self.1.load().await
    }

    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        {
            let mut writes = self.0.writes.lock().unwrap();
            match &mut *writes {
                (0, 0) => {}
                (0, failures) => {
                    *failures -= 1;
                    return Err(Error::new(ErrorKind::StoreFailed, "the disk is full"));
                }
                (successes, _) => *successes -= 1,
            }
        }
        *self.0.damaged.lock().unwrap() = false;
        self.1.save(record).await
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_that_a_store_can_not_keep() {
    let http = Scripted::new([]);
    let session = Failing::after(0, 1_000).session(&http);
    let error = session.establish(&[Secret::from("f")]).await.unwrap_err();
    assert_eq!((error.kind(), http.count()), (ErrorKind::StoreFailed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_for_a_moment_costs_no_refresh_token() {
    let http = Scripted::new([]);
    let store = Failing::after(1, 3);
    issue(&http, 1);
    store.session(&http).establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(store.load().await.unwrap().unwrap().refresh_token, Some(Secret::from("r1")));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_established_over_what_is_damaged() {
    let http = Scripted::new([]);
    let store = Failing::default();
    *store.damaged.lock().unwrap() = true;
    let session = store.session(&http);
    assert_eq!(session.resume().await.unwrap_err().kind(), ErrorKind::StoreFailed, "the control");
    issue(&http, 1);
    session.establish(&[Secret::from("f")]).await.unwrap();
    assert_eq!(text(&session).await, "p1");
}
