//! What is said to every provider alike: who observes, where the audit and the tokens go, proxies, how to renew and to connect.

use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use audit::deliver::Outlet;
use audit::format::Origin;
use audit::metrics::Metrics;
use audit::{Trail, TrailBuilder};
use auth_core::observe::Observers;
use auth_core::renewal::Policy;
use auth_core::{AuthEvent, Observer, TokenSource};
use auth_http::client::{Builder as HttpBuilder, HyperClient, Proxy, Roots};
use auth_http::exchange::HttpExchange;
use auth_http::manager;
use auth_http::store::FileStore;
use ws_session::Address;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Builder, Proxy as WebSocketProxy, Session, Target};
use ws_session::machine::Config;

use crate::ConfigError;
use crate::witness::Witness;

/// The settings of a builder, which has them in its field `settings`, and their verbs by [`verbs`].
pub(crate) struct Settings {
    pub(crate) proxy: Proxy,
    pub(crate) authorities: Option<Vec<u8>>,
    pub(crate) observers: Observers,
    pub(crate) trail: Option<TrailBuilder>,
    pub(crate) origin: Option<Origin>,
    pub(crate) outlets: Vec<OutletOf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) policy: Policy,
    pub(crate) session: Config,
}

/// An outlet that is made once it is known who speaks.
pub(crate) type OutletOf = Box<dyn FnOnce(&Origin) -> Outlet + Send + Sync>;

/// The verbs of every builder for its [`Settings`].
macro_rules! verbs {
    () => {
        /// The proxies on the way to every server, by HTTP and by WebSocket: none by default.
        /// [`Proxy::from_environment`](auth_http::client::Proxy::from_environment) takes what the environment says.
        pub fn with_proxy(mut self, proxy: auth_http::client::Proxy) -> Self {
            self.settings.proxy = proxy;
            self
        }

        /// Authorities to trust beside the platform's, as the bytes of a PEM file, by HTTP and by WebSocket: a company's own, or that of a
        /// proxy.
        pub fn with_authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
            self.settings.authorities = Some(pem.into());
            self
        }

        /// One more who is told about every step: for metrics, an audit, a SIEM. It is told no token. One that panics costs nothing but
        /// what it was told; one that blocks holds the session up.
        pub fn with_observer(mut self, observer: std::sync::Arc<dyn auth_core::Observer>) -> Self {
            self.settings.observe(observer);
            self
        }

        /// Writes an audit log of every step into this directory: hash-chained, and owner only. It is not sealed by a key; see
        /// [`with_audit_log`](Self::with_audit_log).
        pub fn with_audit(self, directory: impl AsRef<std::path::Path>) -> Self {
            self.with_audit_log(audit::LogOptions::new(directory))
        }

        /// Writes an audit log of every step as these options say: where, sealed by which key, and how safely.
        ///
        /// By default nothing waits for the log. Where its [mode](audit::LogOptions::modes) for
        /// [`Issuing`](auth_core::observe::EventClass::Issuing) is strict, each token is let out only once that is on the disk, as
        /// [`TokenReleased`](auth_core::AuthEvent::TokenReleased): while it can't be, a session waits and tries again, and a call for
        /// a token fails with [`StoreFailed`](auth_core::ErrorKind::StoreFailed). Where it is durable, a token waits for the disk, and
        /// is let out also where the disk fails. Of the other classes a client's session waits for none: theirs is the room that is kept
        /// for them in the queue.
        pub fn with_audit_log(mut self, options: audit::LogOptions) -> Self {
            self.settings.trail(|trail| trail.log(options));
            self
        }

        /// Calls a closure with each step as JSON, in the form of [`Format::Generic`](audit::format::Format::Generic). It has a queue and
        /// a thread of its own: it may block, fail and panic, and no session waits for it. May be called again, with another.
        pub fn on_audit(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
            self.settings.trail(|trail| trail.on_audit(hook));
            self
        }

        /// Calls a closure with each step as JSON, in the form of [`Format::Siem`](audit::format::Format::Siem): with a severity and a
        /// source; else as [`on_audit`](Self::on_audit).
        pub fn on_siem(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
            self.settings.trail(|trail| trail.on_siem(hook));
            self
        }

        /// Gives each step to another outlet: a sink of your own, a syslog receiver. It speaks as it was made to; see
        /// [`with_audit_outlet_as`](Self::with_audit_outlet_as).
        pub fn with_audit_outlet(mut self, outlet: audit::deliver::Outlet) -> Self {
            self.settings.trail(|trail| trail.outlet(outlet));
            self
        }

        /// Gives each step to another outlet, which is made when the client is built: of whoever speaks by then, in whatever
        /// [`Format`](audit::format::Format). See [`with_audit_origin`](Self::with_audit_origin).
        pub fn with_audit_outlet_as(
            mut self,
            outlet: impl FnOnce(&audit::format::Origin) -> audit::deliver::Outlet + Send + Sync + 'static,
        ) -> Self {
            self.settings.outlets.push(Box::new(outlet));
            self
        }

        /// Who speaks in [`on_audit`](Self::on_audit), [`on_siem`](Self::on_siem) and
        /// [`with_audit_outlet_as`](Self::with_audit_outlet_as), wherever it stands among them: the host, the program and the
        /// service, by which a receiver tells one machine from another. The log's `trail_opened` records name what is said here, and no
        /// default.
        ///
        /// By default `realtime-auth` on `localhost`, for the service of this module's name: the name of the host can't be had
        /// without asking the system, so a program that has a receiver should say it. An origin without a
        /// [process](audit::format::Origin::with_process) is given the number of this one.
        ///
        /// ```
        /// use audit::deliver::Outlet;
        /// use audit::format::{Format, Origin, Renderer};
        /// use providers::genesys::Client;
        ///
        /// let builder = Client::builder("mypurecloud.com", "client-id", "client-secret")
        ///     .with_audit_origin(Origin::new("host-1.example.com", "orders"))
        ///     .on_siem(|event| println!("{event}"))
        ///     .with_audit_outlet_as(|origin| {
        ///         let ecs = Renderer::new(Format::Ecs, origin.clone());
        ///         Outlet::closure("elastic", move |entry| println!("{}", ecs.render(entry)))
        ///     });
        /// # drop(builder);
        /// ```
        pub fn with_audit_origin(mut self, origin: audit::format::Origin) -> Self {
            self.settings.origin = Some(origin);
            self
        }
    };
}
pub(crate) use verbs;

/// The same, and those of a builder whose tokens a manager has, and whose sessions are all alike.
macro_rules! verbs_of_a_manager {
    () => {
        $crate::settings::verbs!();

        /// Where tokens are kept between runs, and shared with other processes: a file of its owner's alone. Without one a
        /// rotated refresh token is lost when the program ends.
        pub fn with_token_file(mut self, path: impl Into<std::path::PathBuf>) -> Self {
            self.settings.token_file = Some(path.into());
            self
        }

        /// How early to renew and how hard to try.
        pub fn with_policy(mut self, policy: auth_core::renewal::Policy) -> Self {
            self.settings.policy = policy;
            self
        }

        /// Timeouts and backoff of the WebSocket sessions.
        pub fn with_session_config(mut self, session: ws_session::machine::Config) -> Self {
            self.settings.session = session;
            self
        }
    };
}
pub(crate) use verbs_of_a_manager;

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            proxy: Proxy::none(),
            authorities: None,
            observers: Observers::default(),
            trail: None,
            origin: None,
            outlets: Vec::new(),
            token_file: None,
            policy: Policy::new(),
            session: Config::new(),
        }
    }

    pub(crate) fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observers.push(Arc::new(Contained(observer)));
    }

    /// The HTTP client for `https` URLs, and for those on this machine, if `plaintext` says that there are any; only these
    /// do without TLS, and without certificate authorities.
    pub(crate) fn http(&self, plaintext: Plaintext) -> Result<Arc<dyn HttpExchange>, ConfigError> {
        let built = match plaintext {
            Plaintext::Only => return Ok(Arc::new(HyperClient::plaintext())),
            Plaintext::Never => self.client()?.build(),
            Plaintext::Also => self.client()?.with_plaintext().build(),
        };
        Ok(Arc::new(built.map_err(|error| ConfigError::Tls(io::Error::other(error)))?))
    }

    /// An HTTP client with the proxies, and with those whom to trust.
    pub(crate) fn client(&self) -> Result<HttpBuilder, ConfigError> {
        let builder = HyperClient::builder().with_proxy(self.proxy.clone());
        Ok(match &self.authorities {
            Some(pem) => {
                builder.with_roots(Roots::platform().with_pem(pem).map_err(ConfigError::Authorities)?)
            }
            None => builder,
        })
    }

    /// The file for tokens, opened, if there is to be one.
    pub(crate) fn store(&self) -> Result<Option<Arc<FileStore>>, ConfigError> {
        let opened = self.token_file.as_ref().map(FileStore::open).transpose();
        Ok(opened.map_err(ConfigError::TokenFile)?.map(Arc::new))
    }

    /// A manager of tokens with its store, its policy and who observes it.
    pub(crate) fn manage(
        &self,
        manager: manager::Builder,
        observer: &Arc<dyn Observer>,
    ) -> Result<manager::Builder, ConfigError> {
        let manager = manager.with_policy(self.policy.clone()).with_observer(Arc::clone(observer));
        Ok(match self.store()? {
            Some(store) => manager.with_store(store),
            None => manager,
        })
    }

    /// Describes the trail further.
    pub(crate) fn trail(&mut self, further: impl FnOnce(TrailBuilder) -> TrailBuilder) {
        self.trail = Some(further(self.trail.take().unwrap_or_else(Trail::builder)));
    }

    /// All observers as one, and among them the trail, if there is to be one: under the name of the system, by which its
    /// records are told from those of others. The trail counts what it is told; where there is none, metrics alone do.
    pub(crate) fn witnesses(&mut self, system: &str) -> Result<(Arc<dyn Observer>, Witness), ConfigError> {
        let origin = self.origin(system);
        for outlet in mem::take(&mut self.outlets) {
            self.trail(|trail| trail.outlet(outlet(&origin)));
        }
        let trail = self.trail.take().map(|trail| trail.origin(origin).open()).transpose()?;
        let trail = trail.map(|trail| trail.named(system));
        let mut observers = mem::take(&mut self.observers);
        let others = observers.clone();
        let metrics = match &trail {
            Some(trail) => {
                observers.push(Arc::new(trail.clone()));
                Arc::clone(trail.metrics())
            }
            None => {
                let metrics = Arc::new(Metrics::new());
                observers.push(Arc::<Metrics>::clone(&metrics));
                metrics
            }
        };
        Ok((Arc::new(observers), Witness { metrics, trail, others }))
    }

    /// Who speaks to whoever is told of the system's steps.
    fn origin(&mut self, system: &str) -> Origin {
        let origin = self.origin.take();
        let origin = origin.unwrap_or_else(|| Origin::default().with_service(system));
        match origin.process() {
            Some(_) => origin,
            None => origin.with_process(std::process::id()),
        }
    }

    /// How WebSockets are opened, whose steps `observer` is told.
    pub(crate) fn sockets(self, observer: Arc<dyn Observer>) -> Sockets {
        Sockets { observer, proxy: self.proxy, authorities: self.authorities, config: self.session }
    }
}

/// Which `http` URLs there are: all of them on this machine, which no proxy stands in front of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plaintext {
    Never,
    Also,
    Only,
}

impl Plaintext {
    pub(crate) fn among(urls: &[String]) -> Self {
        let is_plaintext =
            |url: &String| url.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
        match (urls.iter().all(is_plaintext), urls.iter().any(is_plaintext)) {
            (true, _) => Self::Only,
            (false, true) => Self::Also,
            (false, false) => Self::Never,
        }
    }
}

/// How WebSockets are opened.
#[derive(Clone)]
pub(crate) struct Sockets {
    observer: Arc<dyn Observer>,
    proxy: Proxy,
    authorities: Option<Vec<u8>>,
    config: Config,
}

/// A WebSocket's server, and the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    target: Target,
    proxy: Option<WebSocketProxy>,
}

impl Sockets {
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn way(&self, url: &str) -> Result<Way, ws_session::ConfigError> {
        let authorities = self.authorities.as_deref();
        let target = match authorities {
            Some(pem) => Target::with_more_roots(url, pem)?,
            None => Target::new(url)?,
        };
        let address = Address::new(url)?;
        let proxy = self.proxy.url_between(address.is_encrypted(), address.host(), address.port());
        let proxy = proxy.map(|url| match authorities {
            Some(pem) => WebSocketProxy::with_roots(url.expose(), pem),
            None => WebSocketProxy::new(url.expose()),
        });
        let proxy = proxy.transpose()?;
        Ok(Way { target, proxy })
    }

    pub(crate) fn session(
        &self,
        way: &Way,
        dialect: impl Into<Arc<Dialect>>,
        tokens: Arc<dyn TokenSource>,
    ) -> Builder {
        let builder = Session::builder(way.target.clone(), dialect, tokens)
            .with_observer(Arc::clone(&self.observer))
            .with_config(self.config.clone());
        match &way.proxy {
            Some(proxy) => builder.with_proxy(proxy.clone()),
            None => builder,
        }
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { observer: _, proxy, authorities: _, config } = self;
        let mut shown = formatter.debug_struct("Sockets");
        shown.field("proxy", proxy).field("config", config).finish_non_exhaustive()
    }
}

/// An observer whose panics end with it: whoever watches a session must not be able to end it.
struct Contained(Arc<dyn Observer>);

impl Observer for Contained {
    fn observe(&self, event: &AuthEvent) {
        // The panic hook has told of it, on the standard error output by default.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.observe(event)));
    }
}
