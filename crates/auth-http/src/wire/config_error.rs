//! Mistakes of configuration that show before anything is sent.

/// Why an endpoint or a client can't be used as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client id is empty.
    #[error("the client id is empty; copy it from the server's configuration of the OAuth client")]
    NoClientId,
    /// The client secret is empty.
    #[error("the client secret is empty; copy it from the server's configuration of the OAuth client")]
    NoClientSecret,
    /// Raw Basic credentials end the client id at its first colon.
    #[error("the client id has a colon, which raw Basic credentials can't carry; use the form-encoded ones")]
    ColonInClientId,
    /// The client secret is too short to sign with.
    #[error(
        "the client secret needs at least 32 bytes to sign with (RFC 7518 §3.2); have the server make a longer one"
    )]
    WeakClientSecret,
    /// The key has no public half that could be shown to the server.
    #[error("the key has no public half, which the server needs; use an RSA, ECDSA or Ed25519 key")]
    NoPublicKey,
    /// The URL is not an absolute http or https URL without user name, password and fragment.
    #[error(
        "the URL must be absolute and without credentials and fragment, such as https://api.example.com/oauth/token"
    )]
    NotAUrl,
    /// The URL would send credentials unencrypted to another machine.
    #[error("the URL must use https: plain http is for this machine only")]
    Plaintext,
    /// The issuer has a query, which no issuer has (RFC 8414 §2).
    #[error("the issuer must be an https URL without a query, as the server states it")]
    NotAnIssuer,
    /// The redirect URI is not absolute, has a fragment, or is plain http to another machine.
    #[error("the redirect URI must be absolute and without a fragment, and use https outside this machine")]
    NotARedirectUri,
    /// The resource is not absolute, or has a fragment (RFC 8707 §2).
    #[error("the resource must be an absolute URI without a fragment, such as https://api.example.com/")]
    NotAResource,
    /// The parameter is set by the grant itself, is set already, or has no name.
    #[error("the parameter has no name, is set twice, or belongs to the grant itself")]
    Parameter,
}
