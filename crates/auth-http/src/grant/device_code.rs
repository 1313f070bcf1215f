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
use crate::store::CredentialKey;
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
/// [`log_in`](Self::log_in) waits for the person: await it before the grant is given to a
/// [`TokenManager`](crate::manager::TokenManager), which begins with its token then. As a [`Grant`] that nobody has logged in
/// with yet, it asks once each time, no sooner than the server allows: whoever retries does the waiting. Once it has a token,
/// its refresh token is redeemed; when that is refused, a person must log in.
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
    /// What the login gave, until a token manager takes it over.
    issued: Option<TokenResponse>,
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
            issued: None,
        };
        Self { asking: Asking::new(endpoint, http), delay, state: Mutex::new(state), wanted: Wanted::new() }
    }

    /// Asks for this with refresh tokens; what the login is for was said when it began.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }

    /// Waits until the person has logged in, or said no, or the code has expired. The token is also what
    /// [`obtain`](Grant::obtain) gives next, once.
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
                Err(error) => return Err(error),
                Ok(issued) => {
                    self.state().issued = Some(issued.clone());
                    return Ok(issued);
                }
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
        if let Some(refresh_token) = &attempt.refresh_token {
            return self.asking.redeem(refresh_token, &self.wanted, attempt).await;
        }
        let issued = self.state().issued.take();
        match issued {
            Some(issued) => Ok(issued),
            None => self.poll(attempt).await,
        }
    }

    fn refresh(&self) -> Refresh {
        Refresh::Preferred
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }

    fn credential(&self) -> Option<CredentialKey> {
        self.asking.login(&self.wanted)
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
mod tests;
