//! Requests to token endpoints and their replies, as values: nothing here touches a socket.

mod token;

pub use self::token::{ConfigError, TokenEndpoint};
