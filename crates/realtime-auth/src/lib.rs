//! Realtime connections that stay authenticated.
//!
//! realtime-auth obtains credentials, keeps them fresh, opens a WebSocket with them, and keeps that socket
//! authenticated for as long as your program lives. Tokens are renewed before they expire, over the connection that is
//! already there where the service allows it, and a lost connection comes back with a fresh token. Every step is
//! observed, and can be written to a hash-chained audit log.
//!
//! # The crates
//!
//! | Module | Crate | Is |
//! | --- | --- | --- |
//! | [`core`] | `auth-core` | Ably's models, capabilities, scopes, JWT and the renewal machine: no I/O, no clock, no runtime |
//! | [`http`] | `auth-http` | token endpoints, OAuth grants, and the cache that keeps a token fresh |
//! | [`ws`] | `ws-session` | dialects, the session machine, and its drivers |
//! | [`audit`] | `audit` | the hash-chained audit log |
//! | [`providers`] | `providers` | one type per platform, with the verbs that its users know |
//!
//! This crate only names them; depend on a single one if that is all you need.
//!
//! # Features
//!
//! On by default, each adding a module: `http`, `ws`, `audit`, `providers`. `http` drives its token manager on tokio, and
//! lets you drive it on another runtime or on a thread. Off by default: `asymmetric`, which adds
//! `core::jwt::Asymmetric` for tokens that are signed with RSA, ECDSA or Ed25519; `tracing`, for events and spans; and
//! `opentelemetry`, for the metrics of the audit trail.

#[cfg(feature = "audit")]
pub use audit;
pub use auth_core as core;
#[cfg(feature = "http")]
pub use auth_http as http;
#[cfg(feature = "providers")]
pub use providers;
#[cfg(feature = "ws")]
pub use ws_session as ws;

pub mod manual;
