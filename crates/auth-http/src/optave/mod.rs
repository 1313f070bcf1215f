//! Optave's tokens: by client credentials on a server, from a provider in a page; each opens one connection.
//!
//! | You are | Say |
//! | --- | --- |
//! | a server with client credentials | `with_authentication_url`, `with_client_id`, `with_client_secret` |
//! | a program that asks a backend for tokens | `with_ticket_endpoint` |
//! | one that has another way to tokens | `with_token_provider`, `with_token_source` |
//!
//! `Client` (feature `manager`) is a [`TokenSource`](auth_core::TokenSource) that hands out each token once: whatever opens
//! connections asks it before each attempt. It opens none itself: that is `providers::optave::Client`, over this one.
//!
#![cfg_attr(all(feature = "client", feature = "tokio"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "client", feature = "tokio")), doc = "```ignore")]
//! use auth_http::optave::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder()
//!     .with_authentication_url("https://sandbox.oco.optave.tech/auth/oauth2")
//!     .with_client_id("client-id")
//!     .with_client_secret("client-secret")
//!     .build()?;
//! let token = client.authenticate().await?; // for one connection; for the next, authenticate again
//! # Ok(())
//! # }
//! ```
//!
//! # Where the secret goes
//!
//! The vendor's own client sends id and secret in the URL, from where they get into the logs of servers and proxies.
//! This one sends them by HTTP Basic, or in the body; [`CredentialPlacement::Query`] is for a server that takes nothing else.

#[cfg(feature = "manager")]
mod client;
mod config_error;
#[cfg(feature = "manager")]
mod grants;
#[cfg(feature = "manager")]
mod used;
pub mod wire;

#[cfg(feature = "manager")]
pub use self::client::{Builder, Client};
pub use self::config_error::ConfigError;
#[cfg(feature = "manager")]
pub use self::used::UsedTokens;
pub use self::wire::CredentialPlacement;
