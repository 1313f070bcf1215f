//! The device code grant (RFC 8628 §3.4): asking until a person has logged in elsewhere.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::{Attempt, Refresh};
use auth_core::{Error, ErrorKind, Retry, Secret};

use super::Grant;
use super::asking::Asking;
use crate::exchange::HttpExchange;
use crate::wire::{DeviceLogin, TokenEndpoint, TokenForm, Wanted, verdict};

/// How a grant waits. With the feature `tokio`, `TokioTimer` does.
pub trait Delay: Send + Sync {
    /// A future that is ready after `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

#[cfg(feature = "tokio")]
impl Delay for crate::manager::TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        crate::manager::Timer::sleep(self, duration)
    }
}

/// The device code grant (RFC 8628): a program without a browser shows a code, and asks for its token until a person has
/// typed that in elsewhere.
///
/// [`log_in`](Self::log_in) waits for the person. As a [`Grant`], it asks once each time, no sooner than the server allows:
/// whoever retries does the waiting. Once it has a token, its refresh token is redeemed; when that is refused, a person must
/// log in.
pub struct DeviceCode {
    asking: Asking,
    delay: Arc<dyn Delay>,
    state: Mutex<State>,
    wanted: Wanted,
}

struct State {
    /// `None` once it is redeemed, refused or expired.
    device_code: Option<Secret>,
    interval: Duration,
    /// What is left of the code's life, going by the time that was waited.
    left: Duration,
}

/// What `slow_down` adds (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The longest interval that lost answers lead to.
const SLOWEST: Duration = Duration::from_secs(60);

impl DeviceCode {
    /// Ends `login` at `endpoint`.
    #[must_use]
    pub fn new(
        endpoint: TokenEndpoint,
        http: Arc<dyn HttpExchange>,
        login: &DeviceLogin,
        delay: Arc<dyn Delay>,
    ) -> Self {
        let state = State {
            device_code: Some(login.device_code.clone()),
            interval: login.interval,
            left: login.expires_in,
        };
        Self { asking: Asking::new(endpoint, http), delay, state: Mutex::new(state), wanted: Wanted::new() }
    }

    /// Asks for this with refresh tokens; what the login is for was said when it began.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }

    /// Waits until the person has logged in, or said no, or the code has expired.
    ///
    /// A future that is dropped may be begun again, unless the answer to its last request was on the way.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) when the person said no, [`InvalidGrant`](ErrorKind::InvalidGrant) when the code
    /// has expired, and whatever else no further request would change.
    pub async fn log_in(&self) -> Result<TokenResponse, Error> {
        let attempt = Attempt::new(None);
        loop {
            match self.poll(&attempt).await {
                Err(error) if matches!(error.retry(), Retry::Backoff | Retry::After(_)) => {}
                result => return result,
            }
        }
    }

    /// Waits for as long as the server asks, and asks once.
    async fn poll(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let (device_code, interval) = {
            let mut state = self.state();
            let interval = state.interval;
            state.left = match state.left.checked_sub(interval) {
                Some(left) => left,
                None => {
                    state.device_code = None;
                    Duration::ZERO
                }
            };
            let expired = || {
                Error::new(
                    ErrorKind::InvalidGrant,
                    "the code on the other device is used up or has expired; log in again",
                )
            };
            (state.device_code.clone().ok_or_else(expired)?, interval)
        };
        self.sleep(interval).await;
        let response = self.asking.exchange(&TokenForm::device_code(&device_code), attempt).await;
        let code = response.as_ref().ok().and_then(verdict).map(|verdict| verdict.code);
        let result = response.and_then(|response| self.asking.read(&response));
        let mut state = self.state();
        let Err(error) = result else {
            state.device_code = None;
            return result;
        };
        match (code.as_deref(), error.retry()) {
            (Some("authorization_pending"), _) => {}
            (Some("slow_down"), _) => state.interval += SLOWER,
            (_, Retry::After(wait)) => state.interval = state.interval.max(wait.min(SLOWEST)),
            // RFC 8628 §3.5: no answer is a reason to ask less often.
            (_, Retry::Backoff) => {
                state.interval = state.interval.saturating_mul(2).min(SLOWEST.max(state.interval))
            }
            (_, Retry::Never | Retry::Reauthorize) => {
                state.device_code = None;
                return Err(error);
            }
        }
        // The next try waits by itself.
        Err(error.with_retry(Retry::Backoff).without_effect())
    }

    /// A timer may sleep no longer than 30 s at a time.
    async fn sleep(&self, mut duration: Duration) {
        const STRETCH: Duration = Duration::from_secs(30);
        while !duration.is_zero() {
            let stretch = duration.min(STRETCH);
            self.delay.sleep(stretch).await;
            duration -= stretch;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Grant for DeviceCode {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        match &attempt.refresh_token {
            Some(refresh_token) => self.asking.redeem(refresh_token, &self.wanted, attempt).await,
            None => self.poll(attempt).await,
        }
    }

    fn refresh(&self) -> Refresh {
        Refresh::Preferred
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asking, delay: _, state: _, wanted } = self;
        formatter
            .debug_struct("DeviceCode")
            .field("endpoint", asking)
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;

    use super::*;
    use crate::testing::{Scripted, TOKEN, reply, value};
    use crate::wire::{ClientAuthentication, DeviceEndpoint};

    /// A delay that takes no time, and remembers what it was asked for.
    #[derive(Default)]
    struct Noted(Mutex<Vec<u64>>);

    impl Delay for Noted {
        fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            self.0.lock().unwrap().push(duration.as_secs());
            Box::pin(std::future::ready(()))
        }
    }

    fn pending() -> Result<Response<Bytes>, Error> {
        Ok(reply(400, &[], r#"{"error":"authorization_pending"}"#))
    }

    fn grant(http: &Arc<Scripted>, delay: &Arc<Noted>, expires_in: u32) -> DeviceCode {
        let client = ClientAuthentication::none("c").unwrap();
        let body = format!(
            r#"{{"device_code":"canary","user_code":"u","verification_uri":"https://a/","expires_in":{expires_in},"interval":5}}"#
        );
        let login = DeviceEndpoint::new("https://a/d", client.clone())
            .unwrap()
            .read(&reply(200, &[], &body))
            .unwrap();
        let endpoint = TokenEndpoint::for_client("https://a/t", client).unwrap();
        DeviceCode::new(endpoint, Arc::clone(http) as _, &login, Arc::clone(delay) as _)
    }

    async fn log_in(
        answers: impl IntoIterator<Item = Result<Response<Bytes>, Error>>,
        expires_in: u32,
    ) -> (Result<TokenResponse, Error>, Vec<u64>, usize) {
        let (http, delay) = (Scripted::new(answers), Arc::new(Noted::default()));
        let result = grant(&http, &delay, expires_in).log_in().await;
        let slept = delay.0.lock().unwrap().clone();
        (result, slept, http.count())
    }

    /// RFC 8628 §3.5.
    #[tokio::test]
    async fn the_server_is_asked_at_its_own_pace_until_the_person_has_logged_in() {
        let slow_down = Ok(reply(400, &[], r#"{"error":"slow_down"}"#));
        let answers = [pending(), slow_down, pending(), Ok(reply(200, &[], TOKEN))];
        let (result, slept, _) = log_in(answers, 600).await;
        assert_eq!(result.unwrap().access_token.expose(), "t1");
        assert_eq!(slept, [5, 5, 10, 10]);
    }

    #[tokio::test]
    async fn a_lost_answer_is_a_reason_to_ask_less_often_and_no_end() {
        let lost = || Err(Error::new(ErrorKind::Timeout, "no answer"));
        let busy = Ok(reply(429, &[("retry-after", "45")], ""));
        let (result, slept, _) =
            log_in([lost(), lost(), busy, lost(), Ok(reply(200, &[], TOKEN))], 600).await;
        result.unwrap();
        assert_eq!(slept, [5, 10, 20, 30, 15, 30, 30], "5, 10, 20, 45, 60 in stretches of 30");
    }

    #[tokio::test]
    async fn no_and_too_late_are_final() {
        for (body, kind) in [
            (r#"{"error":"access_denied"}"#, ErrorKind::Refused),
            (r#"{"error":"expired_token"}"#, ErrorKind::InvalidGrant),
            (r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant),
            (r#"{"error":"invalid_client"}"#, ErrorKind::InvalidClient),
        ] {
            let (http, delay) = (Scripted::new([pending(), Ok(reply(400, &[], body))]), Arc::default());
            let grant = grant(&http, &delay, 600);
            assert_eq!(grant.log_in().await.unwrap_err().kind(), kind);
            assert_eq!(
                grant.log_in().await.unwrap_err().kind(),
                ErrorKind::InvalidGrant,
                "and not asked again"
            );
            assert_eq!(http.count(), 2);
        }
    }

    #[tokio::test]
    async fn a_code_that_has_expired_is_not_asked_with() {
        let (result, slept, count) = log_in([pending(), pending()], 14).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidGrant);
        assert_eq!((slept.len(), count), (2, 2));
    }

    #[tokio::test]
    async fn as_a_grant_it_asks_once_each_time_and_redeems_its_refresh_token_in_the_end() {
        let http = Scripted::new([pending(), Ok(reply(200, &[], TOKEN)), Ok(reply(200, &[], TOKEN))]);
        let grant = grant(&http, &Arc::default(), 600);
        let first = grant.obtain(&Attempt::new(None)).await.unwrap_err();
        assert_eq!((first.retry(), first.is_in_doubt()), (Retry::Backoff, false));
        grant.obtain(&Attempt::new(None)).await.unwrap();
        grant.obtain(&Attempt::new(Some(Secret::from("r1")))).await.unwrap();
        assert_eq!(value(&http.asked()[2], "grant_type").as_deref(), Some("refresh_token"));
        assert_eq!(grant.obtain(&Attempt::new(None)).await.unwrap_err().retry(), Retry::Reauthorize);
        assert!(!format!("{grant:?}").contains("canary"));
    }
}
