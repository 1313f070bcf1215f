//! A grant that answers by script and keeps what it was asked, on any runtime or none.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Attempt, Refresh};
use auth_core::{Error, ErrorKind, Secret};
use auth_http::grant::Grant;

/// One answer of the script.
#[derive(Debug, Clone)]
pub enum Step {
    /// The token `token-N` for an hour, where N counts the requests; the refresh token `refresh-N` with it, if the grant
    /// was asked with one.
    Issue,
    /// The same, after this many polls.
    Slow(u32),
    /// This failure.
    Fail(ErrorKind),
    /// A panic.
    Panic,
    /// Nothing, for ever.
    Silence,
}

/// A grant that takes its steps in order, the last one for ever. Clones share their script.
#[derive(Clone)]
pub struct ScriptedGrant(Arc<Inner>);

struct Inner {
    steps: Mutex<VecDeque<Step>>,
    requests: Mutex<Vec<Option<String>>>,
    configured: Option<Secret>,
}

impl ScriptedGrant {
    /// A grant without refresh tokens.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::over(steps, None)
    }

    /// A grant that must have refresh tokens, `refresh-0` to begin with.
    pub fn refreshing(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::over(steps, Some(Secret::from("refresh-0")))
    }

    fn over(steps: impl IntoIterator<Item = Step>, configured: Option<Secret>) -> Self {
        let steps = Mutex::new(steps.into_iter().collect());
        Self(Arc::new(Inner { steps, requests: Mutex::default(), configured }))
    }

    /// The refresh token of each request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Option<String>> {
        self.requested().clone()
    }

    fn requested(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Step {
        let mut steps = self.0.steps.lock().unwrap_or_else(PoisonError::into_inner);
        match steps.len() {
            0 | 1 => steps.front().cloned().unwrap_or(Step::Silence),
            _ => steps.pop_front().unwrap_or(Step::Silence),
        }
    }
}

#[async_trait]
impl Grant for ScriptedGrant {
    #[expect(clippy::panic, reason = "what the script says")]
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let number = {
            let mut requests = self.requested();
            requests.push(attempt.refresh_token.as_ref().map(|token| token.expose().to_owned()));
            requests.len()
        };
        match self.next() {
            Step::Issue => {}
            Step::Slow(polls) => pass(polls).await,
            Step::Fail(kind) => return Err(Error::new(kind, "as the script says")),
            Step::Panic => panic!("as the script says"),
            Step::Silence => pending().await,
        }
        let issued = TokenResponse::new(Secret::from(format!("token-{number}")));
        let issued = issued.with_expires_in(Duration::from_secs(3_600));
        Ok(match attempt.refresh_token {
            Some(_) => issued.with_refresh_token(Secret::from(format!("refresh-{number}"))),
            None => issued,
        })
    }

    fn refresh(&self) -> Refresh {
        if self.0.configured.is_some() { Refresh::Only } else { Refresh::Never }
    }

    fn configured(&self) -> Option<Secret> {
        self.0.configured.clone()
    }
}

impl fmt::Debug for ScriptedGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScriptedGrant").field("requests", &self.requested()).finish_non_exhaustive()
    }
}

/// Is ready after this many polls, each of which asks for the next.
pub async fn pass(mut polls: u32) {
    poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(());
        }
        polls -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
