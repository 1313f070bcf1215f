//! WebSocket sessions that stay authenticated.
//!
//! A [`dialect`] says how a service logs a socket in, renews it and refuses it. The [`machine`] decides, without
//! I/O, when to fetch a token, connect, present, renew, give up and try again. A [`driver`] acts on its
//! decisions. [`server`] is the other end of the same dialects, without I/O too.
//!
//! This crate fetches no token itself: it asks a [`TokenSource`](auth_core::TokenSource), for each attempt.
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use auth_core::source::FixedToken;
//! use auth_core::{Secret, Token};
//! use ws_session::dialect::Dialect;
//! use ws_session::driver::tokio::{Session, Target};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let source = Arc::new(FixedToken::new(Token::new(Secret::from("token"))));
//! let target = Target::new("wss://api.example.com/ws")?;
//! let mut session = Session::builder(target, Dialect::genesys(), source).spawn();
//! session.authenticated().await?;
//! session.send("hello").await?;
//! while let Some(message) = session.next().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! * `tokio` (default): [`driver::tokio`].
//! * `blocking`: [`driver::blocking`], which needs no runtime.
//! * `futures`: [`driver::futures`], for any other runtime.
//! * `polled`: [`driver::polled`], which both stand on.
//! * `description`: dialects in TOML files, by `Dialect::from_toml` and `Dialect::to_toml`.
//!
//! * `tracing`: with a driver on `polled`, a span around each attempt to connect and around what is done on a live connection.
//!
//! Without a driver, this crate depends on no runtime and no WebSocket codec.
//!
//! # Logs
//!
//! Nothing here logs a secret. The WebSocket codec does: at level TRACE, under targets that begin with `tungstenite`, it logs every upgrade
//! and every frame as it stands on the wire, credentials too. Leave that level off for those targets.

mod address;
pub mod dialect;
#[cfg(any(feature = "blocking", feature = "polled"))]
pub mod driver;
mod error;
pub mod machine;
pub mod outbox;
pub mod requests;
pub mod server;

pub use address::Address;
pub use error::{ConfigError, Error, ErrorKind};
