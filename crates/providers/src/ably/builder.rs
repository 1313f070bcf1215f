//! The settings of a client.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::ably::{AuthOptions, ClientId, TokenParams};
use auth_core::observe::Observers;
use auth_core::{Error, ErrorKind, Observer};
use auth_http::ably::wire::PRIMARY_ENDPOINT;
use auth_http::ably::{Auth, Surroundings};
use ws_session::dialect::{Dialect, Template};
use ws_session::driver::tokio::Target;
use ws_session::machine::Config as SessionConfig;

use super::{Connection, Identity, Inner, Realtime};

/// The settings of a [`Realtime`].
#[must_use]
pub struct Builder {
    options: AuthOptions,
    client_id: Option<ClientId>,
    params: TokenParams,
    endpoint: String,
    surroundings: Option<Surroundings>,
    session: SessionConfig,
    observers: Observers,
}

/// Ably's `realtimeRequestTimeout`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

impl Builder {
    pub(super) fn new(options: AuthOptions) -> Self {
        Self {
            options,
            client_id: None,
            params: TokenParams::new(),
            endpoint: PRIMARY_ENDPOINT.to_owned(),
            surroundings: None,
            session: SessionConfig::new()
                .with_open_timeout(REQUEST_TIMEOUT)
                .with_answer_timeout(REQUEST_TIMEOUT),
            observers: Observers::default(),
        }
    }

    /// The identity of this client: its tokens and its connection must be of it, or of anybody (RSA15). None by default:
    /// that of its tokens.
    pub fn with_client_id(self, client_id: ClientId) -> Self {
        Self { client_id: Some(client_id), ..self }
    }

    /// What tokens are asked for (TO3j11): by default whatever the service gives.
    pub fn with_default_params(self, params: TokenParams) -> Self {
        Self { params, ..self }
    }

    /// Where the service is, by its `https` URL: [`PRIMARY_ENDPOINT`] by default, and the WebSocket is at the same place. Plain `http`
    /// is for this machine only.
    pub fn with_endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: url.into(), ..self }
    }

    /// What tokens are asked for with: [`Surroundings::on_tokio`] by default.
    pub fn with_surroundings(self, surroundings: Surroundings) -> Self {
        Self { surroundings: Some(surroundings), ..self }
    }

    /// Timeouts and backoff of the connection, in the place of these defaults: 10 s to open it and 10 s for an answer (Ably's
    /// `realtimeRequestTimeout`), waits of up to 0.5 s at first and 30 s at most (`suspendedRetryTimeout`), suspended after 120 s
    /// (`connectionStateTtl`). Ably's libraries wait for about 15 s from the second attempt on (`disconnectedRetryTimeout`).
    pub fn with_session_config(self, session: SessionConfig) -> Self {
        Self { session, ..self }
    }

    /// One more who is told about every step of the connection.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// The client. Nothing goes over the network yet.
    ///
    /// # Errors
    ///
    /// Code 40106 when there is no way to authenticate (RSA14); 40102 when the token given is another client's; 40103 when a key
    /// would go out without TLS (RSA1); [`Misconfigured`](ErrorKind::Misconfigured) when the endpoint can't be one.
    pub fn build(self) -> Result<Realtime, Error> {
        let Self { options, client_id, params, endpoint, surroundings, session, observers } = self;
        let surroundings = surroundings.map_or_else(Surroundings::on_tokio, Ok)?;
        let mut auth =
            Auth::builder(options, surroundings).with_default_params(params).with_endpoint(&endpoint);
        let mut dialect = Dialect::ably();
        if let Some(client_id) = client_id {
            // RTN2d; a text of the user's is no template.
            let value = Template::text(client_id.as_str().replace("${", "$${"));
            dialect.placement.query.push(("clientId".to_owned(), value));
            auth = auth.with_client_id(client_id);
        }
        let auth = auth.build()?;
        let url = endpoint.strip_prefix("http").map(|rest| format!("ws{rest}"));
        let target = url.ok_or(ws_session::ConfigError::NotAUrl).and_then(|url| Target::new(&url));
        let target = target.map_err(|error| Error::new(ErrorKind::Misconfigured, error.to_string()))?;
        let identity = Arc::new(Identity::of(auth.clone()));
        dialect.authenticator = Some(Arc::clone(&identity) as Arc<_>);
        Ok(Realtime(Arc::new(Inner {
            auth,
            identity,
            dialect: Arc::new(dialect),
            target,
            config: session,
            observer: Arc::new(observers),
            connection: Mutex::new(Connection::default()),
        })))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, client_id, params, session, .. } = self;
        formatter
            .debug_struct("Builder")
            .field("options", options)
            .field("client_id", client_id)
            .field("params", params)
            .field("session", session)
            .finish_non_exhaustive()
    }
}
