//! Genesys Cloud: OAuth tokens by client credentials or refresh token, and a WebSocket that logs in by its first
//! message and is renewed in band.
//!
//! ```no_run
//! use providers::genesys::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("mypurecloud.com", "client-id", "client-secret")
//!     .with_required_scopes("conversation:read".parse()?)
//!     .with_audit("audit")
//!     .build()?;
//! let mut session = client.connect().await?;
//! while let Some(message) = session.next().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The endpoints and the figures are those of the document that this follows: `https://api.{region}/oauth/token` and
//! `wss://api.{region}/ws`; a token is renewed 120 s before it expires, and an answer to a login waited for 10 s. A new
//! connection asks for the session of the one before by its `sessionId`. The vendor's public notification service is
//! another protocol.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::scope::Scopes;
use auth_core::source::RequireScopes;
use auth_core::{Demand, Secret, Token, TokenSource};
use auth_http::grant::{ClientCredentials, RefreshToken};
use auth_http::manager::TokenManager;
use auth_http::wire::TokenEndpoint;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{self as session, Session};

pub use crate::ConfigError;
use crate::settings::{self, Plaintext, Settings, Sockets, Way};
use crate::witness::Witness;

/// A client of Genesys Cloud. Its sessions share one token, which is renewed 120 s before it expires.
#[derive(Clone)]
pub struct Client {
    tokens: Arc<dyn TokenSource>,
    manager: TokenManager,
    audit: Witness,
    sockets: Sockets,
    way: Way,
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
            required_scopes: Scopes::default(),
            settings: Settings::new(),
        }
    }

    /// Opens a session, and waits until it is authenticated.
    ///
    /// # Errors
    ///
    /// Why the session ended for good: the client or its scopes are wrong, or the server refuses it. And
    /// [`Timeout`](ws_session::ErrorKind::Timeout) when it could not be authenticated within 30 s; the session is
    /// dropped then. Once connected, a session keeps trying as long as the server only fails: a final
    /// verdict, such as on scopes, ends it.
    pub async fn connect(&self) -> Result<Session, ws_session::Error> {
        let mut session = self.open();
        session.authenticated_within(PATIENCE).await?;
        Ok(session)
    }

    /// Opens a session without waiting: it authenticates in the background, and never gives up over an outage.
    #[must_use]
    pub fn open(&self) -> Session {
        self.session().spawn()
    }

    /// A session that has not begun, of which more is to be said: its queue, its headers, who hears its first events.
    pub fn session(&self) -> session::Builder {
        self.sockets.session(&self.way, Dialect::genesys(), Arc::clone(&self.tokens))
    }

    /// A token that is valid and has the required scopes: the cached one, or a new one.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](auth_core::ErrorKind); [`retry`](auth_core::Error::retry) says whether asking again can help.
    pub async fn valid_token(&self) -> Result<Token, auth_core::Error> {
        self.tokens.token(Demand::Current).await
    }

    /// Ends the renewal of tokens for all clones, and waits until a rotated refresh token is saved; sessions end when their
    /// token does. A program that gives a [token file](Builder::with_token_file) ends with this.
    pub async fn shut_down(&self) {
        self.manager.shut_down().await;
    }

    crate::witness::verbs!(self => self.audit);
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("way", &self.way).finish_non_exhaustive()
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
    required_scopes: Scopes,
    settings: Settings,
}

impl Builder {
    settings::verbs_of_a_manager!();

    /// Redeems this refresh token, and its successors, instead of using client credentials.
    pub fn with_refresh_token(self, refresh_token: impl Into<Secret>) -> Self {
        Self { refresh_token: Some(refresh_token.into()), ..self }
    }

    /// The scopes that each token must have: checked before it reaches a socket.
    pub fn with_required_scopes(self, required_scopes: Scopes) -> Self {
        Self { required_scopes, ..self }
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
    pub fn build(mut self) -> Result<Client, ConfigError> {
        let (http, ws) = endpoints(&self.region)?;
        let endpoint = TokenEndpoint::new(&http, &self.client_id, self.client_secret)?;
        let plaintext = if endpoint.is_plaintext() { Plaintext::Only } else { Plaintext::Never };
        let client = self.settings.http(plaintext)?;
        let (observer, audit) = self.settings.witnesses("genesys")?;
        let manager = match self.refresh_token {
            Some(token) => TokenManager::builder(RefreshToken::new(endpoint, client, token)),
            None => TokenManager::builder(ClientCredentials::new(endpoint, client)),
        };
        let manager = self.settings.manage(manager, &observer)?;
        let sockets = self.settings.sockets(Arc::clone(&observer));
        let way = sockets.way(&ws)?;
        let manager = manager.spawn();
        let scoped = RequireScopes::new(manager.clone(), self.required_scopes, observer);
        let tokens = audit.recorded(Arc::new(scoped));
        Ok(Client { tokens, manager, audit, sockets, way })
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
    for (http, ws) in [("http://", "ws://"), ("https://", "wss://")] {
        if let Some(host) = region.strip_prefix(http) {
            return Ok((format!("{http}{host}/oauth/token"), format!("{ws}{host}/ws")));
        }
    }
    let is_domain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !region.contains('.') || !is_domain(region) {
        return Err(ConfigError::Region);
    }
    Ok((format!("https://api.{region}/oauth/token"), format!("wss://api.{region}/ws")))
}
