//! Ably: token authentication with the verbs of its SDKs, and a realtime connection that changes over to each new token in place.
//!
//! ```no_run
//! use auth_core::ably::{AuthOptions, AuthUrl, TokenParams};
//! use providers::ably::Realtime;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let options = AuthOptions::new().with_auth_url(AuthUrl::new("https://my.example/ably-token"));
//! let realtime = Realtime::builder(options).build()?;
//! let mut session = realtime.connect().await?;
//! session.send(r#"{"action":10,"channel":"news"}"#).await?;
//! println!("{:?}", session.next().await); // ATTACHED, as Ably has it
//!
//! let more = TokenParams::new().with_capability(r#"{"news":["*"],"chat:*":["*"]}"#.parse()?);
//! realtime.authorize(Some(more), None).await?; // the connection has it now
//! # Ok(())
//! # }
//! ```
//!
//! Messages are Ably's protocol messages, in JSON, as they are: channels, presence and history are the program's. A token's
//! way to the server, its renewal before it expires or when the server asks (RTN22), the heartbeats, the resumption of a lost
//! connection (RTN15b) and its end (RTN12) are the session's. A client always connects with a token: a key signs a request for one, and never
//! stands in a URL.

mod builder;
mod identity;
mod ping;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::ably::{AuthOptions, ErrorCode, TokenDetails, TokenParams};
use auth_core::{Error, ErrorKind, TokenSource};
use auth_http::ably::{Auth, connection_error};
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Control, Session};

pub use self::builder::Builder;
use self::identity::Identity;
use crate::settings::{Sockets, Way};
use crate::witness::Witness;

/// A client of Ably with one realtime connection at a time; clones are handles of the same one.
#[derive(Clone)]
pub struct Realtime(Arc<Inner>);

struct Inner {
    auth: Auth,
    /// The same for the connection.
    tokens: Arc<dyn TokenSource>,
    identity: Arc<Identity>,
    dialect: Arc<Dialect>,
    sockets: Sockets,
    way: Way,
    audit: Witness,
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    control: Option<Control>,
    /// One that nobody has asked for yet but `authorize`.
    kept: Option<Session>,
}

/// How long [`Realtime::connect`] waits: as long as it may take a token, and a connection after it.
const PATIENCE: Duration = Duration::from_secs(30);

impl Realtime {
    /// Begins with a client that authenticates like this.
    pub fn builder(options: AuthOptions) -> Builder {
        Builder::new(options)
    }

    /// `authorize`, `createTokenRequest`, `requestToken`, `revokeTokens` and `clientId` of this client. Its own
    /// [`authorize`](Auth::authorize) changes what the next connection or renewal presents, and leaves the connection alone. What it hands
    /// out to the program waits for no record; the connection's tokens do, where the audit log is strict.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// Connects, and waits until Ably has said so (RTN6).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); why Ably refused, under its number; [`Timeout`](ErrorKind::Timeout) when there was no connection
    /// within 30 s: the attempt is over then. Once connected, a session keeps trying as long as the server only fails.
    pub async fn connect(&self) -> Result<Session, Error> {
        let mut session = self.open()?;
        let connected = session.authenticated_within(PATIENCE).await;
        connected.map_err(|error| self.0.identity.explain(&error))?;
        Ok(session)
    }

    /// Begins to connect in the background, or hands over the connection that [`authorize`](Self::authorize) made.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) while this client has a connection: one ends with its [`Session`].
    pub fn open(&self) -> Result<Session, Error> {
        let mut connection = self.connection();
        let kept = connection.kept.take();
        if connection.control.as_ref().is_none_or(Control::has_ended) {
            let session = self.spawn();
            connection.control = Some(session.control());
            return Ok(session);
        }
        kept.ok_or_else(|| {
            let text = "this client has a connection; close that first, or make another client";
            Error::new(ErrorKind::Misconfigured, text)
        })
    }

    /// Gets a token now, by these parameters and options if given, and has the connection use it (RTC8): in place if there is one,
    /// for a new attempt if there is none yet, and else it connects, for [`connect`](Self::connect) to hand over. Both are stored as
    /// by [`Auth::authorize`].
    ///
    /// It is done when the server has acknowledged the token (RTC8a3). A session that has many messages waiting to be read reads
    /// no answer either.
    ///
    /// # Errors
    ///
    /// Without a token, those of [`Auth::authorize`] as a [connection's](connection_error), and the connection goes on with what it
    /// has. Else why the connection failed, is closed, or is suspended (RTC8b1); after the last it still tries.
    pub async fn authorize(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<TokenDetails, Error> {
        let details = self.0.auth.authorize(params, options).await.map_err(connection_error)?;
        let newest = self.0.auth.changes().generation();
        let control = self.connected();
        let presented = control.present(newest).await.map_err(|error| error.to_string());
        let identity = &self.0.identity;
        presented.map_err(|text| identity.why(&control, ErrorCode::AUTHENTICATION_FAILED, text))?;
        Ok(details)
    }

    /// Closes the connection after what was sent, if there is one: says CLOSE, waits for CLOSED, and until nothing of it is left (RTN12).
    /// An attempt whose server may be about to say CONNECTED is waited for, and closed then. The server has 10 s for each: CONNECTED,
    /// CLOSED and the close, and to take any more of what was sent before; then the connection is dropped.
    ///
    /// # Errors
    ///
    /// Why it had already ended, if it had failed.
    pub async fn close(&self) -> Result<(), Error> {
        let Connection { control, kept } = std::mem::take(&mut *self.connection());
        let closed = match control {
            Some(control) => control.close().await,
            None => Ok(()),
        };
        drop(kept);
        closed.map_err(|error| self.0.identity.explain(&error))
    }

    crate::witness::verbs!(self => self.0.audit);

    /// What steers the connection: the one that there is, or a new one.
    fn connected(&self) -> Control {
        let mut connection = self.connection();
        if let Some(control) = connection.control.clone().filter(|control| !control.has_ended()) {
            return control;
        }
        let session = self.spawn();
        let control = session.control();
        *connection = Connection { control: Some(control.clone()), kept: Some(session) };
        control
    }

    fn spawn(&self) -> Session {
        let Inner { tokens, dialect, sockets, way, .. } = &*self.0;
        let session = sockets.session(way, Arc::clone(dialect), Arc::clone(tokens));
        session.with_request_timeout(builder::REQUEST_TIMEOUT).spawn()
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Nothing can panic while it is held.
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Realtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { auth, way, .. } = &*self.0;
        formatter.debug_struct("Realtime").field("auth", auth).field("way", way).finish_non_exhaustive()
    }
}
