//! The client: its settings, and tokens for one connection each.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::Unobserved;
use auth_core::renewal::Policy;
use auth_core::token::Generation;
use auth_core::{Demand, Error, Observer, Secret, Token, TokenSource};
use http::Method;

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
        let Self { tokens } = self;
        formatter.debug_struct("Client").field("tokens", tokens).finish()
    }
}

/// The settings of a [`Client`].
#[must_use]
pub struct Builder {
    authentication_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    placement: CredentialPlacement,
    /// Its URL, and by which method it is asked.
    ticket_endpoint: Option<(String, Method)>,
    publishable_key: Option<String>,
    provider: Option<Provider>,
    source: Option<Arc<dyn TokenSource>>,
    exchange: Exchange,
    observer: Arc<dyn Observer>,
    names: Option<FingerprintKey>,
    policy: Policy,
    prefetch: bool,
    shelf_life: Duration,
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
            exchange: Exchange::default(),
            observer: Arc::new(Unobserved),
            names: None,
            policy: Policy::new(),
            prefetch: false,
            shelf_life: Duration::from_secs(300),
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
        Self { ticket_endpoint: Some((url.into(), Method::POST)), ..self }
    }

    /// Asks a backend for tokens by GET, as the vendor's example of one has it: at this URL, such as
    /// `https://shop.example/api/optave-token`.
    pub fn with_ticket_endpoint_by_get(self, url: impl Into<String>) -> Self {
        Self { ticket_endpoint: Some((url.into(), Method::GET)), ..self }
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

    /// Obtains each token from this source, which is told each time that the one before must not be served again. It must be
    /// this client's alone: whoever else has tokens of a source that caches has the same ones.
    pub fn with_token_source(self, source: Arc<dyn TokenSource>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// What requests are sent by: with the feature `client`, a `HyperClient` by default.
    pub fn with_exchange(mut self, http: Arc<dyn HttpExchange>) -> Self {
        self.exchange.given = Some(http);
        self
    }

    /// A `HyperClient` of which something is said, such as its proxies or whom it trusts: for a server that is not on this machine, and
    /// where there is no other [exchange](Self::with_exchange).
    #[cfg(feature = "client")]
    pub fn with_client(self, client: crate::client::Builder) -> Self {
        Self { exchange: Exchange { client: Some(client), ..self.exchange }, ..self }
    }

    /// Who is told about every decision; nobody by default.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// The key under which events name tokens; random by default, so that names mean nothing elsewhere.
    pub fn with_fingerprint_key(self, names: FingerprintKey) -> Self {
        Self { names: Some(names), ..self }
    }

    /// How hard to try. That each token serves once is not for it to say, nor how long one that was fetched ahead is good.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Obtains a token ahead after each that is handed out, so that a reconnect need not wait. By default a token is obtained
    /// when one is wanted, since one that is not used in its few minutes is for nothing.
    pub fn with_prefetch(self) -> Self {
        Self { prefetch: true, ..self }
    }

    /// How long a token that was fetched ahead is good at most, whatever its answer says, or where it says nothing: five minutes
    /// by default.
    pub fn with_shelf_life(self, shelf_life: Duration) -> Self {
        Self { shelf_life, ..self }
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
        let (observer, names, policy) = (Arc::clone(&self.observer), self.names.clone(), self.policy.clone());
        let policy = match self.prefetch {
            true => policy.single_use().with_longest_lifetime(self.shelf_life),
            false => policy.single_use_on_demand(),
        };
        let builder = TokenManager::builder(Once::new(self.way()?)).with_policy(policy);
        let builder = match names {
            Some(names) => builder.with_fingerprint_key(names),
            None => builder,
        };
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
        if let Some((url, method)) = self.ticket_endpoint {
            let endpoint = TicketEndpoint::new(&url)?;
            let endpoint = if method == Method::GET { endpoint.with_get() } else { endpoint };
            let endpoint = match self.publishable_key {
                Some(key) => endpoint.with_publishable_key(&key)?,
                None => endpoint,
            };
            let http = self.exchange.sender(endpoint.is_plaintext())?;
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
        let http = self.exchange.sender(endpoint.is_plaintext())?;
        Ok(Way::Credentials(Box::new(endpoint), http))
    }
}

/// What requests are sent by.
#[derive(Default)]
struct Exchange {
    given: Option<Arc<dyn HttpExchange>>,
    #[cfg(feature = "client")]
    client: Option<crate::client::Builder>,
}

impl Exchange {
    fn sender(self, plaintext: bool) -> Result<Arc<dyn HttpExchange>, ConfigError> {
        if let Some(http) = self.given {
            return Ok(http);
        }
        #[cfg(feature = "client")]
        {
            let client = match self.client {
                Some(client) if !plaintext => client.build().map_err(std::io::Error::other),
                _ => crate::exchange::platform(plaintext),
            };
            Ok(Arc::new(client.map_err(ConfigError::Tls)?))
        }
        #[cfg(not(feature = "client"))]
        {
            let _ = plaintext;
            Err(ConfigError::NoExchange)
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            authentication_url: _,
            client_id,
            client_secret: _,
            placement,
            ticket_endpoint: _,
            publishable_key: _,
            provider: _,
            source: _,
            exchange: _,
            observer: _,
            names: _,
            policy,
            prefetch,
            shelf_life,
        } = self;
        formatter
            .debug_struct("Builder")
            .field("client_id", client_id)
            .field("placement", placement)
            .field("policy", policy)
            .field("prefetch", prefetch)
            .field("shelf_life", shelf_life)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_that_was_fetched_ahead_long_ago_is_not_handed_out() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let client = Client::builder().with_prefetch().with_token_provider(move || {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Ok(Secret::from(format!("t{number}"))) }
        });
        let client = client.build().unwrap();
        let text = async || client.authenticate().await.unwrap().secret().expose().to_owned();
        assert_eq!(text().await, "t1");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(count.load(Ordering::SeqCst), 2, "it was fetched ahead");
        assert_eq!(text().await, "t2", "the control");
        tokio::time::sleep(Duration::from_secs(301)).await;
        let late = text().await;
        assert_ne!(late, "t3", "it says nothing of its life, and the vendor's tokens live for minutes");
    }
}
