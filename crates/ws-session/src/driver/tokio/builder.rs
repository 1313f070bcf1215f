//! What a session needs to know before it begins.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use auth_core::{Observer, Secret, TokenSource};
use tokio::sync::watch;

use super::lane::lane;
use super::ledger::Acknowledge;
use super::queue::{Queue, Taking};
use super::reading;
use super::run::Channels;
use super::{ConnectBudget, Dial, Driver, Proxy, Runtime, Sender, Session, Shared, Status, Tcp};
use crate::ConfigError;
use crate::dialect::Dialect;
use crate::driver::{Target, polled};
use crate::machine::{Config, State};
use crate::outbox::{Limit, Overflow};

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    settings: polled::Builder,
    dialer: Arc<dyn Dial>,
    request_timeout: Duration,
}

/// The figure of the Optave SDK, and of most.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

impl Session {
    /// Begins with a session at `target` in a dialect, whose credentials come from `source`.
    pub fn builder(
        target: Target,
        dialect: impl Into<Arc<Dialect>>,
        source: Arc<dyn TokenSource>,
    ) -> Builder {
        let settings = polled::Session::builder(target, dialect, source);
        Builder { settings, dialer: Arc::new(Tcp::new()), request_timeout: REQUEST_TIMEOUT }
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

    /// A proxy on the way to every server that is not on this machine, none by default: [`Tcp`] with it is the dialer then.
    pub fn with_proxy(self, proxy: Proxy) -> Self {
        self.with_dialer(Arc::new(Tcp::new().with_proxy(proxy)))
    }

    /// A header of the upgrade beside those of the dialect's, such as `Origin` or `User-Agent`. One of a name that was given before comes
    /// after it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Header`] when it is one of the upgrade's own or of the dialect's, or can't stand in a request.
    pub fn with_header(self, name: &str, value: &Secret) -> Result<Self, ConfigError> {
        Ok(Self { settings: self.settings.with_header(name, value)?, ..self })
    }

    /// Whom this session takes turns with to connect: all others of the process, by default.
    pub fn with_connect_budget(self, budget: ConnectBudget) -> Self {
        Self { settings: self.settings.with_connect_budget(budget), ..self }
    }

    /// How much may wait to be sent, or be on its way to the operating system, and what becomes of a message beyond that: by default its
    /// sender waits behind [`Limit::USUAL`]. With [`Overflow::DropOldest`], as much may wait while as much again is on its way, and as much
    /// again while the [`Driver`](super::Driver) does not run.
    pub fn with_queue(self, limit: Limit, overflow: Overflow) -> Self {
        Self { settings: self.settings.with_queue(limit, overflow), ..self }
    }

    /// How long a [request](Session::request) waits for its reply, from when it is made: 30 s by default.
    pub fn with_request_timeout(self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self }
    }

    /// The session, and the future that must run for it to work. Nothing happens before it runs.
    pub fn build(self) -> (Session, Driver) {
        let (deliver, incoming) = reading::channel();
        let (ask, commands) = lane();
        let status = Status { state: State::Initialized, error: None, expires: None, round_trip: None };
        let (publish, status) = watch::channel(status);
        let (limit, overflow) = self.settings.queue();
        let queue = Arc::new(Queue::new(limit, overflow));
        let shared = Shared {
            queue: Arc::clone(&queue),
            dialect: Arc::clone(self.settings.dialect()),
            request_timeout: self.request_timeout,
            asked: AtomicU64::new(0),
        };
        let runtime = Arc::new(Runtime::new(self.dialer));
        let engine = self.settings.engine(Arc::clone(&runtime) as Arc<_>, Acknowledge::new());
        let channels = Channels { to_send: Taking(queue), deliver, commands, publish };
        let sender = Sender { shared: Arc::new(shared) };
        let subscribing = engine.subscribing();
        let session = Session { sender, incoming, commands: ask, status, subscribing, runtime };
        (session, Driver { engine: Box::new(engine), channels, taken: VecDeque::new(), closing: false })
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
