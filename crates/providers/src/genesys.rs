//! Genesys Cloud: OAuth tokens by client credentials or refresh token, and a WebSocket that logs in by its first
//! message and is renewed in band.
//!
//! ```no_run
//! use providers::genesys::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("mypurecloud.com", "client-id", "client-secret")
//!     .with_required_scopes("conversation:read".parse()?)
//!     .with_audit_file("audit.jsonl")
//!     .build()?;
//! let mut session = client.connect().await?;
//! while let Some(message) = session.next().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The endpoints are those of the document that this follows: `https://api.{region}/oauth/token` and
//! `wss://api.{region}/ws`. The vendor's public notification service is another protocol.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::AuditLog;
use auth_core::observe::Observers;
use auth_core::renewal::Policy;
use auth_core::scope::Scopes;
use auth_core::source::RequireScopes;
use auth_core::{Demand, Observer, Secret, Token, TokenSource};
use auth_http::client::{HyperClient, Proxy};
use auth_http::grant::{ClientCredentials, RefreshToken};
use auth_http::manager::TokenManager;
use auth_http::store::FileStore;
use auth_http::wire::TokenEndpoint;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Session, Target};
use ws_session::machine::Config as SessionConfig;

/// A client of Genesys Cloud. Its sessions share one token, which is renewed 120 s before it expires.
#[derive(Clone)]
pub struct Client {
    tokens: Arc<dyn TokenSource>,
    manager: TokenManager,
    observer: Arc<dyn Observer>,
    audit: Option<AuditLog>,
    target: Target,
    session: SessionConfig,
}

impl Client {
    /// Begins with an OAuth client of a region, a domain such as `mypurecloud.com`.
    ///
    /// A URL such as `http://127.0.0.1:8080` stands for a server that has both endpoints at its root: a gateway.
    pub fn builder(region: &str, client_id: &str, client_secret: impl Into<Secret>) -> Builder {
        Builder {
            region: region.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.into(),
            refresh_token: None,
            token_file: None,
            proxy: Proxy::none(),
            required_scopes: Scopes::default(),
            observers: Observers::default(),
            audit_file: None,
            policy: Policy::new(),
            session: SessionConfig::new(),
        }
    }

    /// Opens a session, and waits until it is authenticated.
    ///
    /// # Errors
    ///
    /// Why the session ended for good: the client or its scopes are wrong, or the server refuses it. And
    /// [`Timeout`](ws_session::ErrorKind::Timeout) when it could not be authenticated within 30 s; the session is
    /// dropped then. Once connected, a session keeps trying for ever.
    pub async fn connect(&self) -> Result<Session, ws_session::Error> {
        let mut session = self.open();
        session.authenticated_within(PATIENCE).await?;
        Ok(session)
    }

    /// Opens a session without waiting: it authenticates in the background, and never gives up over an outage.
    #[must_use]
    pub fn open(&self) -> Session {
        Session::builder(self.target.clone(), Dialect::genesys(), Arc::clone(&self.tokens))
            .with_observer(Arc::clone(&self.observer))
            .with_config(self.session.clone())
            .spawn()
    }

    /// A token that is valid and has the required scopes: the cached one, or a new one.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](auth_core::ErrorKind); [`retry`](auth_core::Error::retry) says whether asking again can
    /// help.
    pub async fn valid_token(&self) -> Result<Token, auth_core::Error> {
        self.tokens.token(Demand::Current).await
    }

    /// Ends the renewal of tokens for all clones, and waits until a rotated refresh token is saved; sessions end when their
    /// token does. A program that gives a [token file](Builder::with_token_file) ends with this.
    pub async fn shut_down(&self) {
        self.manager.shut_down().await;
    }

    /// Writes out the audit file and closes it, if there is one; says what became of the events. Blocks until the
    /// disk has them. Sessions go on without it.
    #[must_use]
    pub fn close_audit(&self) -> Option<audit::Summary> {
        self.audit.as_ref().map(AuditLog::close)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("target", &self.target).finish_non_exhaustive()
    }
}

/// How long [`Client::connect`] waits: a flight of requests for a token takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The settings of a [`Client`].
#[must_use]
pub struct Builder {
    region: String,
    client_id: String,
    client_secret: Secret,
    refresh_token: Option<Secret>,
    token_file: Option<PathBuf>,
    proxy: Proxy,
    required_scopes: Scopes,
    observers: Observers,
    audit_file: Option<PathBuf>,
    policy: Policy,
    session: SessionConfig,
}

impl Builder {
    /// Redeems this refresh token, and its successors, instead of using client credentials.
    pub fn with_refresh_token(self, refresh_token: impl Into<Secret>) -> Self {
        Self { refresh_token: Some(refresh_token.into()), ..self }
    }

    /// Where tokens are kept between runs, and shared with other processes: a file of its owner's alone. Without one a
    /// rotated refresh token is lost when the program ends.
    pub fn with_token_file(self, path: impl Into<PathBuf>) -> Self {
        Self { token_file: Some(path.into()), ..self }
    }

    /// The proxies on the way to the token endpoint: none by default. [`Proxy::from_environment`] takes what the
    /// environment says. The WebSocket is opened directly.
    pub fn with_proxy(self, proxy: Proxy) -> Self {
        Self { proxy, ..self }
    }

    /// The scopes that each token must have: checked before it reaches a socket.
    pub fn with_required_scopes(self, required_scopes: Scopes) -> Self {
        Self { required_scopes, ..self }
    }

    /// One more who is told about every step.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Where to write a hash-chained audit log of every step.
    pub fn with_audit_file(self, path: impl Into<PathBuf>) -> Self {
        Self { audit_file: Some(path.into()), ..self }
    }

    /// How early to renew and how hard to try.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Timeouts and backoff of the sessions.
    pub fn with_session_config(self, session: SessionConfig) -> Self {
        Self { session, ..self }
    }

    /// The client. Nothing goes over the network yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn build(self) -> Result<Client, ConfigError> {
        let (http, ws) = endpoints(&self.region)?;
        let endpoint = TokenEndpoint::new(&http, &self.client_id, self.client_secret)?;
        let target = Target::new(&ws)?;
        let client = if endpoint.is_plaintext() {
            // This machine only, which no proxy stands in front of.
            HyperClient::plaintext()
        } else {
            let builder = HyperClient::builder().with_proxy(self.proxy);
            builder.build().map_err(|error| ConfigError::Tls(io::Error::other(error)))?
        };
        let audit = self.audit_file.map(|path| AuditLog::open(&path)).transpose()?;
        let mut observers = self.observers;
        if let Some(audit) = &audit {
            observers.push(Arc::new(audit.clone()));
        }
        let observer: Arc<dyn Observer> = Arc::new(observers);
        let manager = match self.refresh_token {
            Some(token) => TokenManager::builder(RefreshToken::new(endpoint, Arc::new(client), token)),
            None => TokenManager::builder(ClientCredentials::new(endpoint, Arc::new(client))),
        };
        let manager = match self.token_file {
            Some(path) => {
                manager.with_store(Arc::new(FileStore::open(path).map_err(ConfigError::TokenFile)?))
            }
            None => manager,
        };
        let manager = manager.with_policy(self.policy).with_observer(Arc::clone(&observer)).spawn();
        let tokens = RequireScopes::new(manager.clone(), self.required_scopes, Arc::clone(&observer));
        Ok(Client { tokens: Arc::new(tokens), manager, observer, audit, target, session: self.session })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The token URL and the WebSocket URL of a region.
fn endpoints(region: &str) -> Result<(String, String), ConfigError> {
    let region = region.trim_end_matches('/');
    if let Some(host) = region.strip_prefix("http://") {
        return Ok((format!("http://{host}/oauth/token"), format!("ws://{host}/ws")));
    }
    if let Some(host) = region.strip_prefix("https://") {
        return Ok((format!("https://{host}/oauth/token"), format!("wss://{host}/ws")));
    }
    let is_domain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !region.contains('.') || !is_domain(region) {
        return Err(ConfigError::Region);
    }
    Ok((format!("https://api.{region}/oauth/token"), format!("wss://api.{region}/ws")))
}

/// Why a client can't be used as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The audit file can't be written.
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    /// The region is no domain.
    #[error("the region must be a domain such as mypurecloud.com, or the URL of a gateway")]
    Region,
    /// The WebSocket can't be reached as configured.
    #[error(transparent)]
    Session(#[from] ws_session::ConfigError),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}; install the system's ca-certificates")]
    Tls(#[source] io::Error),
    /// The file for tokens can't be used.
    #[error("the file for tokens can't be used: {0}")]
    TokenFile(#[source] auth_core::Error),
    /// The token endpoint can't be used as configured.
    #[error(transparent)]
    Token(#[from] auth_http::wire::ConfigError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_names_both_endpoints() {
        assert_eq!(
            endpoints("mypurecloud.com").unwrap(),
            ("https://api.mypurecloud.com/oauth/token".into(), "wss://api.mypurecloud.com/ws".into())
        );
        assert_eq!(
            endpoints("http://127.0.0.1:8080/").unwrap(),
            ("http://127.0.0.1:8080/oauth/token".into(), "ws://127.0.0.1:8080/ws".into())
        );
        for region in ["", "localhost", "a.b/c", "a.b?x", "ftp://a.b", "a b.c"] {
            assert!(matches!(endpoints(region), Err(ConfigError::Region)), "{region}");
        }
    }

    #[tokio::test]
    async fn credentials_never_go_to_another_machine_in_plain_text() {
        let built = Client::builder("http://api.example.com", "id", "secret").build();
        assert!(matches!(built, Err(ConfigError::Token(auth_http::wire::ConfigError::Plaintext))));
    }

    #[tokio::test]
    async fn no_secret_shows_in_debug() {
        let builder = Client::builder("http://127.0.0.1:1", "id", "canary").with_refresh_token("canary");
        let text = format!(
            "{builder:?}{:?}",
            Client::builder("http://127.0.0.1:1", "id", "canary").build().unwrap()
        );
        assert!(!text.contains("canary"), "{text}");
    }
}
