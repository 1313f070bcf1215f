//! The settings of a client.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::ably::{AuthOptions, ClientId, TokenParams};
use auth_core::{Error, ErrorKind};
use auth_http::ably::wire::PRIMARY_ENDPOINT;
use auth_http::ably::{Auth, Surroundings};
use ws_session::dialect::{Dialect, Template};
use ws_session::machine::Config as SessionConfig;

use super::{Connection, Identity, Inner, Realtime};
use crate::ConfigError;
use crate::settings::{self, Settings};

/// The settings of a [`Realtime`].
#[must_use]
pub struct Builder {
    options: AuthOptions,
    client_id: Option<ClientId>,
    params: TokenParams,
    endpoint: String,
    surroundings: Option<Surroundings>,
    settings: Settings,
}

/// Ably's `realtimeRequestTimeout`.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

impl Builder {
    settings::verbs!();

    pub(super) fn new(options: AuthOptions) -> Self {
        Self {
            options,
            client_id: None,
            params: TokenParams::new(),
            endpoint: PRIMARY_ENDPOINT.to_owned(),
            surroundings: None,
            settings: Settings {
                session: SessionConfig::new()
                    .with_open_timeout(REQUEST_TIMEOUT)
                    .with_answer_timeout(REQUEST_TIMEOUT)
                    .with_close_timeout(REQUEST_TIMEOUT),
                ..Settings::new()
            },
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

    /// What tokens are asked for with: [`Surroundings::on_tokio`] by default, by way of the proxies and with the authorities that were given.
    pub fn with_surroundings(self, surroundings: Surroundings) -> Self {
        Self { surroundings: Some(surroundings), ..self }
    }

    /// Timeouts and backoff of the connection, in the place of these defaults: 10 s to open it, 10 s for an answer and 10 s for CLOSED
    /// (Ably's `realtimeRequestTimeout`), waits of up to 0.5 s at first and 30 s at most (`suspendedRetryTimeout`), suspended after 120 s
    /// (`connectionStateTtl`), or after as long as the server says. Ably's libraries wait for about 15 s from the second attempt on (`disconnectedRetryTimeout`).
    pub fn with_session_config(mut self, session: SessionConfig) -> Self {
        self.settings.session = session;
        self
    }

    /// The client. Nothing goes over the network yet.
    ///
    /// # Errors
    ///
    /// Code 40106 when there is no way to authenticate (RSA14); 40102 when the token given is another client's; 40103 when a key
    /// would go out without TLS (RSA1); [`Misconfigured`](ErrorKind::Misconfigured) when the endpoint can't be one, the audit log can't
    /// be written, or TLS can't be set up.
    pub fn build(self) -> Result<Realtime, Error> {
        let Self { options, client_id, params, endpoint, surroundings, mut settings } = self;
        let surroundings = match surroundings {
            Some(surroundings) => surroundings,
            None => Surroundings::by(settings.client().map_err(misconfigured)?)?,
        };
        let (observer, audit) = settings.witnesses("ably").map_err(misconfigured)?;
        let mut auth = Auth::builder(options, surroundings)
            .with_default_params(params)
            .with_endpoint(&endpoint)
            .with_observer(Arc::clone(&observer));
        let mut dialect = Dialect::ably();
        if let Some(client_id) = client_id {
            // RTN2d; a text of the user's is no template.
            let value = Template::text(client_id.as_str().replace("${", "$${"));
            dialect.placement.query.push(("clientId".to_owned(), value));
            auth = auth.with_client_id(client_id);
        }
        let auth = auth.build()?;
        let url = endpoint.strip_prefix("http").map(|rest| format!("ws{rest}"));
        let url = url.ok_or(ws_session::ConfigError::NotAUrl).map_err(misconfigured)?;
        let sockets = settings.sockets(observer);
        let way = sockets.way(&url).map_err(misconfigured)?;
        let identity = Arc::new(Identity::of(auth.clone()));
        dialect.authenticator = Some(Arc::clone(&identity) as Arc<_>);
        Ok(Realtime(Arc::new(Inner {
            tokens: audit.recorded(Arc::new(auth.clone())),
            auth,
            identity,
            dialect: Arc::new(dialect),
            sockets,
            way,
            audit,
            connection: Mutex::new(Connection::default()),
        })))
    }
}

fn misconfigured(error: impl Into<ConfigError>) -> Error {
    Error::new(ErrorKind::Misconfigured, error.into().to_string())
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, client_id, params, settings, .. } = self;
        formatter
            .debug_struct("Builder")
            .field("options", options)
            .field("client_id", client_id)
            .field("params", params)
            .field("session", &settings.session)
            .finish_non_exhaustive()
    }
}
