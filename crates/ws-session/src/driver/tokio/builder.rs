//! What a session needs to know before it begins.

use std::fmt;
use std::sync::Arc;

use auth_core::observe::Unobserved;
use auth_core::{Observer, TokenSource};
use tokio::sync::{mpsc, oneshot, watch};

use super::connect::Target;
use super::run::{Driver, Parts};
use super::{Sender, Session, Status};
use crate::dialect::Dialect;
use crate::machine::{self, Config, State};

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    target: Target,
    dialect: Dialect,
    source: Arc<dyn TokenSource>,
    observer: Arc<dyn Observer>,
    config: Config,
}

/// How many messages wait for their reader, and how many for the connection, before whoever adds one waits too.
const QUEUE: usize = 256;

impl Session {
    /// Begins with a session at `target` in a dialect, whose credentials come from `source`.
    pub fn builder(target: Target, dialect: Dialect, source: Arc<dyn TokenSource>) -> Builder {
        Builder { target, dialect, source, observer: Arc::new(Unobserved), config: Config::new() }
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
    pub fn build(self) -> (Session, Driver) {
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
            target: self.target,
            to_send,
            deliver,
            publish,
            closing,
        });
        (Session { sender: Sender(outgoing), incoming, status, close: Some(close) }, driver)
    }

    /// The session, its driver spawned on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the caller asked for it by name")]
    pub fn spawn(self) -> Session {
        let (session, driver) = self.build();
        tokio::spawn(driver.run());
        session
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}
