//! The cases of which clients die that renew tokens, each with a count of the requests it may cost.

mod clock_faults;
mod dropped_callers;
mod failing_store;
mod late_rejections;
mod outage;
mod shared_failure;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::renewal::{Policy, Record};
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, Token, TokenSource as _};
use auth_http::grant::Grant;
use auth_http::manager::TokenManager;
use auth_http::store::FileStore;
use realtime_auth_tests::faulty_disk::FaultyDisk;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::rotating::{Rotating, chain};
use realtime_auth_tests::turns::Turns;

/// The defaults, but for the waits between attempts: those are real time here.
fn quick() -> Policy {
    let (base, cap) = (Duration::from_millis(10), Duration::from_millis(20));
    Policy::new()
        .with_spacing(Duration::ZERO)
        .with_backoff(Backoff::new(base, cap))
        .with_pause(Backoff::new(base, cap))
}

/// A login whose driver runs only while the test lets it, in a file on a disk that can fail.
struct Login {
    manager: TokenManager,
    turns: Turns,
    disk: FaultyDisk,
    recorder: Recorder,
}

impl Login {
    fn open(grant: impl Grant + 'static, path: PathBuf) -> Self {
        let (disk, recorder) = (FaultyDisk::default(), Recorder::default());
        let store = FileStore::open_on(path, disk.clone()).unwrap();
        let (manager, driver) = TokenManager::builder(grant)
            .with_policy(quick())
            .with_store(Arc::new(store))
            .with_observer(Arc::new(recorder.clone()))
            .build();
        Self { manager, turns: Turns::new(driver), disk, recorder }
    }

    async fn token(&mut self, demand: Demand) -> Result<Token, Error> {
        self.turns.until(self.manager.token(demand)).await
    }

    /// Waits until `count` refresh tokens are safe.
    async fn saved(&mut self, count: usize) {
        let saved = |event: &AuthEvent| matches!(event, AuthEvent::RefreshTokenSaved { .. });
        self.turns.until(self.recorder.wait_for(count, saved)).await;
    }

    async fn shut_down(mut self) {
        self.turns.until(self.manager.shut_down()).await;
    }
}

/// An endpoint that bears no reuse, and a login there.
struct Rig {
    endpoint: Rotating,
    folder: tempfile::TempDir,
    login: Login,
}

impl Rig {
    async fn start() -> Self {
        let endpoint = Rotating::serve().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let login = Login::open(endpoint.grant(), folder.path().join("tokens.json"));
        Self { endpoint, folder, login }
    }

    /// The first token, its refresh token safe.
    async fn first(&mut self) -> Generation {
        let first = self.login.token(Demand::Current).await.unwrap();
        assert_eq!(first.secret().expose(), "token-1");
        self.login.saved(1).await;
        first.generation()
    }

    /// Ends the program and begins it anew, on a disk that works.
    async fn restart(self) -> Self {
        let Self { endpoint, folder, login } = self;
        login.shut_down().await;
        let login = Login::open(endpoint.grant(), folder.path().join("tokens.json"));
        Self { endpoint, folder, login }
    }

    /// What lies on the disk.
    fn record(&self) -> Record {
        Record::parse(&std::fs::read(self.folder.path().join("tokens.json")).unwrap()).unwrap()
    }

    /// That the session outlived everything so far, which cost `requests` requests: the next refresh works, and after a
    /// restart the token of before serves, and the refresh after that works as well.
    async fn assert_alive_after(mut self, requests: usize) {
        let current = self.login.token(Demand::Current).await.unwrap();
        assert_eq!(self.endpoint.presented(), chain(requests));
        assert_eq!(current.secret().expose(), format!("token-{requests}"));
        let next = self.login.token(Demand::NewerThan(current.generation())).await.unwrap();
        let mut restarted = self.restart().await;
        let record = restarted.record();
        let refresh_token = record.refresh_token.unwrap();
        assert_eq!((refresh_token.expose(), record.intent), (&*format!("refresh-{}", requests + 1), None));
        let adopted = restarted.login.token(Demand::Current).await.unwrap();
        assert_eq!(adopted.secret().expose(), next.secret().expose());
        restarted.login.token(Demand::NewerThan(adopted.generation())).await.unwrap();
        restarted.login.shut_down().await;
        assert_eq!(restarted.endpoint.presented(), chain(requests + 2), "each refresh token once, in order");
        assert!(!restarted.endpoint.is_revoked());
    }
}
