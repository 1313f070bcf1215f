//! The flags that say where a token comes from: what `--help` teaches of them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::SourceKind::{Ably, AuthUrl, Oauth, Optave, Spatium, Static};
use super::ably::AblyOptions;
use super::auth_url::AuthUrlOptions;
use super::given::{Flag, Given};
use super::spatium::SpatiumOptions;

/// Where tokens come from, and how they are kept.
#[derive(Debug, Args)]
pub(crate) struct SourceOptions {
    #[command(flatten)]
    pub(crate) given: Given,

    /// Where the token comes from; the table below says what each takes.
    #[arg(long, value_name = "KIND", default_value = "oauth")]
    pub(crate) source: SourceKind,

    /// The file that holds the token; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", help_heading = "Static source")]
    pub(crate) token_file: Option<PathBuf>,

    /// Whom to ask: the token endpoint (oauth: by default where --issuer says that it is), Ably's REST endpoint (ably: by
    /// default Ably's own), your auth URL, the authentication URL (optave), or the authorization service (spatium).
    #[arg(long, value_name = "URL", help_heading = "Server and client")]
    pub(crate) token_url: Option<String>,

    #[command(flatten, next_help_heading = "Server and client")]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) oauth: OauthOptions,

    #[command(flatten)]
    pub(crate) ably: AblyOptions,

    #[command(flatten)]
    pub(crate) auth_url: AuthUrlOptions,

    #[command(flatten)]
    pub(crate) spatium: SpatiumOptions,

    /// Keep tokens in this file, between runs and shared with other processes. While one in it lives, nothing is asked; a
    /// refresh token that a server replaces is safe in it before it is used. One file for each client and each login: another
    /// client or token endpoint is not served from it.
    #[arg(long, value_name = "FILE", help_heading = "Keeping tokens")]
    pub(crate) store: Option<PathBuf>,

    /// Renew a stored token this many seconds before it expires: 120 by default, and never more than half of its life. If that
    /// fails, one that still lives will do.
    #[arg(long, value_name = "SECONDS", help_heading = "Keeping tokens")]
    pub(crate) lead: Option<u64>,

    /// Take the stored token for refused, and obtain another.
    #[arg(long, help_heading = "Keeping tokens")]
    pub(crate) refresh: bool,
}

/// The kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceKind {
    /// A token from a file.
    Static,
    /// A token from an OAuth token endpoint.
    Oauth,
    /// An Ably token, by an API key.
    Ably,
    /// An Ably token, from a backend that has the key.
    AuthUrl,
    /// An Optave token, for one connection.
    Optave,
    /// A Spatium permission token, of an authorization session.
    Spatium,
}

/// Those that ask somebody.
const NETWORK: &[SourceKind] = &[Oauth, Ably, AuthUrl, Optave, Spatium];
/// All, since a session has a server of its own.
const ALL: &[SourceKind] = &[Static, Oauth, Ably, AuthUrl, Optave, Spatium];
/// Those whose tokens serve more than once, and can be had anew.
const LASTING: &[SourceKind] = &[Oauth, Ably, AuthUrl, Spatium];

/// Each flag of [`SourceOptions`], and the sources that take it.
pub(crate) const FLAGS: &[Flag] = &[
    ("token-file", &[Static]),
    ("token-url", NETWORK),
    ("ca-file", NETWORK),
    ("proxy", ALL),
    ("insecure", ALL),
    ("client-id", &[Oauth, Ably, AuthUrl, Optave]),
    ("client-secret-file", &[Oauth, Optave]),
    ("client-auth", &[Oauth, Optave]),
    ("issuer", &[Oauth]),
    ("client-key-file", &[Oauth]),
    ("client-certificate-file", &[Oauth]),
    ("client-certificate-key-file", &[Oauth]),
    ("grant", &[Oauth]),
    ("refresh-token-file", &[Oauth]),
    ("assertion-file", &[Oauth]),
    ("assertion-key-file", &[Oauth]),
    ("assertion-issuer", &[Oauth]),
    ("assertion-subject", &[Oauth]),
    ("assertion-audience", &[Oauth]),
    ("subject-token-file", &[Oauth]),
    ("subject-token-type", &[Oauth]),
    ("actor-token-file", &[Oauth]),
    ("actor-token-type", &[Oauth]),
    ("scope", &[Oauth]),
    ("resource", &[Oauth]),
    ("audience", &[Oauth]),
    ("dpop", &[Oauth]),
    ("dpop-key-file", &[Oauth]),
    ("key-file", &[Ably]),
    ("query-time", &[Ably]),
    ("ttl", &[Ably, AuthUrl]),
    ("capability", &[Ably, AuthUrl]),
    ("method", &[AuthUrl]),
    ("header", &[AuthUrl]),
    ("header-file", &[AuthUrl]),
    ("param", &[AuthUrl]),
    ("param-file", &[AuthUrl]),
    ("ably-url", &[AuthUrl]),
    ("token-id", &[Spatium]),
    ("permission", &[Spatium]),
    ("security-token-file", &[Spatium]),
    ("username", &[Spatium]),
    ("password-file", &[Spatium]),
    ("refresh-path", &[Spatium]),
    ("store", LASTING),
    ("lead", LASTING),
    ("refresh", LASTING),
];

/// What to ask an OAuth token endpoint with.
#[derive(Debug, Args)]
#[command(next_help_heading = "OAuth source")]
pub(crate) struct OauthOptions {
    /// How the token is obtained; client_credentials by default.
    #[arg(long, value_name = "GRANT")]
    pub(crate) grant: Option<GrantKind>,

    /// With --grant refresh_token: the file that holds the refresh token to begin with; `-` is standard input. Else that of
    /// --store, else that of the environment variable RTAUTH_REFRESH_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub(crate) refresh_token_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) assertion: AssertionOptions,

    #[command(flatten)]
    pub(crate) exchange: ExchangeOptions,

    #[command(flatten)]
    pub(crate) wanted: WantedOptions,

    #[command(flatten)]
    pub(crate) dpop: DpopOptions,
}

/// What a token is asked for.
#[derive(Debug, Args)]
pub(crate) struct WantedOptions {
    /// A scope to ask for; may stand several times. What the server grants by default if left out.
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// A resource that the token is for, an absolute URI (RFC 8707); may stand several times.
    #[arg(long, value_name = "URI")]
    pub(crate) resource: Vec<String>,

    /// An audience that the token is for, for servers that have it instead; may stand several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: Vec<String>,
}

/// Proof of possession (RFC 9449).
#[derive(Debug, Args)]
pub(crate) struct DpopOptions {
    /// Ask for a token that is bound to a key, so that nobody else can use it. Without --dpop-key-file the key is
    /// generated, and the token is good for nothing when this command has ended.
    #[arg(long)]
    pub(crate) dpop: bool,

    /// The key: a private JWK, or PEM. A token in a --store needs one that is kept: with another, neither it nor its
    /// refresh token would be accepted.
    #[arg(long, value_name = "FILE", requires = "dpop")]
    pub(crate) dpop_key_file: Option<PathBuf>,
}

/// With `--grant jwt_bearer`: the assertion, or what makes one.
#[derive(Debug, Args)]
pub(crate) struct AssertionOptions {
    /// With --grant jwt_bearer: the file that holds the assertion; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "assertion_key_file")]
    pub(crate) assertion_file: Option<PathBuf>,

    /// With --grant jwt_bearer: sign assertions with this key, a private JWK or PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) assertion_key_file: Option<PathBuf>,

    /// Who asserts; the client id by default.
    #[arg(long, value_name = "NAME", requires = "assertion_key_file")]
    pub(crate) assertion_issuer: Option<String>,

    /// Whom the token will speak for; the client id by default.
    #[arg(long, value_name = "NAME", requires = "assertion_key_file")]
    pub(crate) assertion_subject: Option<String>,

    /// Whom the assertion is meant for; --issuer by default, else the token URL.
    #[arg(long, value_name = "NAME", requires = "assertion_key_file")]
    pub(crate) assertion_audience: Option<String>,
}

/// With `--grant token_exchange`: the tokens to exchange.
#[derive(Debug, Args)]
pub(crate) struct ExchangeOptions {
    /// With --grant token_exchange: the file that holds the token to exchange; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) subject_token_file: Option<PathBuf>,

    /// Its type: access_token (the default), jwt, id_token, or a URI.
    #[arg(long, value_name = "TYPE", requires = "subject_token_file")]
    pub(crate) subject_token_type: Option<String>,

    /// The file that holds the token of whoever acts for the subject.
    #[arg(long, value_name = "FILE", requires = "subject_token_file")]
    pub(crate) actor_token_file: Option<PathBuf>,

    /// Its type, as for the subject's.
    #[arg(long, value_name = "TYPE", requires = "actor_token_file")]
    pub(crate) actor_token_type: Option<String>,
}

/// A client of an authorization server, and the way there.
#[derive(Debug, Args)]
pub(crate) struct ClientOptions {
    /// The server, by its identifier: endpoints that are not given are looked up in its metadata (RFC 8414). A signed
    /// client assertion is meant for it.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// The client's id.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// The file that holds the client's secret; `-` is standard input. Else the environment variable RTAUTH_CLIENT_SECRET.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,

    /// How the client says who it is. By default by what is given: basic with a secret, private_key_jwt with a key,
    /// mutual_tls with a certificate, else none.
    #[arg(long, value_name = "METHOD")]
    pub(crate) client_auth: Option<ClientAuth>,

    /// The client's private key for private_key_jwt: a JWK, or PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key_file: Option<PathBuf>,

    /// The client's certificate for mutual_tls, and those between it and its authority, in PEM.
    #[arg(long, value_name = "FILE", requires = "client_certificate_key_file")]
    pub(crate) client_certificate_file: Option<PathBuf>,

    /// The key of that certificate, in PEM, not encrypted.
    #[arg(long, value_name = "FILE", requires = "client_certificate_file")]
    pub(crate) client_certificate_key_file: Option<PathBuf>,

    /// Trust the certificate authorities in this file too, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) network: NetworkOptions,
}

/// The way to any server.
#[derive(Debug, Args)]
pub(crate) struct NetworkOptions {
    /// Reach servers through this HTTP proxy, http://HOST:PORT or https://HOST:PORT.
    ///
    /// By default through those that the environment names, in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY. NO_PROXY excepts servers from
    /// either, and this machine is always reached directly. A name and a password for a proxy stand in the environment's
    /// variables only.
    #[arg(long, value_name = "URL", help_heading = "Network")]
    pub(crate) proxy: Option<String>,

    /// Allow plain http and ws to other machines.
    ///
    /// Tokens and secrets then cross the network unencrypted, and everybody on the way can read them: for a trial in a network of
    /// your own.
    #[arg(long, help_heading = "Network")]
    pub(crate) insecure: bool,
}

/// How a client says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ClientAuth {
    /// Id and secret, form-encoded, in HTTP Basic.
    Basic,
    /// The same as they are, for servers that forget to decode them.
    BasicRaw,
    /// Id and secret in the form.
    Post,
    /// Id and secret in the URL, where logs keep them; a last resort.
    Query,
    /// An assertion signed with --client-key-file.
    PrivateKeyJwt,
    /// An assertion signed with the secret, which is not sent.
    ClientSecretJwt,
    /// A public client: its id, and no proof.
    None,
    /// The certificate of --client-certificate-file.
    MutualTls,
}

/// How a token is obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum GrantKind {
    /// The client speaks for itself.
    ClientCredentials,
    /// What a login left: see `rtauth login`.
    RefreshToken,
    /// An assertion that the server trusts.
    JwtBearer,
    /// Another token.
    TokenExchange,
    /// A browser: only in `rtauth login`.
    AuthorizationCode,
    /// A code that a person types elsewhere: only in `rtauth login --device`.
    DeviceCode,
}

/// The name of a value as it is typed.
pub(crate) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_of_a_source_has_its_owners() {
        let command = SourceOptions::augment_args(clap::Command::new("token"));
        let flags: Vec<_> = command
            .get_arguments()
            .filter_map(clap::Arg::get_long)
            .filter(|flag| *flag != "source")
            .collect();
        let named: Vec<_> = FLAGS.iter().map(|(flag, _)| *flag).collect();
        for flag in &flags {
            assert_eq!(named.iter().filter(|named| *named == flag).count(), 1, "--{flag}");
        }
        assert_eq!(flags.len(), named.len(), "flags that there are not");
    }
}
