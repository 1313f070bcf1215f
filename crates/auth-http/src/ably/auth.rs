//! The handle: `authorize`, `createTokenRequest`, `requestToken` and `revokeTokens` under their own names.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_core::Error;
use auth_core::ably::{
    ApiKey, AuthOptions, Authorization, ErrorCode, RevocationRequest, RevocationResult, TokenClientId,
    TokenDetails, TokenParams, TokenRequest, check_identity,
};
use auth_core::time::{Now, Timestamp};
use auth_core::token::Generation;

use super::builder::Builder;
use super::changes::{Announcements, Changes};
use super::core::Core;
use super::obtaining::Landing;
use super::state::{Arrival, Held, State};
use super::surroundings::Surroundings;
use super::wire::read_revocation;

/// A client of Ably Auth; clones are handles of the same one.
///
/// It keeps the token in use, gets another when somebody needs one, and shares that request among all who wait for it.
/// It spawns nothing: whoever waits gets the request on, and one who is dropped harms nobody.
///
/// ```
/// use std::sync::Arc;
///
/// use auth_core::ably::{AuthOptions, TokenParams};
/// use auth_http::ably::{Auth, Surroundings};
///
/// # async fn example(surroundings: Surroundings) -> Result<(), Box<dyn std::error::Error>> {
/// let options = AuthOptions::new().with_key("appId.keyId:secret".parse()?);
/// let auth = Auth::builder(options, surroundings).build()?;
///
/// // For a client that is trusted less: signed here, exchanged there.
/// let request = auth.create_token_request(Some(TokenParams::new()), None).await?;
///
/// // For this program: from now on it uses a token.
/// let token = auth.authorize(None, None).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    state: Mutex<State>,
    announcements: Arc<Announcements>,
}

impl Auth {
    /// Begins with a client that authenticates like this.
    pub fn builder(options: AuthOptions, surroundings: Surroundings) -> Builder {
        Builder::new(options, surroundings)
    }

    /// The same inside a tokio runtime, with [`Surroundings::on_tokio`].
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](auth_core::ErrorKind::Misconfigured) when the platform has no certificate authorities that can be read.
    #[cfg(all(feature = "client", feature = "tokio"))]
    pub fn on_tokio(options: AuthOptions) -> Result<Builder, Error> {
        Ok(Self::builder(options, Surroundings::on_tokio()?))
    }

    pub(super) fn new(core: Core, defaults: auth_core::ably::AuthDefaults) -> Self {
        let given = defaults.options().token.clone().filter(|_| defaults.uses_token_auth());
        let inner = Inner {
            core: Arc::new(core),
            state: Mutex::new(State::new(defaults)),
            announcements: Arc::default(),
        };
        let auth = Self(Arc::new(inner));
        if let Some(token) = given {
            let arrival = auth.arrival(auth.0.core.now());
            // Nothing is under way yet.
            let _ = auth.state().given(token, arrival);
            auth.announce();
        }
        auth
    }

    /// Gets a token now, and uses it and tokens from then on (RSA10a), on a live connection in place: see
    /// [`changes`](Self::changes). A token among the options is used as it is.
    ///
    /// What is given is stored, in place of the stored as a whole (RSA10j), except the timestamp and `query_time`
    /// (RSA10g). Of several calls at once the latest wins: each asks, and the others get its token if it is there by
    /// then.
    ///
    /// # Errors
    ///
    /// Those of [`request_token`](Self::request_token); code 40106 when options are given that name no way to
    /// authenticate; code 40102 when the key or the token is another client's.
    pub async fn authorize(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<TokenDetails, Error> {
        match self.authorizing(params, options)? {
            Authorizing::Done(token) => {
                self.announce();
                Ok(token)
            }
            Authorizing::Wait(landing) => Ok(self.landed(landing).await?.details.clone()),
        }
    }

    fn authorizing(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<Authorizing, Error> {
        let now = self.0.core.now();
        let arrival = self.arrival(now);
        // Code of the program may run when what was given or is replaced is dropped: after the lock.
        let mut dropped = (options.clone(), None, None);
        let inherits = params.is_none() && options.is_none();
        let mut state = self.state();
        dropped.1 = Some(state.defaults.options().clone());
        let authorizing = match state.defaults.authorize(params, options)? {
            Authorization::Use(token) => {
                dropped.2 = state.given(token.clone(), arrival);
                Authorizing::Done(token)
            }
            Authorization::Get(mut plan) => {
                // RSA10h, for an identity that is the token's rather than the configured one. Whoever logs in anew has
                // another.
                if let (true, None, Some(TokenClientId::Identified(client_id))) =
                    (inherits, plan.params.client_id(), state.inherited_client_id())
                {
                    plan.params = plan.params.clone().with_client_id(client_id.clone());
                }
                let request = self.getting(plan, state.lives_until());
                let (flight, replaced) = state.begin(request, now);
                dropped.2 = replaced;
                Authorizing::Wait(Landing::of(&flight))
            }
        };
        drop(state);
        drop(dropped);
        Ok(authorizing)
    }

    /// Signs a request that another client can exchange for a token (RSA9). Nothing is sent, unless the server's time
    /// is asked for.
    ///
    /// What is given takes the place of the stored as a whole (RSA9h).
    ///
    /// # Errors
    ///
    /// Code 40101 without a key; whatever asking for the time gives.
    pub async fn create_token_request(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<TokenRequest, Error> {
        let defaults = self.state().defaults.clone();
        let plan = defaults.signing_plan(params, options)?;
        let request = self.0.core.sign(&plan.key, &plan.params, plan.query_time).await?;
        if let Some(told) = &self.0.core.told {
            told.signed(&request);
        }
        Ok(request)
    }

    /// Gets a token, to be handed on (RSA8): it is neither kept nor used here.
    ///
    /// What is given takes the place of the stored as a whole (RSA8e).
    ///
    /// # Errors
    ///
    /// Code 40171 when there is no way to a token; 40170 when the callback or auth URL failed, its error being the
    /// [`source`](std::error::Error::source), or 40300 when it refused; 40104 with both times in it; 40105 when the
    /// answer of a callback or auth URL had been used; whatever else the service says.
    pub async fn request_token(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<TokenDetails, Error> {
        let (defaults, in_use) = {
            let state = self.state();
            (state.defaults.clone(), state.lives_until())
        };
        let plan = defaults.token_plan(params, options)?;
        let core = &self.0.core;
        let begun = core.now();
        let details = core.token(plan, in_use).await?;
        if let Some(told) = &core.told {
            let arrival = self.arrival(begun);
            told.issued(&Held::arrived(details.clone(), arrival), begun, arrival.now);
        }
        Ok(details)
    }

    /// Revokes tokens that this client's key issued (RSA17). What came of each target is in the result.
    ///
    /// # Errors
    ///
    /// Code 40162, and nothing is sent, on token authentication (RSA17d); 40103 without TLS; whatever the service says
    /// of the request as a whole; [`MalformedResponse`](auth_core::ErrorKind::MalformedResponse) when it does not say of each target
    /// what became of it.
    pub async fn revoke_tokens(&self, request: &RevocationRequest) -> Result<RevocationResult, Error> {
        let key = self.basic_key().ok_or_else(|| {
            let text = "revoking tokens needs the key itself; use a client that authenticates with it";
            ErrorCode::NEEDS_BASIC.error(text)
        })?;
        let outcome = self.revoking(&key, request).await;
        if let Some(told) = &self.0.core.told {
            told.revoked(request, &outcome);
        }
        outcome
    }

    async fn revoking(&self, key: &ApiKey, request: &RevocationRequest) -> Result<RevocationResult, Error> {
        let core = &self.0.core;
        read_revocation(&core.exchange(core.service.revoke_tokens(key, request)?).await?)?
            .in_order_of(request)
    }

    /// The service's time (RSC16), which is remembered for signing and for telling whether a token has expired
    /// (RSA10k).
    ///
    /// # Errors
    ///
    /// Those of the exchange, and [`MalformedResponse`](auth_core::ErrorKind::MalformedResponse).
    pub async fn query_time(&self) -> Result<Timestamp, Error> {
        self.0.core.query_time().await
    }

    /// Whom this client speaks for: as configured (RSA7b1), else as the connection (RSA7b3) or the token (RSA7b2) says,
    /// a wildcard as such (RSA7b4). `None` for an anonymous one, and while it is not known (RSA12).
    #[must_use]
    pub fn client_id(&self) -> Option<TokenClientId> {
        let configured = self.0.core.client_id.clone().map(TokenClientId::Identified);
        configured.or_else(|| self.state().inherited_client_id().cloned())
    }

    /// Takes in whom the service said that a live connection speaks for (`connectionDetails.clientId`), until the next
    /// token.
    ///
    /// # Errors
    ///
    /// Code 40102 when it is not the configured client (RSA15a).
    pub fn connected_as(&self, client_id: Option<TokenClientId>) -> Result<(), Error> {
        check_identity(self.0.core.client_id.as_ref(), client_id.as_ref())?;
        self.state().connect_as(client_id);
        Ok(())
    }

    /// The token in use (RSA16): `None` if there is none, it was refused or has expired, or the client authenticates
    /// with its key. Of a bare token string nothing but itself is known.
    #[must_use]
    pub fn token_details(&self) -> Option<TokenDetails> {
        let (now, server_now) = (self.0.core.now(), self.0.core.server_now());
        let state = self.state();
        let usable = state.usable(now, server_now).filter(|_| state.defaults.uses_token_auth());
        usable.map(|held| held.details.clone())
    }

    /// Whether requests carry a token rather than the key (RSA4).
    #[must_use]
    pub fn uses_token_auth(&self) -> bool {
        self.state().defaults.uses_token_auth()
    }

    /// Whether there is a way to another token when this one ends (RSA4a1): with a bare token alone there is none.
    #[must_use]
    pub fn can_renew(&self) -> bool {
        self.state().is_renewable()
    }

    /// Watches for new tokens, beginning with the one after the current.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(Arc::clone(&self.0.announcements))
    }

    /// The key, while requests carry it.
    pub(super) fn basic_key(&self) -> Option<ApiKey> {
        let state = self.state();
        if state.defaults.uses_token_auth() { None } else { state.defaults.options().key.clone() }
    }

    pub(super) fn arrival(&self, begun: Now) -> Arrival {
        let core = &self.0.core;
        let [random, ..] = (core.surroundings.random)();
        Arrival { begun, now: core.now(), server_now: core.server_now(), random }
    }

    pub(super) fn announce(&self) {
        let generation = self.state().held().map_or(Generation::NONE, |held| held.generation);
        self.0.announcements.announce(generation);
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    #[cfg(test)]
    pub(super) fn is_locked(&self) -> bool {
        self.0.state.try_lock().is_err()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Authorizing {
    Done(TokenDetails),
    Wait(Landing),
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.announcements.end();
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { core, state: _, announcements: _ } = &*self.0;
        let Core { surroundings: _, service, server_clock, client_id, provider_timeout, told: _ } = &**core;
        formatter
            .debug_struct("Auth")
            .field("service", service)
            .field("server_clock", server_clock)
            .field("client_id", client_id)
            .field("provider_timeout", provider_timeout)
            .finish_non_exhaustive()
    }
}
