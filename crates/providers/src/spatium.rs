//! Spatium: an authorization session whose permission tokens go with HTTP requests, and open WebSockets.
//!
//! ```no_run
//! use auth_core::Secret;
//! use bytes::Bytes;
//! use http::Request;
//! use providers::spatium::Session;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "https://cloud.spatium.net/authorization/v1";
//! let session = Session::new(url, "the id of this device", &["read", "secret"])?;
//! let factor = session.security_factor_credentials("username", &Secret::from("password")).await?;
//! session.establish(&[factor]).await?;
//! let request = Request::get("https://cloud.spatium.net/signer/v1/api/ping").body(Bytes::new())?;
//! println!("{}", session.request(request).await?.status()); // with the permission token, refreshed as necessary
//! # Ok(())
//! # }
//! ```
//!
//! More on the session is in [`auth_http::spatium`]. A WebSocket with its token is for services that take one: an assumption.

use std::fmt;
use std::sync::Arc;

use auth_core::{Demand, Error, Secret, Token, TokenSource};
use auth_http::bearer::BearerClient;
use auth_http::spatium::AuthorizationSession;
use auth_http::spatium::wire::{AuthorizationService, WantedPermissions};
use bytes::Bytes;
use http::{Request, Response};
use ws_session::dialect::Dialect;
use ws_session::driver::tokio as socket;

pub use crate::ConfigError;
use crate::settings::{self, Plaintext, Settings, Sockets};
use crate::witness::Witness;

/// An authorization session, and what is done with its permission tokens. Clones share it.
///
/// Nothing is refreshed while nobody needs a token: a session that is idle for as long as its refresh token lives is over,
/// until it is established again. [`Builder::with_background_refresh`] changes that.
#[derive(Clone)]
pub struct Session {
    authorization: AuthorizationSession,
    tokens: Arc<dyn TokenSource>,
    bearer: BearerClient,
    sockets: Sockets,
    audit: Witness,
}

impl Session {
    /// A session at the authorization service `url`: `https`, or `http` on loopback. `token_id` tells parallel sessions apart:
    /// give each device its own, the same every time. Each token will have these permissions. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn new(url: &str, token_id: &str, permissions: &[&str]) -> Result<Self, ConfigError> {
        Self::builder(url, token_id, permissions)?.build()
    }

    /// Begins with a session of which more is to be said.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Spatium`].
    pub fn builder(url: &str, token_id: &str, permissions: &[&str]) -> Result<Builder, ConfigError> {
        let service = AuthorizationService::new(url)?;
        let wanted = WantedPermissions::new(token_id, permissions.iter().copied())?;
        let (origins, settings) = (vec![url.to_owned()], Settings::new());
        Ok(Builder { service, wanted, origins, background: false, settings })
    }

    /// Obtains a security token by user name and password, for [`establish`](Self::establish).
    ///
    /// # Errors
    ///
    /// As [`AuthorizationSession::security_factor_credentials`].
    pub async fn security_factor_credentials(&self, user: &str, password: &Secret) -> Result<Secret, Error> {
        self.authorization.security_factor_credentials(user, password).await
    }

    /// Establishes a session, in the place of the one before, if any, by security tokens that suffice for the permissions.
    ///
    /// # Errors
    ///
    /// As [`AuthorizationSession::establish`].
    pub async fn establish(&self, security_tokens: &[Secret]) -> Result<(), Error> {
        self.authorization.establish(security_tokens).await
    }

    /// The current permission token (`getPermissionToken`), refreshed if necessary.
    ///
    /// # Errors
    ///
    /// As [`AuthorizationSession::permission_token`].
    pub async fn permission_token(&self) -> Result<Token, Error> {
        self.tokens.token(Demand::Current).await
    }

    /// Refreshes the session: from here on there are another permission token and another refresh token.
    ///
    /// # Errors
    ///
    /// As [`AuthorizationSession::refresh`].
    pub async fn refresh(&self) -> Result<(), Error> {
        self.authorization.refresh().await
    }

    /// Sends a request with the permission token, to the authorization service's own origin or one that the session was
    /// [told of](Builder::with_origin). At 401 it is sent once more, with one token instead of the refused one.
    ///
    /// # Errors
    ///
    /// As [`BearerClient::request`] and [`permission_token`](Self::permission_token).
    pub async fn request(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.bearer.request(request).await
    }

    /// Opens a WebSocket of such an origin with `Authorization: Bearer <permission token>`, without waiting for it. A
    /// connection that is lost, or ends with its token, is followed by one with a fresh token.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Origin`] and [`ConfigError::Session`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn open(&self, url: &str) -> Result<socket::Session, ConfigError> {
        self.bearer.check(url).map_err(ConfigError::Origin)?;
        let tokens = Arc::clone(&self.tokens);
        Ok(self.sockets.session(&self.sockets.way(url)?, Dialect::bearer_header(), tokens).spawn())
    }

    /// What has the tokens: to go on with the session of an earlier run, to end this one, to present tokens in other ways. Those that
    /// it hands out itself wait for no record.
    #[must_use]
    pub const fn authorization(&self) -> &AuthorizationSession {
        &self.authorization
    }

    crate::witness::verbs!(self => self.audit);
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorization, tokens: _, bearer, sockets, audit } = self;
        formatter
            .debug_struct("Session")
            .field("authorization", authorization)
            .field("bearer", bearer)
            .field("sockets", sockets)
            .field("audit", audit)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`Session`].
#[must_use]
pub struct Builder {
    service: AuthorizationService,
    wanted: WantedPermissions,
    origins: Vec<String>,
    background: bool,
    settings: Settings,
}

impl Builder {
    settings::verbs_of_a_manager!();

    /// One more origin that may see permission tokens, by any URL of it: `https`, or `http` on loopback.
    pub fn with_origin(mut self, url: impl Into<String>) -> Self {
        self.origins.push(url.into());
        self
    }

    /// Refreshes also while nobody asks, so that the session lives for as long as the program does.
    pub fn with_background_refresh(self) -> Self {
        Self { background: true, ..self }
    }

    /// The session. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn build(mut self) -> Result<Session, ConfigError> {
        let http = self.settings.http(Plaintext::among(&self.origins))?;
        let (observer, audit) = self.settings.witnesses("spatium")?;
        let mut authorization = AuthorizationSession::builder(self.service, Arc::clone(&http), self.wanted)
            .with_policy(self.settings.policy.clone())
            .with_observer(Arc::clone(&observer));
        if let Some(store) = self.settings.store()? {
            authorization = authorization.with_store(store);
        }
        if self.background {
            authorization = authorization.with_background_refresh();
        }
        let authorization = authorization.build();
        let tokens = audit.recorded(Arc::new(authorization.clone()));
        let nowhere = BearerClient::new(Arc::clone(&tokens), http);
        let bearer = self.origins.iter().try_fold(nowhere, |bearer, url| bearer.with_origin(url))?;
        Ok(Session { authorization, tokens, bearer, sockets: self.settings.sockets(observer), audit })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Builder").field(&self.service).field(&self.wanted).finish()
    }
}
