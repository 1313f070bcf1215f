//! What the document says of time: validity, expiry, and sessions that nobody uses.

use std::sync::Arc;
use std::time::Duration;

use auth_core::time::Now;
use auth_core::{ErrorKind, Retry};
use auth_http::manager::{Sleep, StdClock, Timer, TokioTimer};
use tokio::time::sleep;

use super::{FACTORS, HOUR, SECOND, Served, establish, serve, served, text, verified};

/// A server whose permission tokens live for so many seconds, and its refresh tokens for so many.
async fn short_lived(permission: u64, refresh: u64) -> Served {
    serve(|server| {
        server
            .with_permission_lifetime(Duration::from_secs(permission))
            .with_refresh_lifetime(Duration::from_secs(refresh))
    })
    .await
}

/// Longer than a refresh token of one second lives: its end is rounded up to a whole one.
const OVER: Duration = Duration::from_millis(2_100);

#[tokio::test]
async fn a_permission_token_is_valid_whenever_it_is_asked_for() {
    let served = short_lived(2, 60).await;
    let session = served.established("device").await;
    let clock = StdClock::start();
    let begin = clock.now().mono.elapsed();
    while clock.now().mono.elapsed() - begin < 5 * SECOND {
        verified(&text(&session).await);
        sleep(Duration::from_millis(20)).await;
    }
    assert!((2..=8).contains(&served.refreshes()), "{}", served.refreshes());
    assert_eq!(served.counts.revoked(), 0);
}

#[tokio::test]
async fn an_expired_refresh_token_is_an_error_until_a_new_session_is_established() {
    let served = short_lived(1, 1).await;
    let session = served.established("device").await;
    text(&session).await;
    sleep(OVER).await;
    for _ in 0..3 {
        let error = session.permission_token().await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::InvalidGrant, Retry::Reauthorize));
        assert!(error.to_string().contains("establish the session again"), "{error}");
    }
    assert_eq!(served.refreshes(), 1, "a token that was refused is not sent again");
    establish(&session).await.unwrap();
    verified(&text(&session).await);
    assert_eq!(served.relay.requests_to(FACTORS).len(), 2);
}

#[tokio::test]
async fn refresh_is_an_error_once_the_refresh_token_has_expired() {
    let served = short_lived(3_600, 1).await;
    let session = served.established("device").await;
    let token = text(&session).await;
    sleep(OVER).await;
    let error = session.refresh().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidGrant, Some(401)));
    // The permission token has not expired, and nobody takes it away.
    assert_eq!(text(&session).await, token);
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
}

#[tokio::test]
async fn a_refresh_token_that_has_expired_by_the_clock_of_the_service_is_not_sent() {
    let served = short_lived(3_600, 2).await;
    let session = served.established("device").await;
    // From the first refresh on, the time of the service is known.
    session.refresh().await.unwrap();
    sleep(OVER + SECOND).await;
    let error = session.refresh().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidGrant, None));
    assert_eq!(error.to_string(), "the session's refresh token has expired; establish the session again");
    assert_eq!(served.refreshes(), 1);
}

#[tokio::test]
async fn an_idle_session_is_not_refreshed_and_expires() {
    let served = short_lived(1, 2).await;
    let session = served.established("device").await;
    let kept = served.builder("kept").with_background_refresh().build();
    establish(&kept).await.unwrap();
    text(&session).await;
    sleep(OVER + 2 * SECOND).await;
    let by_others = served.counts.redeemed();
    assert_eq!(session.permission_token().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    // The control: with refreshes in the background a session lives on, used or not.
    assert!(by_others >= 2, "{by_others}");
    verified(&text(&kept).await);
    kept.shut_down().await;
}

#[tokio::test]
async fn a_session_in_use_is_not_refreshed_by_time_alone() {
    let served = short_lived(2, 60).await;
    let session = served.established("device").await;
    text(&session).await;
    sleep(3 * SECOND).await;
    assert_eq!(served.refreshes(), 0);
    verified(&text(&session).await);
    assert_eq!(served.refreshes(), 1);
}

#[tokio::test]
async fn a_session_whose_refresh_is_called_periodically_does_not_expire() {
    let served = short_lived(1, 3).await;
    let session = served.established("device").await;
    for _ in 0..5 {
        sleep(SECOND).await;
        session.refresh().await.unwrap();
    }
    verified(&text(&session).await);
}

/// A computer whose wall clock is wrong by so many milliseconds.
struct Wrong(TokioTimer, i64);

impl Timer for Wrong {
    fn now(&self) -> Now {
        let now = self.0.now();
        let wall = now.wall.as_millis().saturating_add_signed(self.1);
        Now { wall: auth_core::time::Timestamp::from_millis(wall), ..now }
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration)
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_a_year_ends_no_session_and_keeps_no_token_alive() {
    tokio::join!(off_by(-31_536_000_000), off_by(31_536_000_000));
}

async fn off_by(error: i64) {
    let served = short_lived(3, 60).await;
    let timer = Arc::new(Wrong(TokioTimer::start(), error));
    let session = served.builder("device").build_on(timer, |driver| drop(tokio::spawn(driver.run())));
    establish(&session).await.unwrap();
    let first = text(&session).await;
    assert_eq!(text(&session).await, first);
    assert_eq!(served.refreshes(), 0, "the first token serves");
    session.refresh().await.unwrap();
    assert_ne!(text(&session).await, first);
    sleep(4 * SECOND).await;
    verified(&text(&session).await);
    assert_eq!(served.counts.revoked(), 0);
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
