//! A session at a server, watched from our side: what it was given, what it told its observer, and how it ended.

use std::iter;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::backoff::Backoff;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, ErrorKind, Retry, Secret, Token, TokenSource};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::verdict::{Verdict, Wrong, same};
use tokio::time::timeout;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Message, Session, Target};
use ws_session::machine::Config;

/// A session that runs.
pub(crate) struct Play {
    pub(crate) session: Session,
    recorder: Recorder,
    tokens: Arc<Tokens>,
}

/// Longer than any of the servers' own waits, and shorter than what makes a case hang.
const PATIENCE: Duration = Duration::from_secs(10);

impl Play {
    /// Opens a session. The source hands out the tokens one after the other, each until a newer one is wanted.
    pub(crate) fn begin(
        url: &str,
        dialect: &Dialect,
        tokens: impl IntoIterator<Item = Secret>,
    ) -> Result<Self, Wrong> {
        Self::with(url, dialect, tokens, Config::new())
    }

    /// The same, with these settings, but that it waits for no longer than a test has time.
    pub(crate) fn with(
        url: &str,
        dialect: &Dialect,
        tokens: impl IntoIterator<Item = Secret>,
        config: Config,
    ) -> Result<Self, Wrong> {
        let (recorder, tokens) = (Recorder::default(), Arc::new(Tokens::of(tokens)));
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(50));
        let session = Session::builder(Target::new(url)?, dialect.clone(), Arc::clone(&tokens) as _)
            .with_observer(Arc::new(recorder.clone()))
            .with_config(config.with_backoff(backoff))
            .spawn();
        Ok(Self { session, recorder, tokens })
    }

    /// Waits until it is let in.
    pub(crate) async fn is_in(&mut self) -> Verdict {
        Ok(self.session.authenticated_within(PATIENCE).await?)
    }

    /// Waits until it has been let in so often.
    pub(crate) async fn is_in_times(&self, times: usize) -> Verdict {
        let authenticated = |event: &AuthEvent| matches!(event, AuthEvent::Authenticated { .. });
        self.has_told(&format!("to be let in {times} times"), times, authenticated).await
    }

    /// Waits until it has lost so many connections, or attempts at one, with this code, and goes on.
    pub(crate) async fn has_lost(&self, times: usize, code: Option<u16>) -> Verdict {
        let lost = |event: &AuthEvent| matches!(event, AuthEvent::ConnectionLost { code: told, retry_in: Some(_), .. } if *told == code);
        self.has_told(&format!("to lose {times} connections by {code:?} and to go on"), times, lost).await
    }

    /// Waits until it has ended for good: of this kind, and by this code.
    pub(crate) async fn has_failed(mut self, kind: ws_session::ErrorKind, code: Option<u16>) -> Verdict {
        let expected = format!("an end, {kind:?} by {code:?}");
        let end = async { while self.session.next().await.is_some() {} };
        if timeout(PATIENCE, end).await.is_err() {
            return Err(Wrong::new(expected, format!("it goes on: {:?}", self.recorder)));
        }
        match self.session.close().await {
            Ok(()) => Err(Wrong::new(expected, "an end without an error")),
            Err(error) => same("the end", (error.kind(), error.code()), (kind, code)),
        }
    }

    /// The next message for the user, as text.
    pub(crate) async fn next(&mut self) -> Result<String, Wrong> {
        let waited = timeout(PATIENCE, self.session.next()).await;
        match waited {
            Ok(Some(Message::Text(text))) => Ok(text),
            Ok(Some(Message::Binary(bytes))) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(Some(other)) => Err(Wrong::new("a message", format!("{other:?}"))),
            Ok(None) => Err(Wrong::new("a message", format!("the end, after {:?}", self.recorder))),
            Err(_) => Err(Wrong::new("a message", format!("silence, after {:?}", self.recorder))),
        }
    }

    /// The session's names at the server, in the order in which they were told.
    pub(crate) fn session_ids(&self) -> Vec<String> {
        let told = |event: &AuthEvent| match event {
            AuthEvent::Authenticated { session_id: Some(id), .. } => Some(id.as_str().to_owned()),
            _ => None,
        };
        self.recorder.events().iter().filter_map(told).collect()
    }

    /// What the source is asked.
    pub(crate) fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens)
    }

    /// Ends it.
    pub(crate) async fn close(self) -> Verdict {
        timeout(PATIENCE, self.session.close())
            .await
            .map_err(|_| Wrong::new("an end of the session", "it does not end"))?
            .map_err(Wrong::from)
    }

    async fn has_told(&self, expected: &str, times: usize, matches: impl Fn(&AuthEvent) -> bool) -> Verdict {
        let waited = timeout(PATIENCE, self.recorder.wait_for(times, matches)).await;
        waited.map_err(|_| Wrong::new(expected, format!("observed {:?}", self.recorder)))
    }
}

/// Tokens, the one after the other.
pub(crate) struct Tokens {
    tokens: Vec<Secret>,
    demands: Mutex<Vec<Demand>>,
}

impl Tokens {
    /// How often a token was wanted in the place of a refused one.
    pub(crate) fn replacements(&self) -> usize {
        let demands = self.demands.lock().unwrap_or_else(PoisonError::into_inner);
        demands.iter().filter(|demand| matches!(demand, Demand::InsteadOf(_))).count()
    }

    fn of(tokens: impl IntoIterator<Item = Secret>) -> Self {
        Self { tokens: tokens.into_iter().collect(), demands: Mutex::default() }
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        self.demands.lock().unwrap_or_else(PoisonError::into_inner).push(demand);
        let newest = self.tokens.len();
        let generations = iter::successors(Some(Generation::NONE.next()), |last| Some(last.next()));
        for (index, (generation, secret)) in generations.zip(&self.tokens).enumerate() {
            // When none is newer, a living one will do, unless the server refused it.
            let last = index + 1 == newest && !matches!(demand, Demand::InsteadOf(_));
            if last || demand.accepts(generation) {
                return Ok(Token::new(secret.clone()).with_generation(generation));
            }
        }
        Err(Error::new(ErrorKind::InvalidToken, "the source has no other token").with_retry(Retry::Never))
    }
}
