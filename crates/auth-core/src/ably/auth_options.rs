//! How a client gets its Ably tokens (AO2).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use async_trait::async_trait;

use super::{ApiKey, KeyOrToken, TokenDetails, TokenParams, TokenReply};
use crate::{Error, Secret};

/// A program's own way to a token (AO2b): it asks the backend that has the key.
///
/// ```
/// use auth_core::ably::{AuthCallback, TokenParams, TokenReply};
/// use auth_core::{Error, Secret};
///
/// struct AskMyBackend;
///
/// #[async_trait::async_trait]
/// impl AuthCallback for AskMyBackend {
///     async fn token(&self, params: &TokenParams) -> Result<TokenReply, Error> {
///         Ok(TokenReply::Token(Secret::from("what the backend answered")))
///     }
/// }
/// ```
#[async_trait]
pub trait AuthCallback: Send + Sync {
    /// Gets a token, its details, or a signed request for one, for these parameters.
    ///
    /// # Errors
    ///
    /// Any error; code 40300 means that the backend refused, which ends a realtime connection (RSA4d).
    async fn token(&self, params: &TokenParams) -> Result<TokenReply, Error>;
}

/// How a client authenticates. Options that are given to a call take the place of the stored ones as a whole: nothing is
/// merged (RSA8e, RSA10j).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct AuthOptions {
    /// A key, which signs token requests (AO2a).
    pub key: Option<ApiKey>,
    /// A token to use as it is (AO2i, AO2j).
    pub token: Option<TokenDetails>,
    /// A program's own way to a token (AO2b).
    pub auth_callback: Option<Arc<dyn AuthCallback>>,
    /// An endpoint that answers with a token or a token request (AO2c).
    pub auth_url: Option<AuthUrl>,
    /// Whether to sign with the server's time instead of the clock's (AO2g). It serves for one call: it is never stored.
    pub query_time: bool,
    /// `true` for token authentication even with a key, `false` for Basic (AO2h); `None` leaves it to RSA4.
    pub use_token_auth: Option<bool>,
}

/// An auth URL with what is sent along. Parameters and headers belong to the URL they were given with, and are replaced
/// with it (RSA8c3).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthUrl {
    /// The URL. It may have a query of its own, which the parameters win over.
    pub url: String,
    /// How to ask (AO2d).
    pub method: AuthMethod,
    /// Headers to send (AO2e), in order.
    pub headers: Vec<(String, Secret)>,
    /// Parameters to send (AO2f), in order; those of the token win over them (RSA8c2).
    pub params: Vec<(String, Secret)>,
}

/// How to ask an auth URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "AO2d knows two")]
pub enum AuthMethod {
    /// Parameters in the query.
    #[default]
    Get,
    /// Parameters in a form body.
    Post,
}

/// A way to get another token.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "a client must be able to follow each")]
pub enum Means {
    /// Ask the program.
    Callback(Arc<dyn AuthCallback>),
    /// Ask the URL.
    Url(AuthUrl),
    /// Sign a token request, and exchange it.
    Key(ApiKey),
}

impl AuthOptions {
    /// Options that name no way to authenticate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same options with a key.
    #[must_use]
    pub fn with_key(self, key: ApiKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The same options with a token.
    #[must_use]
    pub fn with_token(self, token: TokenDetails) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The same options with a callback.
    #[must_use]
    pub fn with_auth_callback(self, callback: Arc<dyn AuthCallback>) -> Self {
        Self { auth_callback: Some(callback), ..self }
    }

    /// The same options with an auth URL.
    #[must_use]
    pub fn with_auth_url(self, url: AuthUrl) -> Self {
        Self { auth_url: Some(url), ..self }
    }

    /// The same options, signing with the server's time.
    #[must_use]
    pub fn with_query_time(self, query_time: bool) -> Self {
        Self { query_time, ..self }
    }

    /// The same options, forcing token authentication (`true`) or Basic (`false`).
    #[must_use]
    pub fn with_use_token_auth(self, use_token_auth: bool) -> Self {
        Self { use_token_auth: Some(use_token_auth), ..self }
    }

    /// The way to another token, if several are named the first of callback, URL and key, as ably-js has it.
    #[must_use]
    pub fn means(&self) -> Option<Means> {
        let callback = self.auth_callback.clone().map(Means::Callback);
        callback
            .or_else(|| self.auth_url.clone().map(Means::Url))
            .or_else(|| self.key.clone().map(Means::Key))
    }

    /// Whether they name any way to authenticate, be it for once.
    #[must_use]
    pub fn can_authenticate(&self) -> bool {
        self.token.is_some() || self.means().is_some()
    }

    /// Whether token authentication is what they ask for (RSA4).
    #[must_use]
    pub fn wants_token(&self) -> bool {
        let implied = self.auth_url.is_some() || self.auth_callback.is_some() || self.token.is_some();
        self.use_token_auth.unwrap_or(implied)
    }

    /// The same options without what serves only once (RSA10g).
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { query_time: false, ..self }
    }
}

impl AuthUrl {
    /// A URL to ask by GET.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: AuthMethod::Get, headers: Vec::new(), params: Vec::new() }
    }

    /// The same URL, asked in another way.
    #[must_use]
    pub fn with_method(self, method: AuthMethod) -> Self {
        Self { method, ..self }
    }

    /// The same URL with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same URL with one more parameter.
    #[must_use]
    pub fn with_param(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }
}

impl From<KeyOrToken> for AuthOptions {
    /// The options that one text stands for (RSC1): a key, or a token to use as it is.
    fn from(text: KeyOrToken) -> Self {
        match text {
            KeyOrToken::Key(key) => Self::new().with_key(key),
            KeyOrToken::Token(token) => Self::new().with_token(TokenDetails::new(token)),
        }
    }
}

impl fmt::Debug for AuthOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, token, auth_callback, auth_url, query_time, use_token_auth } = self;
        formatter
            .debug_struct("AuthOptions")
            .field("key", key)
            .field("token", token)
            .field("auth_callback", &auth_callback.as_ref().map(|_| "…"))
            .field("auth_url", auth_url)
            .field("query_time", query_time)
            .field("use_token_auth", use_token_auth)
            .finish()
    }
}

impl fmt::Debug for AuthUrl {
    /// Shows the host and the path: what stands before an `@` or behind a `?` or `#` may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, method, headers, params } = self;
        formatter
            .debug_struct("AuthUrl")
            .field("url", &shown(url))
            .field("method", method)
            .field("headers", headers)
            .field("params", params)
            .finish()
    }
}

fn shown(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or_default();
    url.rsplit_once('@').map_or(url, |(_, behind)| behind)
}

impl fmt::Debug for Means {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback(_) => formatter.write_str("Callback(…)"),
            Self::Url(url) => formatter.debug_tuple("Url").field(url).finish(),
            Self::Key(key) => formatter.debug_tuple("Key").field(key).finish(),
        }
    }
}
