//! Ends OAuth tokens at the server (RFC 7009), and the copies here with them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth_core::renewal::Record;
use auth_core::{Error, ErrorKind, Secret};
use auth_http::grant::Revocation;
use auth_http::manager::TokioTimer;
use auth_http::store::{self, LockedStore};
use auth_http::wire::{Dpop, RevocationEndpoint, ServerMetadata, TokenForm, TokenHint};

use super::RevokeOptions;
use crate::exit::{self, Failure, complain};
use crate::patience::Patience;
use crate::source::{self, Client, DpopOptions, Endpoint, Secrets, Server};

pub(super) async fn revoke(options: &RevokeOptions, timeout: Duration) -> Result<(), Failure> {
    let mut secrets = Secrets::default();
    // A lookup and two tokens: none of them leaves the others without time.
    let of_each = if options.store.is_some() { timeout / 3 } else { timeout };
    let urls = [options.revocation_url.as_deref()];
    let client = Client::read("revoke", &options.client, &urls, &mut secrets, of_each)?;
    Server::check(&client, &[endpoint(options)])?;
    if let Some(url) = &options.revocation_url {
        revocation_endpoint(url, &client)?;
    }
    if let Some(url) = &options.token_url {
        source::token_url(url, &client)?;
    }
    let token = options.token_file.as_ref().map(|path| secrets.read("--token-file", path)).transpose()?;
    let tokens = match token {
        Some(token) => {
            let mut patience = Patience::of(timeout)?;
            let ending = async {
                let server = Server::discover(&client, &[endpoint(options)]).await?;
                let revocation = revocation(options, &client, &server)?;
                Ok(revocation.revoke(&token, options.hint.into()).await?)
            };
            patience.within(ending).await?;
            1
        }
        None => {
            let path = options.stored("oauth", "--store FILE of a login, or --token-file FILE")?;
            let key = DpopOptions { dpop: options.dpop, dpop_key_file: options.dpop_key_file.clone() };
            let dpop = source::dpop("revoke", &key, &mut secrets, true)?;
            end_login(options, &client, dpop, path, Patience::of(timeout)?).await?
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

/// Ends what a store holds, under its lock all along: nobody redeems the refresh token meanwhile. The copies here go once the
/// server was asked, and not before.
async fn end_login(
    options: &RevokeOptions,
    client: &Client,
    dpop: Option<Dpop>,
    path: &Path,
    mut patience: Patience,
) -> Result<usize, Failure> {
    let token_endpoint = source::token_endpoint(client, options.token_url.as_deref());
    let endpoints = [endpoint(options), token_endpoint];
    let server = patience.within(Server::discover(client, &endpoints)).await?;
    let revocation = revocation(options, client, &server)?;
    let token_url = server.url(&token_endpoint).ok();
    let (mut locked, record) = locked(path, &mut patience).await?;
    check_holder(&record, token_url, client, dpop, path)?;
    let cleared = cleared(&record);
    let Record { refresh_token, access_token, .. } = record;
    let refresh_token = refresh_token.map(|token| (token, TokenHint::RefreshToken));
    let access_token = access_token.map(|token| (token.secret, TokenHint::AccessToken));
    let tokens: Vec<_> = refresh_token.into_iter().chain(access_token).collect();
    let mut sent = false;
    let ending = async {
        let mut outcome = Ok(());
        for (token, hint) in &tokens {
            let ended = revocation.revoke(token, *hint);
            // Whoever interrupts the request can't know how far it came.
            let earlier = std::mem::replace(&mut sent, true);
            let ended = ended.await;
            sent = earlier || !ended.as_ref().is_err_and(is_unsent);
            outcome = outcome.and(ended);
        }
        Ok(outcome?)
    };
    let ended = patience.within(ending).await;
    if sent {
        locked.save(&cleared).await?;
    }
    if ended.is_err() {
        let path = path.display();
        complain(
            "revoke",
            match sent {
                true => format!(
                    "{path} holds the tokens no more, but they may be good at the server until they expire"
                ),
                false => format!("nothing was sent, and {path} holds the login still; try again"),
            },
        );
    }
    ended.map(|()| tokens.len())
}

/// Refuses a login that is none of this client's at this server: its tokens are sent to nobody else.
fn check_holder(
    record: &Record,
    token_url: Option<String>,
    client: &Client,
    dpop: Option<Dpop>,
    path: &Path,
) -> Result<(), Failure> {
    let Some(holder) = &record.credential else { return Ok(()) };
    let path = path.display();
    let Some(url) = token_url else {
        return Err(Failure::Usage(format!(
            "whose login {path} holds is told by its token endpoint; give --token-url, as when it was made, or --issuer"
        )));
    };
    let endpoint = source::token_url(&url, client)?;
    let endpoint = match dpop {
        Some(dpop) => endpoint.with_dpop(dpop),
        None => endpoint,
    };
    // Whoever holds a login does so whatever is wanted of it.
    let form = TokenForm::refresh_token(&Secret::from("any"));
    if endpoint.credential_key(&form).holder() == holder {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{path} holds the login of another client, server or key; nothing was sent. Give --client-id, --issuer or --token-url, \
         and --dpop-key-file as when it was made"
    )))
}

/// Whether nothing of the request has left.
fn is_unsent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::Misconfigured)
        && !error.is_in_doubt()
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

/// What ends tokens at the server.
fn revocation(options: &RevokeOptions, client: &Client, server: &Server) -> Result<Revocation, Failure> {
    let endpoint = revocation_endpoint(&server.url(&endpoint(options))?, client)?;
    Ok(Revocation::new(endpoint, Arc::clone(&client.http)))
}

fn endpoint(options: &RevokeOptions) -> Endpoint<'_> {
    let stated: fn(&ServerMetadata) -> Option<&String> = |metadata| metadata.revocation_endpoint.as_ref();
    Endpoint { flag: "--revocation-url", given: options.revocation_url.as_deref(), stated }
}

fn revocation_endpoint(url: &str, client: &Client) -> Result<RevocationEndpoint, Failure> {
    let endpoint = RevocationEndpoint::new(url, client.authentication.clone());
    endpoint.map_err(|error| Failure::Usage(format!("--revocation-url: {error}")))
}
