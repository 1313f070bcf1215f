//! `rtauth revoke`: ends tokens at the server (RFC 7009), and the copies here in any case.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use auth_core::renewal::Record;
use auth_http::grant::Revocation;
use auth_http::manager::TokioTimer;
use auth_http::store;
use auth_http::wire::{RevocationEndpoint, ServerMetadata, TokenHint};
use clap::{Args, ValueEnum};

use crate::exit::{self, Failure, complain};
use crate::patience::Patience;
use crate::source::{self, Client, ClientOptions, Endpoint, Secrets, Server};

/// Ends a login, or one token, at the server.
///
/// With --store the refresh token ends first, then the access token, and the file holds neither afterwards, whatever the
/// server says: programs that share it must log in again. A token that the server does not know counts as ended.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0 if the server said that they are ended, 1 if it failed, 2 if the flags or a file are wrong, 3 if it refused, 4 if
no answer came in time, 130 if interrupted. After any but 0 and 2, take the tokens to be good at the server still.

Examples:

    rtauth revoke --issuer https://as.example.com --client-id app --store login.json
    rtauth revoke --revocation-url https://as.example.com/revoke --client-id abc --client-secret-file secret.txt \\
        --token-file token.txt")]
#[command(group = clap::ArgGroup::new("what").required(true).args(["store", "token_file"]))]
pub(crate) struct RevokeOptions {
    /// End the login in this file.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

    /// End the token in this file; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// What the token of --token-file is, so that the server need not search.
    #[arg(long, value_name = "KIND", default_value = "access_token", conflicts_with = "store")]
    hint: Hint,

    /// The revocation endpoint; by default, where --issuer says that it is.
    #[arg(long, value_name = "URL")]
    revocation_url: Option<String>,

    #[command(flatten)]
    client: ClientOptions,

    /// How long all of it may take, in seconds, from 1 to 600.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// {"event":"revoked","tokens":…} instead of a sentence.
    #[arg(long)]
    json: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Hint {
    AccessToken,
    RefreshToken,
}

impl From<Hint> for TokenHint {
    fn from(hint: Hint) -> Self {
        match hint {
            Hint::AccessToken => Self::AccessToken,
            Hint::RefreshToken => Self::RefreshToken,
        }
    }
}

pub(crate) fn command(options: &RevokeOptions) -> ExitCode {
    exit::run("revoke", revoke(options))
}

async fn revoke(options: &RevokeOptions) -> Result<(), Failure> {
    let timeout = Duration::from_secs(options.timeout);
    let mut secrets = Secrets::default();
    let client = Client::read("revoke", &options.client, &mut secrets, timeout)?;
    Server::check(&client, &[endpoint(options)])?;
    if let Some(url) = &options.revocation_url {
        revocation_endpoint(url, &client)?;
    }
    let token = options.token_file.as_ref().map(|path| secrets.read("--token-file", path)).transpose()?;
    let tokens = match (token, &options.store) {
        (Some(token), _) => {
            let mut patience = Patience::of(timeout)?;
            let tokens = [(token, options.hint.into())];
            patience.within(end(options, &client, &tokens)).await?;
            tokens.len()
        }
        (None, Some(path)) => {
            if !path.exists() {
                let text = format!("there is no {}; name the file that the login is in", path.display());
                return Err(Failure::Usage(text));
            }
            end_login(options, &client, path, Patience::of(timeout)?).await?
        }
        // One of them is required.
        (None, None) => 0,
    };
    if options.json {
        return exit::print(serde_json::json!({ "event": "revoked", "tokens": tokens }));
    }
    exit::print(match tokens {
        0 => "There is no login in the file; nothing was sent.",
        1 => "The token is ended.",
        _ => "The login is ended: its refresh token and its token.",
    })
}

/// Ends what a store holds, under its lock all along: nobody redeems the refresh token meanwhile.
async fn end_login(
    options: &RevokeOptions,
    client: &Client,
    path: &std::path::Path,
    mut patience: Patience,
) -> Result<usize, Failure> {
    let store = source::open_store(path)?;
    let (mut locked, record) = patience
        .within(async {
            let mut locked = store::lock(&*store, &TokioTimer::start()).await?;
            let record = locked.load().await?.unwrap_or_default();
            Ok((locked, record))
        })
        .await?;
    let Record { revision, refresh_token, origin, access_token, .. } = record;
    let refresh_token = refresh_token.map(|token| (token, TokenHint::RefreshToken));
    let access_token = access_token.map(|token| (token.secret, TokenHint::AccessToken));
    let tokens: Vec<_> = refresh_token.into_iter().chain(access_token).collect();
    if tokens.is_empty() {
        return Ok(0);
    }
    let ended = patience.within(end(options, client, &tokens)).await;
    // The origin stays, so that a configured refresh token of this login is not sent again.
    let cleared = Record { revision: revision.saturating_add(1), origin, ..Record::default() };
    locked.save(&cleared).await?;
    if ended.is_err() {
        complain(
            "revoke",
            format_args!(
                "{} holds the tokens no more, but they may be good at the server until they expire",
                path.display()
            ),
        );
    }
    ended.map(|()| tokens.len())
}

/// Has the server end tokens, each whatever came of the one before.
async fn end(
    options: &RevokeOptions,
    client: &Client,
    tokens: &[(Secret, TokenHint)],
) -> Result<(), Failure> {
    let endpoint = endpoint(options);
    let server = Server::discover(client, std::slice::from_ref(&endpoint)).await?;
    let endpoint = revocation_endpoint(&server.url(&endpoint)?, client)?;
    let revocation = Revocation::new(endpoint, Arc::clone(&client.http));
    let mut outcome = Ok(());
    for (token, hint) in tokens {
        outcome = outcome.and(revocation.revoke(token, *hint).await);
    }
    Ok(outcome?)
}

fn endpoint(options: &RevokeOptions) -> Endpoint<'_> {
    let stated: fn(&ServerMetadata) -> Option<&String> = |metadata| metadata.revocation_endpoint.as_ref();
    Endpoint { flag: "--revocation-url", given: options.revocation_url.as_deref(), stated }
}

fn revocation_endpoint(url: &str, client: &Client) -> Result<RevocationEndpoint, Failure> {
    let endpoint = RevocationEndpoint::new(url, client.authentication.clone());
    endpoint.map_err(|error| Failure::Usage(format!("--revocation-url: {error}")))
}
