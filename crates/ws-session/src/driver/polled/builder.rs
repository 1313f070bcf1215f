//! What a session needs to know before it begins.

use std::fmt;
use std::sync::Arc;

use auth_core::observe::Unobserved;
use auth_core::{Observer, Secret, TokenSource};
use http::{HeaderMap, HeaderName};

use super::parts::Parts;
use super::{Engine, Ledger, Returns, Runtime, Session, Wakers};
use crate::ConfigError;
use crate::dialect::{self, Dialect};
use crate::driver::{ConnectBudget, Target, wire};
use crate::machine::{self, Config};
use crate::outbox::{Limit, Outbox, Overflow};

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    target: Target,
    dialect: Arc<Dialect>,
    source: Arc<dyn TokenSource>,
    observer: Arc<dyn Observer>,
    config: Config,
    seed: Option<u64>,
    queue: (Limit, Overflow),
    headers: HeaderMap,
    budget: ConnectBudget,
}

impl Session {
    /// Begins with a session at `target` in a dialect, whose credentials come from `source`.
    pub fn builder(
        target: Target,
        dialect: impl Into<Arc<Dialect>>,
        source: Arc<dyn TokenSource>,
    ) -> Builder {
        let observer = Arc::new(Unobserved);
        let (dialect, config, queue) = (dialect.into(), Config::new(), (Limit::USUAL, Overflow::Wait));
        let (headers, budget) = (HeaderMap::new(), ConnectBudget::process());
        Builder { target, dialect, source, observer, config, seed: None, queue, headers, budget }
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

    /// What decides all jitter; random by default. For tests and simulations: sessions that share one move in step.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// A header of the upgrade beside those of the dialect's, such as `Origin` or `User-Agent`. One of a name that was given before comes
    /// after it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Header`] when it is one of the upgrade's own or of the dialect's, or can't stand in a request.
    pub fn with_header(mut self, name: &str, value: &Secret) -> Result<Self, ConfigError> {
        let refused = |why| ConfigError::Header(name.to_owned(), why);
        if self.dialect.placement.headers.iter().any(|(placed, _)| placed.eq_ignore_ascii_case(name)) {
            return Err(refused("the dialect fills it; leave it to that"));
        }
        dialect::check_header(name)
            .map_err(|_| refused("it is one of the upgrade's own, or no name at all"))?;
        let value = wire::header_value(value).ok_or_else(|| {
            refused("its value is not of visible ASCII with blanks between; encode it as its reader expects")
        })?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused("it has no name"))?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Whom this session takes turns with to connect: all others of the process, by default.
    pub fn with_connect_budget(self, budget: ConnectBudget) -> Self {
        Self { budget, ..self }
    }

    /// How much may wait to be sent, or be on its way to the operating system, and what becomes of a message beyond that: by default it waits behind [`Limit::USUAL`]. With another
    /// [`Overflow`] the sink is always ready: a message that is refused is the error of `start_send`, and those that are dropped
    /// [come back](Session::take_returned), if they are taken before as many again are dropped. Readiness sends nothing then: flush the sink,
    /// or read the stream.
    pub fn with_queue(self, limit: Limit, overflow: Overflow) -> Self {
        Self { queue: (limit, overflow), ..self }
    }

    /// The session, on a runtime. Nothing happens before it is polled.
    #[must_use]
    pub fn build(self, runtime: Arc<dyn Runtime>) -> Session {
        let returns = Returns::new(self.queue.0);
        let engine = self.engine(runtime, returns);
        Session { engine, wakers: Wakers::new(), closing: false, more_to_do: false, taken: 0 }
    }

    #[cfg(feature = "tokio")]
    pub(in crate::driver) const fn queue(&self) -> (Limit, Overflow) {
        self.queue
    }

    #[cfg(feature = "tokio")]
    pub(in crate::driver) const fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    pub(in crate::driver) fn engine<L: Ledger>(self, runtime: Arc<dyn Runtime>, ledger: L) -> Engine<L> {
        let Self { target, dialect, source, observer, config, seed, queue, headers, budget } = self;
        let (limit, overflow) = queue;
        let seed = seed.unwrap_or_else(|| {
            let [a, b, c, d, e, f, g, h, ..] = runtime.random();
            u64::from_le_bytes([a, b, c, d, e, f, g, h])
        });
        let machine = machine::Session::new(dialect, config, seed);
        let outbox = Outbox::new(limit);
        Engine::new(Parts {
            machine,
            target,
            source,
            observer,
            runtime,
            outbox,
            overflow,
            headers,
            budget,
            ledger,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}
