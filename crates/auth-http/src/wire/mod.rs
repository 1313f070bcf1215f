//! Requests to OAuth endpoints and their replies, as values: nothing here touches a socket, a clock or a source of randomness.
//!
//! | You want to | Look at |
//! | --- | --- |
//! | say who the client is | [`ClientAuthentication`], [`Dpop`] |
//! | ask for a token | [`TokenEndpoint`], [`TokenForm`], [`Wanted`] |
//! | have a person log in | [`AuthorizationEndpoint`], [`DeviceEndpoint`] |
//! | end a token, or ask what it is worth | [`RevocationEndpoint`], [`IntrospectionEndpoint`] |
//! | know what a server can do | [`Issuer`], [`ServerMetadata`] |
//!
//! # What is not here
//!
//! No password grant and no implicit grant (RFC 9700 §2.1.2, §2.4), and no way to send a token in a URL. Nothing follows a
//! redirect: a reply with one is an error. Errors hold an endpoint's code, reduced to its alphabet, and never its
//! description or its body, which may quote what was sent.

mod authorization;
mod client_authentication;
mod config_error;
mod device;
mod dpop;
mod form;
mod introspection;
mod metadata;
mod reply;
mod revocation;
mod token;
mod url;

pub use self::authorization::{AuthorizationCode, AuthorizationEndpoint, PendingLogin};
pub use self::client_authentication::ClientAuthentication;
#[cfg(feature = "client")]
pub(crate) use self::client_authentication::basic_credentials;
pub use self::config_error::ConfigError;
pub use self::device::{DeviceEndpoint, DeviceLogin};
pub use self::dpop::Dpop;
pub use self::form::{TokenForm, Wanted};
pub use self::introspection::{ActiveToken, Introspection, IntrospectionEndpoint};
pub use self::metadata::{EndpointAliases, Issuer, ServerMetadata};
pub(crate) use self::reply::{failure, retry_after, server_time, verdict};
pub use self::revocation::{RevocationEndpoint, TokenHint};
pub use self::token::TokenEndpoint;
pub(crate) use self::url::{EndpointUrl, with_query};
