//! What a session needs to know before it begins.

use std::fmt;
use std::sync::Arc;

use auth_core::observe::Unobserved;
use auth_core::{Demand, Observer, Token, TokenSource};

use super::Session;
use super::helper::Asking;
use super::run::Driver;
use crate::dialect::Dialect;
use crate::driver::Target;
use crate::machine::{self, Config, Input};

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    target: Target,
    dialect: Arc<Dialect>,
    source: Arc<dyn TokenSource>,
    observer: Arc<dyn Observer>,
    config: Config,
}

/// A source of tokens that asks a closure. It may block: it has a thread of its own, and is asked one question at a time.
pub fn asking<F>(ask: F) -> Arc<dyn TokenSource>
where
    F: FnMut(Demand) -> Result<Token, auth_core::Error> + Send + 'static,
{
    Arc::new(Asking::new(ask))
}

impl Builder {
    pub(super) fn new(target: Target, dialect: Arc<Dialect>, source: Arc<dyn TokenSource>) -> Self {
        Self { target, dialect, source, observer: Arc::new(Unobserved), config: Config::new() }
    }

    /// Who is told about every transition; nobody by default. It is called by whoever calls the session.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Timeouts and backoff. A renewal by reconnecting closes the old connection first, whatever is said here: this driver
    /// serves one connection at a time.
    pub fn with_config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// The session, which begins to fetch its first token. All else happens while one of its methods is called.
    #[must_use]
    pub fn open(self) -> Session {
        let machine = machine::Session::new(self.dialect, self.config.without_overlap(), rand::random());
        let mut driver = Driver::new(machine, self.source, self.observer, self.target);
        driver.step(Input::Start);
        Session { driver }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}
