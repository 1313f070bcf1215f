//! Ably tokens: by an API key that is here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth_core::ably::{ApiKey, AuthOptions, TokenClientId, TokenParams, TokenReply, TokenRequest};
use auth_http::ably::{Auth, Surroundings, wire};
use clap::Args;

use super::client;
use super::options::SourceOptions;
use super::secrets::Secrets;
use crate::exit::Failure;

/// What to ask Ably for, and by what key.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ably source")]
pub(crate) struct AblyOptions {
    /// The file that holds the API key, appId.keyId:secret; `-` is standard input. Else the environment variable
    /// RTAUTH_ABLY_KEY.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// The lifetime to ask for, in milliseconds; the server's default (an hour) if left out.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) ttl: Option<u64>,

    /// The capability to ask for, as JSON; that of the key if left out.
    #[arg(long, value_name = "JSON")]
    pub(crate) capability: Option<String>,

    /// Sign with the server's time, for a machine whose clock is wrong. Without it, a time that the server does not accept
    /// is corrected by a second request.
    #[arg(long)]
    pub(crate) query_time: bool,
}

/// The tokens of a key.
pub(super) fn read(
    options: &SourceOptions,
    secrets: &mut Secrets,
    timeout: Duration,
) -> Result<Auth, Failure> {
    let key = api_key("--source ably", options.ably.key_file.as_deref(), secrets)?;
    // To exchange a signed request takes no TLS: the key itself is not sent.
    let by_key = AuthOptions::new().with_key(key).with_use_token_auth(true);
    let by_key = by_key.with_query_time(options.ably.query_time);
    let url = options.token_url.as_deref();
    client(by_key, ("--token-url", url), options, secrets, timeout)
}

/// The API key of a file, or of the environment.
pub(crate) fn api_key(who: &str, file: Option<&Path>, secrets: &mut Secrets) -> Result<ApiKey, Failure> {
    let key = secrets.read_or("--key-file", file, "RTAUTH_ABLY_KEY")?.ok_or_else(|| {
        Failure::Usage(format!(
            "{who} needs an API key: --key-file FILE, `-` for standard input, or the environment variable RTAUTH_ABLY_KEY"
        ))
    })?;
    ApiKey::parse(key.expose()).map_err(wrong("--key-file"))
}

/// A client of Ably at the URL of a flag, by default at Ably's own.
pub(super) fn client(
    by: AuthOptions,
    (flag, url): (&'static str, Option<&str>),
    options: &SourceOptions,
    secrets: &mut Secrets,
    timeout: Duration,
) -> Result<Auth, Failure> {
    let params = params(options)?;
    let urls = [options.token_url.as_deref(), options.auth_url.ably_url.as_deref()];
    let http = client::http(&options.client, &urls, secrets, timeout, TokenReply::LONGEST + 1)?;
    let mut builder = Auth::builder(by, Surroundings::over(Arc::new(http)))
        .with_endpoint(url.unwrap_or(wire::PRIMARY_ENDPOINT))
        .with_provider_timeout(timeout);
    // Whoever names a client gets no token of another.
    if let Some(TokenClientId::Identified(client_id)) = params.client_id() {
        builder = builder.with_client_id(client_id.clone());
    }
    builder.with_default_params(params).build().map_err(wrong(flag))
}

/// What to ask for, by the flags.
pub(super) fn params(options: &SourceOptions) -> Result<TokenParams, Failure> {
    token_params(options.ably.ttl, options.ably.capability.as_deref(), options.client.client_id.as_deref())
}

/// What to ask Ably for: a lifetime in milliseconds, a capability, a client or `*`.
pub(crate) fn token_params(
    ttl: Option<u64>,
    capability: Option<&str>,
    client_id: Option<&str>,
) -> Result<TokenParams, Failure> {
    let mut params = TokenParams::new();
    if let Some(ttl) = ttl {
        let ttl = Duration::from_millis(ttl);
        if ttl > TokenRequest::LONGEST_TTL {
            let longest = TokenRequest::LONGEST_TTL.as_millis();
            return Err(Failure::Usage(format!("--ttl: a token lives a day at most; that is {longest} ms")));
        }
        params = params.with_ttl(ttl);
    }
    if let Some(capability) = capability {
        params = params.with_capability(capability.parse().map_err(wrong("--capability"))?);
    }
    if let Some(client_id) = client_id {
        params = params.with_client_id(TokenClientId::new(client_id).map_err(wrong("--client-id"))?);
    }
    Ok(params)
}

/// A flag whose value can't be.
pub(crate) fn wrong<E: fmt::Display>(flag: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Usage(format!("{flag}: {error}"))
}
