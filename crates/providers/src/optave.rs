//! Optave: JWTs that open one WebSocket each, by client credentials on a server or from a token provider anywhere.
//!
//! | The SDK's verb | Here |
//! | --- | --- |
//! | `authenticate()` | [`Client::authenticate`]; with a token provider too |
//! | `openConnection(token)` | [`Client::open_connection`]: the session ends with its connection |
//! | `openConnection()`, and again on `close` | [`Client::connect`]: the session makes each connection with a fresh token |
//! | `on('message')`, `on('close')` | [`Session::next`], and `None` at the end; [`Session::error`] says why, [`Session::events`] tell of each |
//! | a request, its reply | [`Session::request`] |
//!
//! ```no_run
//! use providers::optave::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder()
//!     .with_websocket_url("wss://ws-sandbox.oco.optave.tech/")
//!     .with_authentication_url("https://sandbox.oco.optave.tech/auth/oauth2")
//!     .with_client_id("client-id")
//!     .with_client_secret("client-secret")
//!     .build()?;
//! loop {
//!     let token = client.authenticate().await?; // a fresh one for each connection
//!     let mut session = client.open_connection(token).await?;
//!     while let Some(message) = session.next().await {
//!         println!("{message:?}");
//!     }
//!     println!("connection closed, reconnecting: {:?}", session.error());
//! }
//! # }
//! ```
//!
//! [`Client::connect`] is that loop, with waits between attempts that fail:
//!
//! ```no_run
//! # async fn example(client: providers::optave::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = client.connect().await?;
//! while let Some(message) = session.next().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod builder;
mod config_error;
mod once;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::source::FixedToken;
use auth_core::{Demand, Error, Secret, Token, TokenSource};
use auth_http::optave::UsedTokens;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::Session;
use ws_session::machine::Config as SessionConfig;

pub use self::builder::Builder;
pub use self::config_error::ConfigError;
use self::once::{Given, Once};
use crate::settings::{Sockets, Way};
use crate::witness::Witness;

/// A client of Optave. Clones are the same client: what one has opened a connection with, none opens another with.
#[derive(Clone)]
pub struct Client {
    authentication: auth_http::optave::Client,
    /// The same, recorded where they are to be.
    tokens: Arc<dyn TokenSource>,
    used: Arc<UsedTokens>,
    sockets: Sockets,
    way: Way,
    audit: Witness,
    dialect: Arc<Dialect>,
    connection_timeout: Duration,
    request_timeout: Duration,
}

/// Where the token goes when a connection is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the two ways that the SDK has")]
pub enum AuthTransport {
    /// `Sec-WebSocket-Protocol: optave-v1, <token>`: the default.
    #[default]
    Subprotocol,
    /// `?Authorization=<token>`. The SDK warns of it, and so do we: a URL gets into the logs of servers and proxies. Prefer the
    /// subprotocol.
    Query,
}

impl Client {
    /// Begins with nothing: the WebSocket URL and one way to a token must be given.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A fresh token, for one connection: by client credentials, or from the token provider.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`](auth_core::ErrorKind::InvalidClient) when id or secret are wrong; otherwise as for any token endpoint, or what the
    /// provider failed with. Never an empty token.
    pub async fn authenticate(&self) -> Result<Token, Error> {
        self.tokens.token(Demand::Current).await
    }

    /// Opens a connection with exactly this token, and waits until the server has accepted it. The session does not reconnect:
    /// once it has ended, [authenticate](Self::authenticate) again and open another.
    ///
    /// A token that was had elsewhere will do: `Token::new("…".into())`.
    ///
    /// # Errors
    ///
    /// [`Token`](ws_session::ErrorKind::Token) when a connection was opened with the token before: it is not sent again; and when it is
    /// to be on record first and can't be: it was not sent.
    /// [`AuthenticationRefused`](ws_session::ErrorKind::AuthenticationRefused) when the server refuses it,
    /// [`Timeout`](ws_session::ErrorKind::Timeout) when it has not answered within the
    /// [connection timeout](Builder::with_connection_timeout), and
    /// [`ConnectionLost`](ws_session::ErrorKind::ConnectionLost) when there is no connection for another reason.
    pub async fn open_connection(&self, token: Token) -> Result<Session, ws_session::Error> {
        // What it still lives is not known: that was said when it was handed over.
        let given = Token::new(bare(token.secret())).with_type(token.token_type());
        let source: Arc<dyn TokenSource> = match token.fingerprint() {
            // It was recorded when it was let out.
            Some(fingerprint) => Arc::new(FixedToken::new(given.with_fingerprint(fingerprint))),
            None => Arc::new(Given(self.audit.recorded(Arc::new(FixedToken::new(given))))),
        };
        let mut session = self.spawn(source, SessionConfig::without_reconnection);
        session.authenticated().await?;
        Ok(session)
    }

    /// Opens a session that keeps itself connected, each time with a fresh token, and waits until it is connected.
    ///
    /// # Errors
    ///
    /// Why the session ended for good: the credentials are wrong, or the server refuses a fresh token too. And
    /// [`Timeout`](ws_session::ErrorKind::Timeout) when it was not connected within the
    /// [connection timeout](Builder::with_connection_timeout), token included; the session is dropped then. Once connected, a
    /// session keeps trying as long as the server only fails: a final verdict, such as on a protocol that it breaks, ends it.
    pub async fn connect(&self) -> Result<Session, ws_session::Error> {
        let mut session = self.open();
        session.authenticated_within(self.connection_timeout).await?;
        Ok(session)
    }

    /// The same without waiting: it connects in the background, and never gives up over an outage.
    #[must_use]
    pub fn open(&self) -> Session {
        self.spawn(Arc::clone(&self.tokens), |config| config)
    }

    /// Ends the way to tokens for all clones; sessions end when they need another.
    pub async fn shut_down(&self) {
        self.authentication.shut_down().await;
    }

    crate::witness::verbs!(self => self.audit);

    fn spawn(
        &self,
        tokens: Arc<dyn TokenSource>,
        change: impl FnOnce(SessionConfig) -> SessionConfig,
    ) -> Session {
        let once = Once { tokens, used: Arc::clone(&self.used) };
        let session = self.sockets.session(&self.way, Arc::clone(&self.dialect), Arc::new(once));
        let config = change(self.sockets.config().clone());
        session.with_config(config).with_request_timeout(self.request_timeout).spawn()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("way", &self.way).finish_non_exhaustive()
    }
}

/// The token alone: where a scheme stands before it, as in a header, no subprotocol could hold it.
fn bare(token: &Secret) -> Secret {
    token.expose().strip_prefix("Bearer ").map_or_else(|| token.clone(), Secret::from)
}

#[cfg(test)]
mod tests;
