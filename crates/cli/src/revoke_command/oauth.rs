//! Ends OAuth tokens at the server (RFC 7009), and the copies here in any case.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use auth_core::renewal::Record;
use auth_http::grant::Revocation;
use auth_http::manager::TokioTimer;
use auth_http::store::{self, LockedStore};
use auth_http::wire::{RevocationEndpoint, ServerMetadata, TokenHint};

use super::RevokeOptions;
use crate::exit::{self, Failure, complain};
use crate::patience::Patience;
use crate::source::{self, Client, Endpoint, Secrets, Server};

pub(super) async fn revoke(options: &RevokeOptions, timeout: Duration) -> Result<(), Failure> {
    let mut secrets = Secrets::default();
    let client = Client::read("revoke", &options.client, &mut secrets, timeout)?;
    Server::check(&client, &[endpoint(options)])?;
    if let Some(url) = &options.revocation_url {
        revocation_endpoint(url, &client)?;
    }
    let token = options.token_file.as_ref().map(|path| secrets.read("--token-file", path)).transpose()?;
    let tokens = match token {
        Some(token) => {
            let mut patience = Patience::of(timeout)?;
            let tokens = [(token, options.hint.into())];
            patience.within(end(options, &client, &tokens)).await?;
            tokens.len()
        }
        None => {
            let path = options.stored("oauth", "--store FILE of a login, or --token-file FILE")?;
            end_login(options, &client, path, Patience::of(timeout)?).await?
        }
    };
    print(options, tokens)
}

/// Says how many tokens are ended.
pub(super) fn print(options: &RevokeOptions, tokens: usize) -> Result<(), Failure> {
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
    path: &Path,
    mut patience: Patience,
) -> Result<usize, Failure> {
    let (mut locked, record) = locked(path, &mut patience).await?;
    let cleared = cleared(&record);
    let Record { refresh_token, access_token, .. } = record;
    let refresh_token = refresh_token.map(|token| (token, TokenHint::RefreshToken));
    let access_token = access_token.map(|token| (token.secret, TokenHint::AccessToken));
    let tokens: Vec<_> = refresh_token.into_iter().chain(access_token).collect();
    if tokens.is_empty() {
        return Ok(0);
    }
    let ended = patience.within(end(options, client, &tokens)).await;
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

/// A store under its lock, and what it holds.
pub(super) async fn locked(
    path: &Path,
    patience: &mut Patience,
) -> Result<(Box<dyn LockedStore>, Record), Failure> {
    let store = source::open_store(path)?;
    let locking = async {
        let mut locked = store::lock(&*store, &TokioTimer::start()).await?;
        let record = locked.load().await?.unwrap_or_default();
        Ok((locked, record))
    };
    patience.within(locking).await
}

/// A record without its tokens. The origin stays, so that a configured refresh token of this login is not sent again.
pub(super) fn cleared(record: &Record) -> Record {
    let revision = record.revision.saturating_add(1);
    Record { revision, origin: record.origin.clone(), ..Record::default() }
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
