//! Token endpoints: what goes over the wire as plain [`http`] values, a client that exchanges them, the OAuth
//! grants, and a cache that keeps a token fresh.
//!
//! This crate knows no WebSockets. With default features off it performs no I/O: [`wire`] builds requests and
//! reads replies, [`endpoint`] is the server's half of the same, and [`grant`] works over any
//! [`HttpExchange`](exchange::HttpExchange), as does [`fetched`], which keeps the keys and metadata of issuers. [`store`]
//! keeps tokens between runs, and [`bearer`] sends requests with them;
//! [`recorded`] lets out none that is not on record. Time and randomness come in through [`freshness`]. Of systems that obtain their tokens in a way
//! of their own there are [`ably`], [`optave`] and [`spatium`].
//!
#![cfg_attr(all(feature = "client", feature = "tokio"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "client", feature = "tokio")), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use auth_core::{Demand, Secret, TokenSource};
//! use auth_http::client::HyperClient;
//! use auth_http::grant::ClientCredentials;
//! use auth_http::manager::TokenManager;
//! use auth_http::wire::TokenEndpoint;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = TokenEndpoint::new("https://api.example.com/oauth/token", "client-id", Secret::from("secret"))?;
//! let grant = ClientCredentials::new(endpoint, Arc::new(HyperClient::with_platform_roots()?));
//! let tokens = TokenManager::builder(grant).spawn();
//! let token = tokens.token(Demand::Current).await?; // cached, and renewed before it expires
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! * `client` (default): [`client::HyperClient`] over hyper and rustls, HTTP/1.1 and HTTP/2, with proxies, client
//!   certificates, and a deadline for each step.
//! * `file-store` (default): `store::FileStore`, which keeps tokens in a file, on any runtime.
//! * `manager`: [`manager::TokenManager`], which drives [`auth_core::renewal`] on whatever runtime you have, or on a
//!   thread without any.
//! * `tokio` (default): `manager` with tokio's timer, and [`spawn`](manager::Builder::spawn); and
//!   [`redirect::RedirectListener`], which hears from the browser that a person logs in with.
//! * `tracing`: a span around each request for a token that a manager makes.

pub mod ably;
pub mod bearer;
#[cfg(feature = "client")]
pub mod client;
pub mod endpoint;
pub mod exchange;
pub mod fetched;
pub mod freshness;
pub mod grant;
#[cfg(feature = "manager")]
pub mod manager;
pub mod optave;
pub mod recorded;
#[cfg(feature = "tokio")]
pub mod redirect;
mod shared_future;
pub mod spatium;
pub mod store;
#[cfg(test)]
mod testing;
mod told;
mod waiting;
pub mod wire;
mod within;
