//! Spatium's authorization service: an authorization session by security tokens, and permission tokens from then on.
//!
//! | You are | Use |
//! | --- | --- |
//! | a device or a program of one user | `AuthorizationSession` (feature `manager`) |
//! | a service with a merchant key | [`PermissionGrant::by_merchant_key`] in a `TokenManager` |
//! | the author of another client | [`wire`] |
//!
#![cfg_attr(all(feature = "client", feature = "tokio"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "client", feature = "tokio")), doc = "```ignore")]
//! use auth_core::Secret;
//! use auth_http::spatium::AuthorizationSession;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "https://cloud.spatium.net/authorization/v1";
//! let auth = AuthorizationSession::new(url, "the id of this device", ["read", "secret"])?;
//! let factor = auth.security_factor_credentials("username", &Secret::from("password")).await?;
//! auth.establish(&[factor]).await?;
//! let token = auth.permission_token().await?; // cached, and refreshed as necessary
//! # Ok(())
//! # }
//! ```
//!
//! # What is assumed
//!
//! The path and the body of the refresh are not documented: [`wire::REFRESH_PATH`], which
//! [`AuthorizationService::with_refresh_path`](wire::AuthorizationService::with_refresh_path) replaces, and
//! `{"permissionRefreshToken": …}`, both named like their siblings. So are the members `tokenId`, `permissions` and
//! `securityTokens` of `issue-by-factors`. A refresh that is answered with 401 means that the session is over.

mod config_error;
mod grant;
#[cfg(feature = "manager")]
mod session;
pub mod wire;

pub use self::config_error::ConfigError;
pub use self::grant::PermissionGrant;
#[cfg(feature = "manager")]
pub use self::session::{AuthorizationSession, Builder};
