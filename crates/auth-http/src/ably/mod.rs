//! The client of Ably Auth.

mod auth;
mod builder;
mod callback;
mod changes;
mod core;
mod requests;
mod server_clock;
mod source;
mod state;
mod surroundings;
#[cfg(test)]
mod tests;
pub mod wire;

pub use self::auth::Auth;
pub use self::builder::{Builder, Dangerous};
pub use self::callback::callback;
pub use self::changes::Changes;
pub use self::source::connection_error;
pub use self::surroundings::Surroundings;
