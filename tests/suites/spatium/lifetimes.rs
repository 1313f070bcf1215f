//! What the document says of time: validity, expiry, and sessions that nobody uses. Hours pass at once here, so there is no socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::jwt::{HmacKey, KeySet, Verifier};
use auth_core::time::{Moment, Now};
use auth_core::{Error, ErrorKind, Retry, Secret};
use auth_http::endpoint::spatium::{Account, AuthorizationServer, Counts};
use auth_http::exchange::HttpExchange;
use auth_http::spatium::wire::{AuthorizationService, WantedPermissions};
use auth_http::spatium::{AuthorizationSession, Builder};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use realtime_auth_tests::wrong_clocks::WrongClocks;
use tokio::time::sleep;

use super::{HOUR, KEY, SECOND, establish, served, text};

const MINUTE: Duration = Duration::from_secs(60);

/// The service of the document, which goes by true time, and a computer with clocks of its own.
#[derive(Clone)]
struct World {
    server: Arc<Mutex<AuthorizationServer>>,
    paths: Arc<Mutex<Vec<String>>>,
    clocks: WrongClocks,
}

impl World {
    /// One whose permission tokens live for so long, and its refresh tokens for so long.
    fn new(permission: Duration, refresh: Duration) -> Self {
        let server = AuthorizationServer::hs256(KEY)
            .with_account(Account::new("username", Secret::from("password"), ["read"]))
            .with_permission_lifetime(permission)
            .with_refresh_lifetime(refresh);
        Self { server: Arc::new(Mutex::new(server)), paths: Arc::default(), clocks: WrongClocks::start() }
    }

    fn builder(&self, token_id: &str) -> Builder {
        let service = AuthorizationService::new("https://a").unwrap();
        let wanted = WantedPermissions::new(token_id, ["read"]).unwrap();
        AuthorizationSession::builder(service, Arc::new(self.clone()), wanted)
    }

    async fn establish(&self, builder: Builder) -> AuthorizationSession {
        let timer = Arc::new(self.clocks.clone());
        let session = builder.build_on(timer, |driver| drop(tokio::spawn(driver.run())));
        establish(&session).await.unwrap();
        session
    }

    async fn established(&self) -> AuthorizationSession {
        self.establish(self.builder("device")).await
    }

    fn counts(&self) -> Counts {
        self.server.lock().unwrap().counts()
    }

    fn requests_to(&self, path: &str) -> usize {
        self.paths.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }

    fn refreshes(&self) -> usize {
        self.requests_to("/api/permission/refresh")
    }

    fn truth(&self) -> Now {
        Now { wall: self.clocks.truth(), mono: Moment::since_origin(self.clocks.awake()) }
    }

    /// As whoever a token is presented to verifies it.
    fn verify(&self, token: &str) {
        let keys = KeySet::of(HmacKey::hs256(&KEY).unwrap());
        Verifier::new(keys).with_issuer("authorization-service").verify(token, self.truth()).unwrap();
    }

    /// The time of the service, as its answers have it: the clocks begin at 22:13:20 on Tuesday, 14 November 2023.
    fn date(&self) -> HeaderValue {
        let seconds = self.clocks.awake().as_secs() + 80_000;
        let (day, hour, minute) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        let name = ["Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Mon"][usize::try_from(day % 7).unwrap()];
        let text = format!("{name}, {:02} Nov 2023 {hour:02}:{minute:02}:{:02} GMT", 14 + day, seconds % 60);
        text.parse().unwrap()
    }
}

#[async_trait]
impl HttpExchange for World {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let path = request.uri().path().to_owned();
        let count = {
            let mut paths = self.paths.lock().unwrap();
            paths.push(path.clone());
            u8::try_from(paths.len()).unwrap()
        };
        let mut server = self.server.lock().unwrap();
        let mut response = server.respond(self.truth(), [count; 32], &path, &request, &mut |_| Ok(()));
        response.headers_mut().insert("date", self.date());
        Ok(response)
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_token_is_valid_whenever_it_is_asked_for() {
    let world = World::new(15 * MINUTE, HOUR);
    let session = world.established().await;
    for _ in 0..1_000 {
        world.verify(&text(&session).await);
        sleep(7 * SECOND).await;
    }
    assert!((7..=14).contains(&world.refreshes()), "{}", world.refreshes());
    assert_eq!(world.counts().revoked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_expired_refresh_token_is_an_error_until_a_new_session_is_established() {
    let world = World::new(15 * MINUTE, 15 * MINUTE);
    let session = world.established().await;
    text(&session).await;
    sleep(15 * MINUTE + SECOND).await;
    for _ in 0..3 {
        let error = session.permission_token().await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::InvalidGrant, Retry::Reauthorize));
        assert!(error.to_string().contains("establish the session again"), "{error}");
    }
    assert_eq!(world.refreshes(), 1, "a token that was refused is not sent again");
    establish(&session).await.unwrap();
    world.verify(&text(&session).await);
    assert_eq!(world.requests_to("/api/permission/issue-by-factors"), 2);
}

#[tokio::test(start_paused = true)]
async fn refresh_is_an_error_once_the_refresh_token_has_expired() {
    let world = World::new(HOUR, MINUTE);
    let session = world.established().await;
    text(&session).await;
    sleep(MINUTE + SECOND).await;
    let error = session.refresh().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidGrant, Some(401)));
    // The permission token has not expired, but the session is over: it is no longer functional.
    assert_eq!(session.permission_token().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_has_expired_by_the_clock_of_the_service_is_not_sent() {
    let world = World::new(HOUR, MINUTE);
    let session = world.established().await;
    // From the first refresh on, the time of the service is known.
    session.refresh().await.unwrap();
    sleep(MINUTE + 2 * SECOND).await;
    let error = session.refresh().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidGrant, None));
    assert_eq!(error.to_string(), "the session's refresh token has expired; establish the session again");
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_is_not_refreshed_and_expires() {
    let world = World::new(15 * MINUTE, HOUR);
    let session = world.established().await;
    let kept = world.establish(world.builder("kept").with_background_refresh()).await;
    text(&session).await;
    sleep(2 * HOUR).await;
    let by_others = world.counts().redeemed();
    assert_eq!(session.permission_token().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    // The control: with refreshes in the background a session lives on, used or not.
    assert!(by_others >= 7, "{by_others}");
    world.verify(&text(&kept).await);
    kept.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_is_not_refreshed_by_time_alone() {
    let world = World::new(15 * MINUTE, HOUR);
    let session = world.established().await;
    text(&session).await;
    sleep(20 * MINUTE).await;
    assert_eq!(world.refreshes(), 0);
    world.verify(&text(&session).await);
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_refresh_is_called_periodically_does_not_expire() {
    let world = World::new(15 * MINUTE, HOUR);
    let session = world.established().await;
    for _ in 0..5 {
        sleep(50 * MINUTE).await;
        session.refresh().await.unwrap();
    }
    world.verify(&text(&session).await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_by_a_year_ends_no_session_and_keeps_no_token_alive() {
    for error in [-31_536_000, 31_536_000] {
        let world = World::new(15 * MINUTE, HOUR);
        world.clocks.set_wall(error);
        let session = world.established().await;
        let first = text(&session).await;
        assert_eq!(text(&session).await, first);
        assert_eq!(world.refreshes(), 0, "the first token serves");
        session.refresh().await.unwrap();
        assert_ne!(text(&session).await, first);
        sleep(20 * MINUTE).await;
        world.verify(&text(&session).await);
        assert_eq!(world.counts().revoked(), 0);
    }
}

#[tokio::test]
async fn a_long_lived_session_has_the_default_lifetimes() {
    let served = served().await;
    let session = served.established("device").await;
    let token = session.permission_token().await.unwrap();
    let left = token.expires_in().unwrap();
    assert!(left <= Duration::from_secs(900) && left > Duration::from_secs(880), "{left:?}");
    assert!(token.renew_in().unwrap() < left && left < HOUR);
}
