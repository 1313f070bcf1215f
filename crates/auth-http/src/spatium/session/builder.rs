//! The settings of an authorization session.

use std::fmt;
use std::sync::{Arc, Mutex};

use auth_core::Observer;
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::Unobserved;
use auth_core::renewal::Policy;
use auth_core::time::Timestamp;

use super::{AuthorizationSession, Held, Inner};
use crate::exchange::HttpExchange;
use crate::freshness::Freshness;
use crate::manager::{Driver, Timer};
use crate::spatium::PermissionGrant;
use crate::spatium::wire::{AuthorizationService, WantedPermissions};
use crate::store::{MemoryStore, TokenStore};
use crate::told::Told;

/// The settings of an [`AuthorizationSession`].
#[must_use]
pub struct Builder {
    service: AuthorizationService,
    http: Arc<dyn HttpExchange>,
    wanted: WantedPermissions,
    store: Option<Arc<dyn TokenStore>>,
    observer: Arc<dyn Observer>,
    names: FingerprintKey,
    policy: Policy,
    background: bool,
}

impl Builder {
    pub(super) fn new(
        service: AuthorizationService,
        http: Arc<dyn HttpExchange>,
        wanted: WantedPermissions,
    ) -> Self {
        Self {
            service,
            http,
            wanted,
            store: None,
            observer: Arc::new(Unobserved),
            names: FingerprintKey::new(rand::random()),
            policy: Policy::new(),
            background: false,
        }
    }

    /// Where the session is kept between runs, and shared with other processes, for
    /// [`resume`](AuthorizationSession::resume); in memory by default. It is bound to the service, the token id and the
    /// permissions.
    pub fn with_store(self, store: Arc<dyn TokenStore>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// Who is told about every decision; nobody by default.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// The key under which events name tokens; random by default, so that names mean nothing elsewhere.
    pub fn with_fingerprint_key(self, names: FingerprintKey) -> Self {
        Self { names, ..self }
    }

    /// How early to refresh and how hard to try.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Refreshes also while nobody asks, so that the session lives for as long as the program does. By default it expires
    /// when it is idle for longer than its refresh token lives.
    pub fn with_background_refresh(self) -> Self {
        Self { background: true, ..self }
    }

    /// The session, on tokio. Nothing is sent yet.
    #[cfg(feature = "tokio")]
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "each session that is established is a task, and ends with this"
    )]
    pub fn build(self) -> AuthorizationSession {
        self.build_on(Arc::new(crate::manager::TokioTimer::start()), |driver| {
            drop(tokio::spawn(driver.run()))
        })
    }

    /// The session, on whatever has this timer. `run` is called whenever the session is established, to have the driver's
    /// [`run`](Driver::run) run beside the caller.
    pub fn build_on(
        self,
        timer: Arc<dyn Timer>,
        run: impl Fn(Driver) + Send + Sync + 'static,
    ) -> AuthorizationSession {
        let freshness = Arc::new(Clocked(Arc::clone(&timer)));
        let grant = PermissionGrant::of_session(self.service, self.http, freshness, self.wanted);
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let policy = match self.background {
            true => self.policy.with_keep_warm(),
            false => self.policy.without_background_renewal(),
        };
        AuthorizationSession(Arc::new(Inner {
            grant: Arc::new(grant),
            store,
            policy,
            told: Told::new(self.observer, self.names),
            timer,
            spawn: Box::new(run),
            held: Mutex::new(Held::default()),
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, http: _, wanted, store: _, observer: _, names: _, policy, background } = self;
        formatter
            .debug_struct("Builder")
            .field("service", service)
            .field("wanted", wanted)
            .field("policy", policy)
            .field("background", background)
            .finish_non_exhaustive()
    }
}

/// The clock of the session's timer, and the operating system's randomness.
struct Clocked(Arc<dyn Timer>);

impl Freshness for Clocked {
    fn now(&self) -> Timestamp {
        self.0.now().wall
    }

    fn random(&self) -> [u8; 32] {
        rand::random()
    }
}
