//! The settings of a client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::ably::{AuthDefaults, AuthOptions, ClientId, TokenParams};
use auth_core::fingerprint::FingerprintKey;
use auth_core::{Error, Observer};

use super::Auth;
use super::core::Core;
use super::server_clock::ServerClock;
use super::surroundings::Surroundings;
use super::wire::{BearerFormat, PRIMARY_ENDPOINT, Service};
use crate::told::Told;

/// The settings of an [`Auth`].
#[must_use]
pub struct Builder {
    options: AuthOptions,
    surroundings: Surroundings,
    client_id: Option<ClientId>,
    params: TokenParams,
    endpoint: String,
    bearer: BearerFormat,
    provider_timeout: Duration,
    plaintext_keys: bool,
    observer: Option<Arc<dyn Observer>>,
    names: Option<FingerprintKey>,
}

/// Settings that give up protection: see [`Builder::dangerous`].
#[must_use]
pub struct Dangerous(Builder);

impl Builder {
    pub(super) fn new(options: AuthOptions, surroundings: Surroundings) -> Self {
        Self {
            options,
            surroundings,
            client_id: None,
            params: TokenParams::new(),
            endpoint: PRIMARY_ENDPOINT.to_owned(),
            bearer: BearerFormat::default(),
            provider_timeout: Duration::from_secs(10),
            plaintext_keys: false,
            observer: None,
            names: None,
        }
    }

    /// The identity of this client: its tokens must be of it, or of anybody (RSA15a). None by default: that of its
    /// tokens.
    pub fn with_client_id(self, client_id: ClientId) -> Self {
        Self { client_id: Some(client_id), ..self }
    }

    /// What is asked for where a call says nothing (TO3j11): by default whatever the service gives.
    pub fn with_default_params(self, params: TokenParams) -> Self {
        Self { params, ..self }
    }

    /// Where the service is: [`PRIMARY_ENDPOINT`] by default. Plain `http` is for this machine only.
    pub fn with_endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: url.into(), ..self }
    }

    /// How tokens stand in the `Authorization` header: in base64 by default.
    pub fn with_bearer(self, bearer: BearerFormat) -> Self {
        Self { bearer, ..self }
    }

    /// How long an auth callback or auth URL may take: 10 s by default, as in Ably's libraries
    /// (`realtimeRequestTimeout`).
    pub fn with_provider_timeout(self, limit: Duration) -> Self {
        Self { provider_timeout: limit, ..self }
    }

    /// Who is told about requests for tokens and what came of them, about what is signed for others, and about refusals and
    /// revocations; nobody by default. A panic of the observer is caught, and costs it the event.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// The key under which events name tokens; random by default, so that names mean nothing elsewhere.
    pub fn with_fingerprint_key(self, names: FingerprintKey) -> Self {
        Self { names: Some(names), ..self }
    }

    /// Settings that give up protection.
    pub fn dangerous(self) -> Dangerous {
        Dangerous(self)
    }

    /// The client. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Code 40106 when there is no way to authenticate (RSC1b, RSA14); 40102 when the token given is another client's;
    /// 40103 when the key would go out without TLS (RSA1); [`Misconfigured`](auth_core::ErrorKind::Misconfigured) when
    /// the endpoint can't be one.
    pub fn build(self) -> Result<Auth, Error> {
        let Self {
            options,
            surroundings,
            client_id,
            params,
            endpoint,
            bearer,
            provider_timeout,
            plaintext_keys,
            observer,
            names,
        } = self;
        let defaults = AuthDefaults::new(options, client_id.clone(), params)?;
        let mut service = Service::new(&endpoint)?.with_bearer(bearer);
        if let Some(client_id) = client_id.clone() {
            service = service.with_client_id(client_id);
        }
        if plaintext_keys {
            service = service.with_plaintext_basic();
        }
        if !defaults.uses_token_auth() {
            service.check_basic()?;
        }
        let server_clock = ServerClock::default();
        let told = observer.map(|observer| {
            Told::new(observer, names.unwrap_or_else(|| FingerprintKey::new((surroundings.random)())))
        });
        let core = Core { surroundings, service, server_clock, client_id, provider_timeout, told };
        Ok(Auth::new(core, defaults))
    }
}

impl Dangerous {
    /// Sends the key without TLS, which RSA1 forbids: for tests and for a gateway on this machine. Other machines are
    /// refused all the same.
    pub fn with_plaintext_keys(self) -> Builder {
        Builder { plaintext_keys: true, ..self.0 }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            options,
            surroundings: _,
            client_id,
            params,
            // May be anything yet.
            endpoint: _,
            bearer,
            provider_timeout,
            plaintext_keys,
            observer: _,
            names: _,
        } = self;
        formatter
            .debug_struct("Builder")
            .field("options", options)
            .field("client_id", client_id)
            .field("params", params)
            .field("bearer", bearer)
            .field("provider_timeout", provider_timeout)
            .field("plaintext_keys", plaintext_keys)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Dangerous {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(builder) = self;
        formatter.debug_tuple("Dangerous").field(builder).finish()
    }
}
