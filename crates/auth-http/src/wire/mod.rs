//! Requests to token endpoints and their replies, as values: nothing here touches a socket.

mod retry_after;
mod token;

pub use self::retry_after::retry_after;
pub use self::token::{ConfigError, TokenEndpoint};
