//! A session as a story sees it, whichever driver it runs on.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use auth_core::backoff::Backoff;
use auth_core::token::Generation;
use auth_core::{Demand, ErrorKind, Retry, Secret, Token, TokenSource};
use ws_session::Error;
use ws_session::dialect::Dialect;
use ws_session::machine::{Config, State};

use super::log::{Log, PATIENCE, Seen};

/// What a session is opened with.
pub(super) struct Plan {
    pub(super) url: String,
    pub(super) dialect: Dialect,
    pub(super) config: Config,
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) log: Log,
}

/// A session under test. Each method takes 20 s at most, and then fails the test.
pub(super) trait Subject {
    /// Whether a renewal by reconnecting makes the new connection before it closes the old one, where the dialect allows it.
    fn overlaps(&self) -> bool;

    /// Whether a connection ends with a close frame when its session is dropped.
    fn says_goodbye(&self) -> bool;

    /// Sends without waiting for what becomes of it.
    fn send(&mut self, text: &str);

    /// The next message; `None` at the end of the session.
    fn next(&mut self) -> Option<String>;

    /// Runs the session until something was seen.
    fn until(&mut self, what: &str, seen: &dyn Fn(&Seen) -> bool);

    /// Keeps everything that runs the session from running for so long; `meanwhile` is done once that has begun.
    fn leave_alone(&mut self, time: Duration, meanwhile: &dyn Fn());

    fn renew(&mut self);

    fn state(&self) -> State;

    /// Waits until the session says so of itself, which it does a moment after what led to it was seen.
    fn until_state(&self, state: State) {
        let deadline = Instant::now() + PATIENCE;
        while self.state() != state {
            assert!(Instant::now() < deadline, "waited in vain to be {state:?}, and is {:?}", self.state());
            std::thread::yield_now();
        }
    }

    /// Closes the session, and waits for its end.
    fn close(&mut self) -> Result<(), Error>;

    /// Why the session ended, once it has.
    fn error(&mut self) -> Option<Error>;

    /// The messages that came back, each with whether it may have arrived, as soon as there are so many.
    fn returned(&mut self, count: usize) -> Vec<(String, bool)>;
}

/// Tokens by script: the next for each question, the last one again and again; then what follows.
struct Scripted {
    tokens: Mutex<(VecDeque<Token>, Generation)>,
    log: Log,
}

/// A token of a story: its text, and how long it is good for.
pub(super) type Given = (&'static str, Option<Duration>);

/// A source that gives these tokens, each once, and says that there is none after them.
pub(super) fn tokens(log: &Log, given: &[Given]) -> Arc<dyn TokenSource> {
    let mut generation = Generation::NONE;
    let tokens = given.iter().map(|(text, expires_in)| {
        generation = generation.next();
        let token = Token::new(Secret::from(*text)).with_generation(generation);
        match expires_in {
            Some(expires_in) => token.with_expires_in(*expires_in),
            None => token,
        }
    });
    Arc::new(Scripted { tokens: Mutex::new((tokens.collect(), Generation::NONE)), log: log.clone() })
}

impl Scripted {
    fn answer(&self, demand: Demand) -> Result<Token, auth_core::Error> {
        let mut tokens = self.tokens.lock().unwrap();
        self.log.demand(match demand {
            Demand::Current => "current".to_owned(),
            Demand::NewerThan(_) => "newer".to_owned(),
            Demand::InsteadOf(_) => "instead".to_owned(),
        });
        let token = tokens.0.pop_front().ok_or_else(|| {
            auth_core::Error::new(ErrorKind::Transport, "the story has no more tokens")
                .with_retry(Retry::Never)
        })?;
        tokens.1 = token.generation();
        Ok(token)
    }
}

impl TokenSource for Scripted {
    fn token<'source, 'future>(
        &'source self,
        demand: Demand,
    ) -> Pin<Box<dyn Future<Output = Result<Token, auth_core::Error>> + Send + 'future>>
    where
        'source: 'future,
        Self: 'future,
    {
        Box::pin(async move { self.answer(demand) })
    }
}

impl Plan {
    /// A session with short waits, so that a story is.
    pub(super) fn new(log: &Log, url: String, dialect: Dialect, given: &[Given]) -> Self {
        let config = Config::new()
            .with_backoff(Backoff::new(Duration::from_millis(20), Duration::from_millis(100)))
            .with_close_timeout(Duration::from_secs(2));
        Self { url, dialect, config, source: tokens(log, given), log: log.clone() }
    }

    pub(super) fn with_config(self, change: impl FnOnce(Config) -> Config) -> Self {
        Self { config: change(self.config), ..self }
    }
}
