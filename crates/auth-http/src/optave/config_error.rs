//! What can be wrong about an Optave client before anything is sent.

use crate::wire;

/// Why a client can't be used as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no way to a token.
    #[error(
        "there is no way to a token; give an authentication URL with client credentials, a ticket endpoint, or a token provider"
    )]
    NoTokenSource,
    /// There are two ways to a token.
    #[error(
        "there are two ways to a token; give either client credentials, a ticket endpoint, or a token provider"
    )]
    SeveralTokenSources,
    /// Client credentials without the URL to send them to (`INVALID_AUTHENTICATION_URL`).
    #[error(
        "the authentication URL is missing; copy it from the Optave console, such as https://…/auth/oauth2"
    )]
    NoAuthenticationUrl,
    /// An authentication URL without a client id (`INVALID_CLIENT_ID`).
    #[error("the client id is missing; copy it from the Optave console")]
    NoClientId,
    /// An authentication URL without a client secret.
    #[error("the client secret is missing; copy it from the Optave console")]
    NoClientSecret,
    /// A client secret where tokens come from elsewhere (`CLIENT_SECRET_IN_CLIENT_ENV`).
    #[error("the client secret does not belong where a backend hands out the tokens; leave it there")]
    SecretBesideProvider,
    /// A publishable key without the ticket endpoint that it is for.
    #[error(
        "the publishable key goes to a ticket endpoint, and there is none; give its URL, or leave the key out"
    )]
    KeyWithoutTicketEndpoint,
    /// The publishable key has characters that no header may have.
    #[error("the publishable key has characters that no header may have; copy it again")]
    PublishableKey,
    /// A URL is none that credentials may be sent to.
    #[error(transparent)]
    Url(#[from] wire::ConfigError),
    /// There is nothing to send requests by.
    #[error("give a client to send requests by, or build with the feature client")]
    NoExchange,
    /// TLS can't be set up.
    #[cfg(feature = "client")]
    #[error("TLS can't be set up; install the system's ca-certificates")]
    Tls(#[source] std::io::Error),
}
