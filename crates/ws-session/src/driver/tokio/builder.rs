//! What a session needs to know before it begins.

use std::fmt;
use std::sync::Arc;

use auth_core::observe::Unobserved;
use auth_core::{Observer, TokenSource};
use tokio::sync::{mpsc, oneshot, watch};

use super::connect::Target;
use super::run::{Driver, Parts};
use super::{Session, Status};
use crate::ConfigError;
use crate::dialect::Dialect;
use crate::machine::{self, Config, State};

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    url: String,
    dialect: Dialect,
    source: Arc<dyn TokenSource>,
    observer: Arc<dyn Observer>,
    config: Config,
}

/// How many messages wait for their reader, and how many for the connection, before whoever adds one waits too.
const QUEUE: usize = 256;

impl Session {
    /// Begins with a session at `url` in a dialect, whose credentials come from `source`.
    pub fn builder(url: impl Into<String>, dialect: Dialect, source: Arc<dyn TokenSource>) -> Builder {
        Builder { url: url.into(), dialect, source, observer: Arc::new(Unobserved), config: Config::new() }
    }
}

impl Builder {
    /// Who is told about every transition; nobody by default.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Timeouts and backoff.
    pub fn with_config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// The session, and the future that must run for it to work. Nothing happens before it runs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the URL is not an absolute `wss` URL (or `ws` on loopback), or TLS can't be set up.
    pub fn build(self) -> Result<(Session, Driver), ConfigError> {
        let target = Target::new(&self.url)?;
        let (outgoing, to_send) = mpsc::channel(QUEUE);
        let (deliver, incoming) = mpsc::channel(QUEUE);
        let (publish, status) = watch::channel(Status { state: State::Initialized, error: None });
        let (close, closing) = oneshot::channel();
        let machine = machine::Session::new(self.dialect.clone(), self.config, rand::random());
        let driver = Driver::new(Parts {
            machine,
            dialect: self.dialect,
            source: self.source,
            observer: self.observer,
            target,
            to_send,
            deliver,
            publish,
            closing,
        });
        Ok((Session { outgoing, incoming, status, close: Some(close) }, driver))
    }

    /// The session, its driver spawned on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "the caller asked for it by name")]
    pub fn spawn(self) -> Result<Session, ConfigError> {
        let (session, driver) = self.build()?;
        tokio::spawn(driver.run());
        Ok(session)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}
