//! How a client is put together, and what can be wrong about that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::dialer::{Deadlines, Resolve, Settings, System};
use super::pool::Pool;
use super::tls;
use super::{HyperClient, Identity, LARGEST_REPLY, Proxy, Roots};

/// A [`HyperClient`] in the making. Without any setting it is [`HyperClient::with_platform_roots`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use auth_http::client::{HyperClient, Proxy, Roots};
///
/// # fn example(authority: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let client = HyperClient::builder()
///     .with_roots(Roots::platform().with_pem(authority)?)
///     .with_proxy(Proxy::new("http://proxy.example:3128")?)
///     .with_connect_timeout(Duration::from_secs(3))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Builder {
    roots: Option<Roots>,
    identity: Option<Identity>,
    plaintext: bool,
    proxy: Proxy,
    resolver: Arc<dyn Resolve>,
    deadlines: Deadlines,
    timeout: Duration,
    idle: Duration,
    largest_reply: usize,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            roots: Some(Roots::platform()),
            identity: None,
            plaintext: false,
            proxy: Proxy::none(),
            resolver: Arc::new(System),
            deadlines: Deadlines::default(),
            timeout: Duration::from_secs(30),
            idle: Duration::from_secs(4),
            largest_reply: LARGEST_REPLY,
        }
    }

    /// No TLS at all: nothing about it can be wrong.
    pub(super) fn plaintext() -> Self {
        Self { roots: None, ..Self::new() }.with_plaintext()
    }

    /// The authorities to trust: the platform's by default.
    pub fn with_roots(self, roots: Roots) -> Self {
        Self { roots: Some(roots), ..self }
    }

    /// The certificate for servers that ask for one: none by default.
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Accepts `http` URLs as well, for a server on this machine: by default only `https`.
    /// [`TokenEndpoint`](crate::wire::TokenEndpoint) takes an `http` URL on loopback only; other callers must see to that
    /// themselves.
    pub fn with_plaintext(self) -> Self {
        Self { plaintext: true, ..self }
    }

    /// The proxies: none by default. The environment is not looked at: [`Proxy::from_environment`] takes what it says.
    pub fn with_proxy(self, proxy: Proxy) -> Self {
        Self { proxy, ..self }
    }

    /// Who turns names into addresses: the operating system by default.
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    /// How long a name may take to resolve: 10 s by default, since resolvers repeat a lost question after 5 s.
    pub fn with_resolution_timeout(mut self, limit: Duration) -> Self {
        self.deadlines.resolution = limit;
        self
    }

    /// How long the first TCP connection may take, all of a name's addresses together: 10 s by default, since a lost
    /// packet is sent again after 1 s, 3 s and 7 s.
    pub fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.deadlines.connecting = limit;
        self
    }

    /// How long a connected proxy may take to open a tunnel: 10 s by default, since it has to resolve and connect too.
    pub fn with_proxy_timeout(mut self, limit: Duration) -> Self {
        self.deadlines.proxy = limit;
        self
    }

    /// How long a TLS handshake may take: 10 s by default, time for its two round trips to survive lost packets; who
    /// accepts a connection and then says nothing is overloaded.
    pub fn with_tls_timeout(mut self, limit: Duration) -> Self {
        self.deadlines.tls = limit;
        self
    }

    /// How long one exchange may take in all, connecting and reading included: 30 s by default; see
    /// [`HyperClient::with_timeout`].
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long an unused connection is kept: 4 s by default. A request that meets a connection just as the server closes it
    /// may or may not have been read, and some servers close after 5 s (Node, Apache). So this is enough for the requests of
    /// one login and no longer; raise it, to less than your server's own limit, if you send many.
    pub fn with_idle_timeout(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// The largest reply that is read, in bytes: [`LARGEST_REPLY`] by default, which holds any token. Raising it lets a server
    /// take as much memory for each exchange.
    pub fn with_largest_reply(self, bytes: usize) -> Self {
        Self { largest_reply: bytes, ..self }
    }

    /// The client. Nothing goes over the network yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`].
    pub fn build(self) -> Result<HyperClient, ConfigError> {
        let (tls, proxy_tls) = match &self.roots {
            Some(roots) => {
                let (tls, proxy_tls) = tls::configs(roots, self.identity.clone(), self.proxy.is_encrypted())?;
                (Some(tls), proxy_tls)
            }
            None => (None, None),
        };
        Ok(self.over(tls, proxy_tls))
    }

    pub(super) fn over(
        self,
        tls: Option<Arc<rustls::ClientConfig>>,
        proxy_tls: Option<Arc<rustls::ClientConfig>>,
    ) -> HyperClient {
        let Self { plaintext, proxy, resolver, deadlines, timeout, idle, largest_reply, .. } = self;
        let dialer = Settings { tls, proxy_tls, plaintext, proxy, resolver, deadlines };
        let pool = Pool::new(dialer, idle);
        HyperClient { pool, timeout, largest_reply }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { roots, identity, plaintext, proxy, resolver: _, deadlines, timeout, idle, largest_reply } =
            self;
        formatter
            .debug_struct("Builder")
            .field("roots", roots)
            .field("identity", identity)
            .field("plaintext", plaintext)
            .field("proxy", proxy)
            .field("deadlines", deadlines)
            .field("timeout", timeout)
            .field("idle", idle)
            .field("largest_reply", largest_reply)
            .finish_non_exhaustive()
    }
}

/// Why a client can't be built as configured. No variant repeats what it was given: that may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no authority to trust.
    #[error(
        "no certificate authority can be read from the platform; install its ca-certificates, or give roots"
    )]
    NoRoots,
    /// What was given as authorities is none.
    #[error(
        "the roots hold no certificate of an authority; give them in PEM, -----BEGIN CERTIFICATE-----, or as DER"
    )]
    Roots,
    /// What was given as the client's certificate can't be used.
    #[error("the client certificate and its key don't fit together; give both in PEM, the key unencrypted")]
    Identity,
    /// What was given as a proxy can't be used.
    #[error(
        "the proxy is no http or https URL, such as http://user:password@proxy.example:3128; SOCKS is not supported"
    )]
    Proxy,
}
