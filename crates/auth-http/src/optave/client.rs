//! The client: its settings, and tokens for one connection each.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_core::observe::Unobserved;
use auth_core::renewal::Policy;
use auth_core::token::Generation;
use auth_core::{Demand, Error, Observer, Secret, Token, TokenSource};

use super::grants::{Once, Provider, Way};
use super::wire::{AuthenticationEndpoint, TicketEndpoint};
use super::{ConfigError, CredentialPlacement};
use crate::exchange::HttpExchange;
use crate::manager::{Driver, Timer, TokenManager};

/// A source of tokens that serve for one connection each, shared by all clones. None is handed out twice: whoever opens a
/// connection, for the first time or again, asks for another.
#[derive(Clone)]
pub struct Client {
    tokens: TokenManager,
}

impl Client {
    /// Begins with nothing: one way to a token must be given.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A fresh token for one connection. Callers that come together get one each.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`](auth_core::ErrorKind::InvalidClient) when id or secret are wrong;
    /// [`InvalidToken`](auth_core::ErrorKind::InvalidToken) when a token was given that had been handed out before;
    /// otherwise as for any token endpoint, or what the provider failed with.
    pub async fn authenticate(&self) -> Result<Token, Error> {
        self.tokens.token(Demand::Current).await
    }

    /// Ends the client for all clones.
    pub async fn shut_down(&self) {
        self.tokens.shut_down().await;
    }
}

#[async_trait]
impl TokenSource for Client {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        self.tokens.token(demand).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The settings of a [`Client`].
#[must_use]
pub struct Builder {
    authentication_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    placement: CredentialPlacement,
    ticket_endpoint: Option<String>,
    publishable_key: Option<String>,
    provider: Option<Provider>,
    source: Option<Arc<dyn TokenSource>>,
    http: Option<Arc<dyn HttpExchange>>,
    observer: Arc<dyn Observer>,
    policy: Policy,
    prefetch: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            authentication_url: None,
            client_id: None,
            client_secret: None,
            placement: CredentialPlacement::default(),
            ticket_endpoint: None,
            publishable_key: None,
            provider: None,
            source: None,
            http: None,
            observer: Arc::new(Unobserved),
            policy: Policy::new(),
            prefetch: false,
        }
    }
}

impl Builder {
    /// Where tokens are had by client credentials; `/token` is appended where it is missing.
    pub fn with_authentication_url(self, url: impl Into<String>) -> Self {
        Self { authentication_url: Some(url.into()), ..self }
    }

    /// The id of the client.
    pub fn with_client_id(self, client_id: impl Into<String>) -> Self {
        Self { client_id: Some(client_id.into()), ..self }
    }

    /// The secret of the client: on a server only.
    pub fn with_client_secret(self, client_secret: impl Into<Secret>) -> Self {
        Self { client_secret: Some(client_secret.into()), ..self }
    }

    /// Where id and secret go: HTTP Basic by default.
    pub fn with_credential_placement(self, placement: CredentialPlacement) -> Self {
        Self { placement, ..self }
    }

    /// Asks a backend for tokens, as the vendor's pages do: at this URL, or where it has no path at
    /// [`TICKET_PATH`](super::wire::TICKET_PATH).
    pub fn with_ticket_endpoint(self, url: impl Into<String>) -> Self {
        Self { ticket_endpoint: Some(url.into()), ..self }
    }

    /// The key that the backend knows its pages by.
    pub fn with_publishable_key(self, key: impl Into<String>) -> Self {
        Self { publishable_key: Some(key.into()), ..self }
    }

    /// Obtains each token by this closure, which must give another each time. It is not called again before it has ended,
    /// and is given up on after half a minute.
    pub fn with_token_provider<F, Obtaining>(self, provider: F) -> Self
    where
        F: Fn() -> Obtaining + Send + Sync + 'static,
        Obtaining: Future<Output = Result<Secret, Error>> + Send + 'static,
    {
        Self { provider: Some(Arc::new(move || Box::pin(provider()))), ..self }
    }

    /// Obtains each token from this source, which is told each time that the one before must not be served again.
    pub fn with_token_source(self, source: Arc<dyn TokenSource>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// What requests are sent by: with the feature `client`, a `HyperClient` by default.
    pub fn with_exchange(self, http: Arc<dyn HttpExchange>) -> Self {
        Self { http: Some(http), ..self }
    }

    /// Who is told about every decision; nobody by default.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// How hard to try. That each token serves once is not for it to say.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Obtains a token ahead after each that is handed out, so that a reconnect need not wait. By default a token is obtained
    /// when one is wanted, since one that is not used in its few minutes is for nothing.
    pub fn with_prefetch(self) -> Self {
        Self { prefetch: true, ..self }
    }

    /// The client, its driver spawned on the current tokio runtime. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "tokio")]
    #[expect(clippy::disallowed_methods, reason = "documented, and it ends with the last clone")]
    pub fn build(self) -> Result<Client, ConfigError> {
        let (client, driver) = self.build_on(Arc::new(crate::manager::TokioTimer::start()))?;
        tokio::spawn(driver.run());
        Ok(client)
    }

    /// The client, and the future that must run on the runtime of `timer` for it to work.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn build_on(self, timer: Arc<dyn Timer>) -> Result<(Client, Driver), ConfigError> {
        let (observer, prefetch) = (Arc::clone(&self.observer), self.prefetch);
        let policy = self.policy.clone();
        let policy = if prefetch { policy.single_use() } else { policy.single_use_on_demand() };
        let builder = TokenManager::builder(Once::new(self.way()?)).with_policy(policy);
        let (tokens, driver) = builder.with_observer(observer).build_on(timer);
        Ok((Client { tokens }, driver))
    }

    /// The one way to a token that was given.
    fn way(self) -> Result<Way, ConfigError> {
        let by_credentials = self.authentication_url.is_some() || self.client_id.is_some();
        let elsewhere = [self.ticket_endpoint.is_some(), self.provider.is_some(), self.source.is_some()];
        let elsewhere = elsewhere.into_iter().filter(|given| *given).count();
        if self.client_secret.is_some() && elsewhere > 0 {
            return Err(ConfigError::SecretBesideProvider);
        }
        if elsewhere + usize::from(by_credentials) > 1 {
            return Err(ConfigError::SeveralTokenSources);
        }
        if self.publishable_key.is_some() && self.ticket_endpoint.is_none() {
            return Err(ConfigError::KeyWithoutTicketEndpoint);
        }
        if let Some(url) = self.ticket_endpoint {
            let endpoint = TicketEndpoint::new(&url)?;
            let endpoint = match self.publishable_key {
                Some(key) => endpoint.with_publishable_key(&key)?,
                None => endpoint,
            };
            let http = exchange(self.http, endpoint.is_plaintext())?;
            return Ok(Way::Ticket(endpoint, http));
        }
        if let Some(provider) = self.provider {
            return Ok(Way::Provider(provider));
        }
        if let Some(source) = self.source {
            return Ok(Way::Source(source, Mutex::new(Generation::NONE)));
        }
        if !by_credentials && self.client_secret.is_none() {
            return Err(ConfigError::NoTokenSource);
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let url = given(self.authentication_url).ok_or(ConfigError::NoAuthenticationUrl)?;
        let client_id = given(self.client_id).ok_or(ConfigError::NoClientId)?;
        let secret = self.client_secret.filter(|secret| !secret.is_empty());
        let secret = secret.ok_or(ConfigError::NoClientSecret)?;
        let endpoint = AuthenticationEndpoint::new(&url, &client_id, &secret, self.placement)?;
        let http = exchange(self.http, endpoint.is_plaintext())?;
        Ok(Way::Credentials(Box::new(endpoint), http))
    }
}

/// What requests are sent by.
fn exchange(
    given: Option<Arc<dyn HttpExchange>>,
    plaintext: bool,
) -> Result<Arc<dyn HttpExchange>, ConfigError> {
    if let Some(http) = given {
        return Ok(http);
    }
    #[cfg(feature = "client")]
    {
        use crate::client::HyperClient;
        let client = if plaintext {
            HyperClient::plaintext()
        } else {
            HyperClient::with_platform_roots().map_err(ConfigError::Tls)?
        };
        Ok(Arc::new(client))
    }
    #[cfg(not(feature = "client"))]
    {
        let _ = plaintext;
        Err(ConfigError::NoExchange)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
