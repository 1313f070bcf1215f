//! The other end: an OAuth token endpoint, and a WebSocket endpoint that verifies what it is given.
//!
//! It serves as a backend, as the counterpart of the demo, and as the test peer of the other crates. What a token
//! is and what a message means can be replaced: [`Issuer`], [`Authenticator`] and [`Application`] are its seams.
//!
//! A connection must present a credential within ten seconds, is closed when its credential expires without
//! renewal, and may renew it at any time in band. Everything that a stranger controls has a limit.
//!
//! WebSockets are accepted in [any dialect](Config::with_websocket) that `ws_session` can describe: the same description
//! drives the client and this server.
//!
//! Refresh tokens rotate, and the reuse of a spent one revokes all that came of it; a client that lost an answer may
//! ask for it again within a [grace](Config::with_refresh_grace). [`Refreshes`] counts both.
//!
//! With an [Ably key](Config::with_ably_key) it also answers Ably's own libraries: over REST the time, token requests,
//! revocations, publishing, and a history that is empty, as channels keep nothing; and over WebSockets at `/` connections that
//! are renewed in place, expire, are revoked, and attach, publish and subscribe within their capability.
//! Beside its own endpoints it serves Optave's and Spatium's, where they are [configured](Config::with_optave).
//!
//! Each decision is [told](Config::with_recorder) exactly once: who got a token and who did not, what was spent, replayed and
//! revoked, who was let in, renewed, refused, and how each connection ended, with how long ago it was revoked where that is why. A token is handed out, a connection let in, and a
//! revocation answered only when that is on record; where it can't be, or not within the [patience](Config::with_patience), the
//! answer is 503, or close code 1013. A revocation takes effect all the same, and a token that serves once is spent: both are
//! recorded later, once, as of when it happened. Refusals are told one by one, up to a rate; what is more is counted in later
//! events that stand for many. No event holds a token: each is named by its [fingerprint](Config::with_fingerprint_key).
//!
//! ```no_run
//! use auth_core::Secret;
//! use gateway::{Client, Config, Gateway};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("abc123", Secret::from("secret"), "conversation:read user:read".parse()?);
//! let gateway = Gateway::bind(Config::new("127.0.0.1:0".parse()?).with_client(client)).await?;
//! println!("tokens at {}/oauth/token, sockets at {}", gateway.http_url(), gateway.ws_url());
//! gateway.serve(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod ably;
mod authority;
mod clock;
mod config;
mod doors;
mod endpoints;
mod http_service;
mod ledger;
mod metrics;
mod optave;
mod refresh;
mod registry;
mod serve;
mod socket;
mod spatium;
mod strangers;
mod throttle;
mod token_endpoint;
mod upgrade;
mod websocket;
mod witness;

/// The pure halves of the systems' servers, which [`Config::with_optave`] and [`Config::with_spatium`] take.
pub use auth_http::endpoint;

pub use self::authority::{Admission, Approved, Authenticator, Issuer, JwtAuthority, Presented};
pub use self::config::{Client, Config, LONGEST_LIFETIME, LONGEST_REFRESH_GRACE, SHORTEST_LIFETIME};
pub use self::refresh::Refreshes;
pub use self::registry::{LiveSession, Sessions};
pub use self::serve::{Gateway, Running};
pub use self::throttle::RateLimit;
pub use self::websocket::{Application, Echo};
pub use auth_http::endpoint::ably::ServedKey;
pub use ws_session::server::Refusal;
