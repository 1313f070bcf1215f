//! The settings of an Optave client, under the SDK's names.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Error, Secret};
use auth_http::optave::{Builder as Tokens, CredentialPlacement};
use ws_session::dialect::Dialect;
use ws_session::machine::Config as SessionConfig;

use super::{AuthTransport, Client, ConfigError, bare};
use crate::settings::{self, Settings};

/// The settings of a [`Client`].
#[must_use]
pub struct Builder {
    websocket_url: Secret,
    tokens: Tokens,
    auth_transport: AuthTransport,
    connection_timeout: Duration,
    request_timeout: Duration,
    settings: Settings,
}

/// The SDK's figure for both of its timeouts.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Builder {
    settings::verbs!();

    pub(super) fn new() -> Self {
        Self {
            websocket_url: Secret::from(""),
            tokens: auth_http::optave::Client::builder(),
            auth_transport: AuthTransport::default(),
            connection_timeout: TIMEOUT,
            request_timeout: TIMEOUT,
            settings: Settings::new(),
        }
    }

    /// Where connections are opened, such as `wss://ws-sandbox.oco.optave.tech/`; what its query has is kept, such as an
    /// `OptaveTraceChatSessionId`.
    pub fn with_websocket_url(self, url: impl Into<Secret>) -> Self {
        Self { websocket_url: url.into(), ..self }
    }

    /// Where tokens are had by client credentials, such as `https://sandbox.oco.optave.tech/auth/oauth2`; `/token` is appended
    /// where it is missing.
    pub fn with_authentication_url(self, url: impl Into<String>) -> Self {
        self.with_tokens(|tokens| tokens.with_authentication_url(url))
    }

    /// The id of the client.
    pub fn with_client_id(self, client_id: impl Into<String>) -> Self {
        self.with_tokens(|tokens| tokens.with_client_id(client_id))
    }

    /// The secret of the client: on a server only.
    pub fn with_client_secret(self, client_secret: impl Into<Secret>) -> Self {
        self.with_tokens(|tokens| tokens.with_client_secret(client_secret))
    }

    /// Where id and secret go: HTTP Basic by default. The SDK puts them into the URL, from where they get into logs:
    /// [`CredentialPlacement::Query`] is for a server that takes nothing else.
    pub fn with_credential_placement(self, placement: CredentialPlacement) -> Self {
        self.with_tokens(|tokens| tokens.with_credential_placement(placement))
    }

    /// Obtains each token by this closure, which must give another each time: from a backend that keeps the client secret, for
    /// a program that must not have it. A `Bearer ` before the token is taken away.
    pub fn with_token_provider<F, Obtaining>(self, provider: F) -> Self
    where
        F: Fn() -> Obtaining + Send + Sync + 'static,
        Obtaining: Future<Output = Result<Secret, Error>> + Send + 'static,
    {
        let provider = move || {
            let obtaining = provider();
            async move { obtaining.await.map(|token| bare(&token)) }
        };
        self.with_tokens(|tokens| tokens.with_token_provider(provider))
    }

    /// Everything else about tokens: a ticket endpoint, a publishable key, a source, a token fetched ahead, the HTTP client.
    pub fn with_tokens(self, change: impl FnOnce(Tokens) -> Tokens) -> Self {
        Self { tokens: change(self.tokens), ..self }
    }

    /// Where the token goes when a connection is opened: into the subprotocol by default.
    pub fn with_auth_transport(self, auth_transport: AuthTransport) -> Self {
        Self { auth_transport, ..self }
    }

    /// How long it may take to open a connection: 30 s by default.
    pub fn with_connection_timeout(self, connection_timeout: Duration) -> Self {
        Self { connection_timeout, ..self }
    }

    /// How long a request waits for its reply: 30 s by default.
    pub fn with_request_timeout(self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self }
    }

    /// Timeouts and backoff of the sessions; for opening a connection, the [connection timeout](Self::with_connection_timeout)
    /// counts.
    pub fn with_session_config(mut self, session: SessionConfig) -> Self {
        self.settings.session = session;
        self
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
        if self.websocket_url.is_empty() {
            return Err(ConfigError::NoWebsocketUrl);
        }
        for (timeout, name) in [(self.connection_timeout, "connection"), (self.request_timeout, "request")] {
            if timeout.is_zero() {
                return Err(ConfigError::ZeroTimeout(name));
            }
        }
        let client = self.settings.client()?;
        let (observer, audit) = self.settings.witnesses("optave")?;
        self.settings.session = self.settings.session.with_open_timeout(self.connection_timeout);
        let sockets = self.settings.sockets(Arc::clone(&observer));
        let way = sockets.way(self.websocket_url.expose())?;
        let dialect = match self.auth_transport {
            AuthTransport::Subprotocol => Dialect::optave(),
            AuthTransport::Query => Dialect::optave_query(),
        };
        let authentication = self.tokens.with_client(client).with_observer(observer).build()?;
        Ok(Client {
            tokens: audit.recorded(Arc::new(authentication.clone())),
            authentication,
            used: Arc::default(),
            sockets,
            way,
            audit,
            dialect: Arc::new(dialect),
            connection_timeout: self.connection_timeout,
            request_timeout: self.request_timeout,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            websocket_url: _,
            tokens,
            auth_transport,
            connection_timeout,
            request_timeout,
            settings: _,
        } = self;
        formatter
            .debug_struct("Builder")
            .field("tokens", tokens)
            .field("auth_transport", auth_transport)
            .field("connection_timeout", connection_timeout)
            .field("request_timeout", request_timeout)
            .finish_non_exhaustive()
    }
}
