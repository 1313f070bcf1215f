//! Ably's models: keys, token requests, token details, and the rules by which options replace each other.
//!
//! The owner of an [`ApiKey`] signs a [`TokenRequest`] for a client that it trusts less, or mints an
//! [Ably JWT](mint_jwt); the service, or whoever stands in for it, [verifies](TokenRequest::verify) the request and answers
//! with [`TokenDetails`]. Which parameters and options a call uses, and which it stores, is [`AuthDefaults`]. Nothing here
//! does I/O. Identifiers such as RSA9 are points of Ably's features specification.

mod api_key;
mod auth_options;
mod client_id;
mod defaults;
mod error_code;
mod error_info;
mod error_table;
mod jwt;
mod nonce;
mod number;
mod revocation;
mod token_details;
mod token_params;
mod token_reply;
mod token_request;

pub use self::api_key::{ApiKey, InvalidApiKey, KeyOrToken};
pub use self::auth_options::{AuthCallback, AuthMethod, AuthOptions, AuthUrl, Means};
pub use self::client_id::{ClientId, InvalidClientId, TokenClientId, check_identity};
pub use self::defaults::{AuthDefaults, Authorization, SigningPlan, TokenPlan};
pub use self::error_code::{Action, ErrorCode};
pub use self::error_info::ErrorInfo;
pub use self::jwt::{
    VerifiedJwt, claimed_capability, claimed_client_id, jwt_key, jwt_rejection_code, mint_jwt, verify_jwt,
};
pub use self::nonce::{InvalidNonce, Nonce};
pub use self::revocation::{
    RevocationRequest, RevocationResult, RevocationTarget, TargetRefused, TargetRevoked,
};
pub use self::token_details::TokenDetails;
pub use self::token_params::TokenParams;
pub use self::token_reply::TokenReply;
pub use self::token_request::{TokenRequest, TokenRequestRefused, VerifiedTokenRequest};
