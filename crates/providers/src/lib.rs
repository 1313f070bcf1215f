//! Realtime platforms, each under a type with the verbs that its users know.
//!
//! Nothing here is protocol logic: a provider chooses a grant, a dialect and defaults, and composes the crates below.
//!
//! | Module | Platform |
//! | --- | --- |
//! | [`ably`] | Ably: its tokens, and its realtime connection |
//! | [`genesys`] | Genesys Cloud |
//! | [`optave`] | Optave, a token for each connection |
//! | [`spatium`] | Spatium |

pub mod ably;
mod config_error;
pub mod genesys;
pub mod optave;
mod settings;
pub mod spatium;
mod witness;

pub use self::config_error::ConfigError;
