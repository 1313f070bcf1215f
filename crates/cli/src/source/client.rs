//! A client of an authorization server by its flags: who it is, and how it gets there.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{Secret, loopback};
use auth_http::client::{ConfigError, HyperClient, Identity, LARGEST_REPLY, Roots};
use auth_http::exchange::HttpExchange;
use auth_http::freshness::SystemFreshness;
use auth_http::wire::{ClientAuthentication, Dpop};

use super::network;
use super::options::{ClientAuth, ClientOptions, DpopOptions, name};
use super::secrets::Secrets;
use crate::exit::{Failure, complain};
use crate::{environment, files};

/// A client, and the way to its server.
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) method: ClientAuth,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) issuer: Option<String>,
    pub(crate) http: Arc<dyn HttpExchange>,
}

impl Client {
    /// Reads what the flags name; `urls` are what they give besides the issuer. Nothing goes over the network.
    pub(crate) fn read(
        command: &str,
        options: &ClientOptions,
        urls: &[Option<&str>],
        secrets: &mut Secrets,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let id = options.client_id.clone().ok_or_else(|| {
            Failure::Usage("who asks? name the client by --client-id ID, as the server knows it".to_owned())
        })?;
        let method = method(options);
        let authentication = Self::authentication(&id, method, options, secrets)?;
        warn_of_query(command, method);
        let authentication = match &options.issuer {
            Some(issuer) => authentication.with_audience(issuer),
            None => authentication,
        };
        let http = Arc::new(http(options, urls, secrets, timeout, LARGEST_REPLY)?);
        Ok(Self { id, method, authentication, issuer: options.issuer.clone(), http })
    }

    fn authentication(
        id: &str,
        method: ClientAuth,
        options: &ClientOptions,
        secrets: &mut Secrets,
    ) -> Result<ClientAuthentication, Failure> {
        let of_secret = matches!(
            method,
            ClientAuth::Basic
                | ClientAuth::BasicRaw
                | ClientAuth::Post
                | ClientAuth::Query
                | ClientAuth::ClientSecretJwt
        );
        for (flag, given, fits, wants) in [
            (
                "--client-secret-file",
                options.client_secret_file.is_some(),
                of_secret,
                "basic, basic_raw, post, query or client_secret_jwt",
            ),
            (
                "--client-key-file",
                options.client_key_file.is_some(),
                method == ClientAuth::PrivateKeyJwt,
                "private_key_jwt",
            ),
            (
                "--client-certificate-file",
                options.client_certificate_file.is_some(),
                method == ClientAuth::MutualTls,
                "mutual_tls",
            ),
        ] {
            if given && !fits {
                let method = name(method);
                let text =
                    format!("{flag} is not used by --client-auth {method}; leave one out, or choose {wants}");
                return Err(Failure::Usage(text));
            }
        }
        let mut secret = || client_secret(method, options, secrets);
        let authentication = match method {
            ClientAuth::None => ClientAuthentication::none(id),
            ClientAuth::MutualTls if options.client_certificate_file.is_none() => {
                return Err(missing(method, "--client-certificate-file and --client-certificate-key-file"));
            }
            ClientAuth::MutualTls => ClientAuthentication::mutual_tls(id),
            ClientAuth::Basic => ClientAuthentication::basic(id, &secret()?),
            ClientAuth::BasicRaw => ClientAuthentication::basic_raw(id, &secret()?),
            ClientAuth::Post => ClientAuthentication::post(id, &secret()?),
            ClientAuth::Query => ClientAuthentication::query(id, &secret()?),
            ClientAuth::ClientSecretJwt => {
                ClientAuthentication::client_secret_jwt(id, &secret()?, Arc::new(SystemFreshness))
            }
            ClientAuth::PrivateKeyJwt => {
                let file =
                    options.client_key_file.as_ref().ok_or_else(|| missing(method, "--client-key-file"))?;
                let key = secrets.key("--client-key-file", file)?;
                ClientAuthentication::private_key_jwt(id, Arc::new(key), Arc::new(SystemFreshness))
            }
        };
        authentication.map_err(|error| Failure::Usage(format!("--client-auth {}: {error}", name(method))))
    }
}

/// The method that was chosen, else the only one that what was given is for. It is never found out by trying: a wrong guess
/// would spend a grant that serves once.
fn method(options: &ClientOptions) -> ClientAuth {
    match options.client_auth {
        Some(method) => method,
        None if options.client_secret_file.is_some() => ClientAuth::Basic,
        None if options.client_key_file.is_some() => ClientAuth::PrivateKeyJwt,
        None if options.client_certificate_file.is_some() => ClientAuth::MutualTls,
        None if environment::is_set(CLIENT_SECRET) => ClientAuth::Basic,
        None => ClientAuth::None,
    }
}

const CLIENT_SECRET: &str = "RTAUTH_CLIENT_SECRET";

pub(super) fn client_secret(
    method: ClientAuth,
    options: &ClientOptions,
    secrets: &mut Secrets,
) -> Result<Secret, Failure> {
    let file = options.client_secret_file.as_deref();
    let secret = secrets.read_or("--client-secret-file", file, CLIENT_SECRET)?;
    secret.ok_or_else(|| {
        missing(method, "the client's secret: --client-secret-file FILE, `-` for standard input, or the environment variable RTAUTH_CLIENT_SECRET")
    })
}

fn missing(method: ClientAuth, what: &str) -> Failure {
    Failure::Usage(format!("--client-auth {} needs {what}", name(method)))
}

/// Says what a secret in a URL is worth.
pub(super) fn warn_of_query(command: &str, method: ClientAuth) {
    if method == ClientAuth::Query {
        complain(
            command,
            "--client-auth query puts the secret into the URL, where servers and proxies log it",
        );
    }
}

/// What requests are sent by, to these URLs and the issuer.
pub(crate) fn http(
    options: &ClientOptions,
    urls: &[Option<&str>],
    secrets: &mut Secrets,
    timeout: Duration,
    largest_reply: usize,
) -> Result<HyperClient, Failure> {
    let wrong = |flag: &'static str| move |error: ConfigError| Failure::Usage(format!("{flag}: {error}"));
    let proxy = network::proxy(&options.network)?;
    let mut builder = HyperClient::builder().with_plaintext().with_proxy(proxy).with_timeout(timeout);
    builder = builder.with_largest_reply(largest_reply);
    if let Some(path) = &options.ca_file {
        let roots = Roots::platform().with_pem(files::text(path)?.as_bytes());
        builder = builder.with_roots(roots.map_err(wrong("--ca-file"))?);
    }
    if let (Some(chain), Some(key)) = (&options.client_certificate_file, &options.client_certificate_key_file)
    {
        let key = secrets.lines("--client-certificate-key-file", key)?;
        let identity = Identity::from_pem(files::text(chain)?.as_bytes(), &key);
        builder = builder.with_identity(identity.map_err(wrong("--client-certificate-file"))?);
    }
    match builder.build() {
        // Where nothing is encrypted, no authority is needed. Who shows a certificate means TLS, whatever the URLs.
        Err(ConfigError::NoRoots) if is_plain(options, urls) && options.client_certificate_file.is_none() => {
            Ok(HyperClient::plaintext().with_timeout(timeout))
        }
        built => built.map_err(|error| Failure::Usage(format!("{error}, by --ca-file FILE"))),
    }
}

/// Whether all that is given is plain http.
fn is_plain(options: &ClientOptions, urls: &[Option<&str>]) -> bool {
    let mut given = urls.iter().copied().chain([options.issuer.as_deref()]).flatten().peekable();
    let is_plain = |url: &str| {
        let url: Option<http::Uri> = url.parse().ok();
        url.is_some_and(|url| {
            url.scheme_str() == Some("http") && url.host().is_some_and(loopback::may_be_plaintext)
        })
    };
    given.peek().is_some() && given.all(is_plain)
}

/// The key that tokens are bound to, if they are to be. One that goes into a store must be bound to a key that is kept.
pub(crate) fn dpop(
    command: &str,
    options: &DpopOptions,
    secrets: &mut Secrets,
    stored: bool,
) -> Result<Option<Dpop>, Failure> {
    if !options.dpop {
        return Ok(None);
    }
    let key = match &options.dpop_key_file {
        Some(path) => secrets.key("--dpop-key-file", path)?,
        None if stored => {
            let text = "--dpop with --store needs --dpop-key-file: with the key of this run alone, what is stored could \
                        never be used again. Make one by: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
                        -out dpop-key.pem";
            return Err(Failure::Usage(text.to_owned()));
        }
        None => {
            complain(
                command,
                "the token is bound to a key that ends with this command; keep one with --dpop-key-file",
            );
            auth_core::jwt::SigningKey::generate()?
        }
    };
    let dpop = Dpop::new(Arc::new(key), Arc::new(SystemFreshness));
    dpop.map(Some).map_err(|error| Failure::Usage(format!("--dpop-key-file: {error}")))
}
