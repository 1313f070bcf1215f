//! Realtime platforms, each under a type with the verbs that its users know.
//!
//! Nothing here is protocol logic: a provider chooses a grant, a dialect and defaults, and composes the crates below.
//!
//! * [`genesys`]: Genesys Cloud.
//! * [`optave`]: Optave, a token for each connection.

pub mod genesys;
pub mod optave;
