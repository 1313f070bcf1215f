//! The settings of a token manager, and the ways to have its driver run.

use std::fmt;
use std::sync::Arc;

use auth_core::Observer;
use auth_core::fingerprint::{Fingerprint, FingerprintKey};
use auth_core::observe::Unobserved;
use auth_core::renewal::{Policy, Renewal};
use auth_core::token::Generation;

use super::TokenManager;
use super::blocking::{BlockingDriver, Parking};
use super::driver::Driver;
use super::shared::Shared;
use super::timer::{StdClock, Timer};
use super::work::Store;
use crate::grant::Grant;
use crate::store::{Bound, TokenStore};

/// The settings of a [`TokenManager`].
#[must_use]
pub struct Builder {
    grant: Arc<dyn Grant>,
    store: Option<Arc<dyn TokenStore>>,
    policy: Policy,
    observer: Arc<dyn Observer>,
    names: FingerprintKey,
    seed: u64,
    after: Generation,
    told: Option<Fingerprint>,
}

impl Builder {
    pub(super) fn new(grant: Arc<dyn Grant>) -> Self {
        Self {
            grant,
            store: None,
            policy: Policy::new(),
            observer: Arc::new(Unobserved),
            names: FingerprintKey::new(rand::random()),
            seed: rand::random(),
            after: Generation::NONE,
            told: None,
        }
    }

    /// How early to renew and how hard to try.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Who is told about every decision; nobody by default. A panic of the observer is caught, and costs it the event.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// The key under which events name tokens; random by default, so that names mean nothing elsewhere.
    pub fn with_fingerprint_key(self, names: FingerprintKey) -> Self {
        Self { names, ..self }
    }

    /// Where tokens are kept between runs and shared between processes; nowhere by default, so that a rotated refresh
    /// token is lost when the program ends. It is [`Bound`] to the grant's credential, where the grant says which that is.
    pub fn with_store(self, store: Arc<dyn TokenStore>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// The seed of all jitter; random by default. A fixed one makes a test repeatable, and many processes with the same
    /// one renew together.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Numbers its tokens from here on: for a manager that takes over from another, so that whoever was refused with one of
    /// that one's tokens gets a newer one.
    pub fn with_generations_after(self, generation: Generation) -> Self {
        Self { after: generation, ..self }
    }

    /// The token of this name is in the store, and was told of.
    pub(crate) fn with_told(self, told: Option<Fingerprint>) -> Self {
        Self { told, ..self }
    }

    /// The manager, and the future that must run on the runtime of `timer` for it to work.
    pub fn build_on(self, timer: Arc<dyn Timer>) -> (TokenManager, Driver) {
        let (calls, received) = async_channel::bounded(CALLS);
        let shared = Arc::new(Shared::new());
        let store = match (self.store, self.grant.credential()) {
            (Some(store), Some(key)) => Some(Arc::new(Bound::new(store, key)) as Arc<dyn TokenStore>),
            (store, _) => store,
        };
        let store = Store::new(store);
        let machine = Renewal::new(self.policy, self.names, self.seed)
            .with_refresh(self.grant.refresh(), self.grant.configured())
            .with_token_type(self.grant.token_type())
            .with_generations_after(self.after);
        let machine = if store.exists() { machine.with_store() } else { machine };
        let machine = match self.told {
            Some(token) => machine.with_told(token),
            None => machine,
        };
        let (clock, handed) = (Arc::clone(&timer), Arc::clone(&shared));
        let driver = Driver::new(machine, self.grant, store, self.observer, clock, handed, received);
        (TokenManager::new(calls, shared, timer), driver)
    }

    /// The manager, and the loop that must run on a thread for it to work: there is no runtime.
    pub fn build_blocking(self) -> (TokenManager, BlockingDriver) {
        let (manager, driver) = self.build_on(Arc::new(Parking(StdClock::start())));
        (manager, BlockingDriver::new(driver))
    }

    /// The manager, and the future that must run on a tokio runtime for it to work.
    #[cfg(feature = "tokio")]
    pub fn build(self) -> (TokenManager, Driver) {
        self.build_on(Arc::new(super::TokioTimer::start()))
    }

    /// The manager, its driver spawned on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "tokio")]
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the caller asked for it by name")]
    pub fn spawn(self) -> TokenManager {
        let (manager, driver) = self.build();
        tokio::spawn(driver.run());
        manager
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// How many calls may wait for the driver's attention; further callers wait for room. It is a matter of memory only: the
/// driver takes them up one after the other, as fast as it can.
const CALLS: usize = 64;
