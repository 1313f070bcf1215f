//! What a session needs to know before it begins.

use std::fmt;
use std::sync::Arc;

use auth_core::{Observer, TokenSource};
use tokio::sync::{mpsc, watch};

use super::run::{Acknowledge, Channels};
use super::{Dial, Driver, Runtime, Sender, Session, Status, Tcp};
use crate::dialect::Dialect;
use crate::driver::{Target, polled};
use crate::machine::{Config, State};
use crate::outbox::Limit;

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    settings: polled::Builder,
    dialer: Arc<dyn Dial>,
}

/// How many messages wait for their reader, and how many for the connection, before whoever adds one waits too.
const QUEUE: usize = 256;

/// How many of the user's messages are taken from their channel at a time: enough to fill a flush.
const TAKEN: Limit = Limit { messages: 64, bytes: 1024 * 1024 };

/// Commands that wait: a second one of a kind asks for nothing new.
const COMMANDS: usize = 4;

impl Session {
    /// Begins with a session at `target` in a dialect, whose credentials come from `source`.
    pub fn builder(
        target: Target,
        dialect: impl Into<Arc<Dialect>>,
        source: Arc<dyn TokenSource>,
    ) -> Builder {
        Builder { settings: polled::Session::builder(target, dialect, source), dialer: Arc::new(Tcp) }
    }
}

impl Builder {
    /// Who is told about every transition; nobody by default.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { settings: self.settings.with_observer(observer), ..self }
    }

    /// Timeouts and backoff.
    pub fn with_config(self, config: Config) -> Self {
        Self { settings: self.settings.with_config(config), ..self }
    }

    /// What decides all jitter; random by default. For tests and simulations: sessions that share one move in step.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { settings: self.settings.with_seed(seed), ..self }
    }

    /// How servers are reached: by [`Tcp`] by default.
    pub fn with_dialer(self, dialer: Arc<dyn Dial>) -> Self {
        Self { dialer, ..self }
    }

    /// The session, and the future that must run for it to work. Nothing happens before it runs.
    pub fn build(self) -> (Session, Driver) {
        let (outgoing, to_send) = mpsc::channel(QUEUE);
        let (deliver, incoming) = mpsc::channel(QUEUE);
        let (ask, commands) = mpsc::channel(COMMANDS);
        let (publish, status) =
            watch::channel(Status { state: State::Initialized, error: None, expires: None });
        let runtime = Arc::new(Runtime::new(self.dialer));
        let engine = self.settings.engine(Arc::clone(&runtime) as _, TAKEN, Acknowledge);
        let channels = Channels { to_send, deliver, commands, publish };
        let session = Session { sender: Sender(outgoing), incoming, commands: ask, status, runtime };
        (session, Driver { engine, channels, room: None, closing: false })
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
        formatter.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
