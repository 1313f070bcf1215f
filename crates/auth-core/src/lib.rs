//! Models, capabilities, scopes, JSON Web Tokens and token renewal for authenticated realtime connections.
//!
//! This crate performs no I/O, reads no clock, draws no randomness and knows no runtime: time and seeds are
//! arguments, requests for tokens are return values. It builds without std.
//!
//! | You want to | Look at |
//! | --- | --- |
//! | sign or verify an Ably token request, know what a call replaces | [`ably`] |
//! | weigh what a token allows on a channel | [`capability`] |
//! | verify or mint a JSON Web Token | [`jwt`] |
//! | read what a token endpoint answered | [`oauth`] |
//! | check scopes | [`scope`] |
//! | decide when to fetch a token, and whom to serve | [`renewal`] |
//!
//! The feature `asymmetric` adds RSA, ECDSA and Ed25519 to [`jwt`]; it needs std. The feature `tracing` adds
//! `observe::Traced`, which hands every event to `tracing`.
//!
//! The heart is [`renewal::Renewal`], a state machine that decides when to fetch a token and whom to serve:
//!
//! ```
//! use auth_core::fingerprint::FingerprintKey;
//! use auth_core::oauth::TokenResponse;
//! use auth_core::renewal::{Caller, Input, Output, Policy, Renewal};
//! use auth_core::source::Demand;
//! use auth_core::time::{Moment, Now, Timestamp};
//!
//! let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
//! let mut renewal = Renewal::new(Policy::default(), FingerprintKey::new([7; 32]), 42);
//!
//! // A caller wants a token, and there is none: the machine asks its driver to fetch one.
//! let caller = Caller::new(1);
//! renewal.handle(now, Input::Demanded { caller, demand: Demand::Current, patience: None })?;
//! let mut ticket = None;
//! loop {
//!     match renewal.poll() {
//!         Output::Fetch { ticket: wanted, .. } => ticket = Some(wanted),
//!         Output::Wait(_) => break,
//!         _ => {} // a driver tells its observer, and has a store perhaps
//!     }
//! }
//!
//! // The driver has asked the token endpoint, and hands the answer back under its ticket: the caller is served.
//! let response = TokenResponse::parse(br#"{"access_token":"t1","token_type":"bearer","expires_in":3600}"#)?;
//! renewal.handle(now, Input::Issued { ticket: ticket.unwrap(), response })?;
//! let mut served = None;
//! loop {
//!     match renewal.poll() {
//!         Output::Serve { caller, token } => served = Some((caller, token)),
//!         Output::Wait(_) => break,
//!         _ => {}
//!     }
//! }
//! let (served, token) = served.unwrap();
//! assert_eq!((served, token.secret().expose()), (caller, "t1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod ably;
pub mod backoff;
pub mod capability;
pub mod error;
pub mod fingerprint;
mod json;
pub mod jwt;
pub mod loopback;
mod mac;
pub mod oauth;
pub mod observe;
pub mod renewal;
pub mod retry_after;
mod rfc3339;
pub mod scope;
pub mod secret;
pub mod source;
pub mod time;
pub mod token;

pub use error::{ApiMisuse, Error, ErrorKind, Retry};
pub use observe::{AuthEvent, Observer};
pub use secret::Secret;
pub use source::{Demand, TokenSource};
pub use token::Token;
