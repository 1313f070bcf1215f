//! Grants that need no person: what a client has of itself, and what a refresh token gives.

use std::time::Duration;

use auth_core::oauth::TokenType;
use auth_core::{ErrorKind, Retry};
use auth_http::grant::Grant as _;
use auth_http::wire::Wanted;

use super::World;
use crate::kit::{anew, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

pub(super) async fn client_credentials_obtain_a_bearer_token(world: &World) -> Verdict {
    let grant = world.service(&Watched::new())?.with_scope("read write".parse()?);
    let issued = grant.obtain(&anew()).await?;
    same("type", issued.token_type, TokenType::Bearer)?;
    same("lifetime", issued.expires_in, Some(Duration::from_secs(600)))?;
    same("scope", issued.scope.map(|scope| scope.to_string()), Some("read write".to_owned()))?;
    holds("no refresh token", issued.refresh_token.is_none())?;
    holds("the time of the server", issued.server_time.is_some())
}

pub(super) async fn a_refresh_token_is_rotated_and_its_successor_serves(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let grant = world.refreshing(&Watched::new(), &first)?;
    let second = grant.obtain(&with(&first)).await?;
    let next = second.refresh_token.ok_or_else(|| Wrong::new("another refresh token", "none"))?;
    holds("another refresh token", next != first)?;
    let third = grant.obtain(&with(&next)).await?;
    holds("another access token", third.access_token != second.access_token)
}

pub(super) async fn fewer_scopes_on_refresh_are_granted_and_more_are_refused(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let asking = |scope: &str| -> Result<_, Wrong> {
        let wanted = Wanted::new().with_scope(scope.parse()?);
        Ok(world.refreshing(&Watched::new(), &first)?.with_wanted(wanted))
    };
    let error = failed(asking("read admin")?.obtain(&with(&first)).await, ErrorKind::Refused, Retry::Never)?;
    same("status", error.code(), Some(400))?;
    holds("it names the code", error.to_string().contains("invalid_scope"))?;
    let issued = asking("read")?.obtain(&with(&first)).await?;
    same("scope", issued.scope.map(|scope| scope.to_string()), Some("read".to_owned()))
}
