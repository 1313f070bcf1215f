//! OAuth 2.0: what a token endpoint answers (RFC 6749 §5), with the shapes that real servers send, and proof keys for codes.

mod error_response;
mod pkce;
mod token_response;

pub use self::error_response::ErrorResponse;
pub use self::pkce::CodeVerifier;
pub use self::token_response::{TokenResponse, TokenType};
