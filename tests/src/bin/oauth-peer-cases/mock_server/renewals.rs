//! Answer after answer, and what the token manager makes of them.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{Demand, ErrorKind, Retry, Token, TokenSource as _};
use auth_http::manager::TokenManager;
use serde_json::{Value, json};

use super::{FIRST, World};
use crate::kit::clock;
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

/// How often a program uses its token.
const USES: Duration = Duration::from_millis(20);

pub(super) async fn too_many_requests_are_waited_out(world: &World) -> Verdict {
    let (clock, plan) = (clock(), json!([{ "status": 429, "headers": { "Retry-After": "1" } }, {}]));
    let (http, manager) = managed(world, &plan)?;
    let began = clock().mono.elapsed();
    manager.token(Demand::Current).await?;
    let waited = clock().mono.elapsed() - began;
    same("statuses", http.statuses(), vec![429, 200])?;
    holds(&format!("a second was waited, and not {waited:?}"), waited >= Duration::from_secs(1))?;
    manager.shut_down().await;
    Ok(())
}

pub(super) async fn a_wait_that_is_too_long_is_told_to_the_caller(world: &World) -> Verdict {
    let plan = json!([{ "status": 429, "headers": { "Retry-After": "3600" } }]);
    let (http, manager) = managed(world, &plan)?;
    for _ in 0..3 {
        match manager.token(Demand::Current).await {
            Ok(_) => return Err(Wrong::new("a failure", "it succeeded")),
            Err(error) => same("kind", error.kind(), ErrorKind::RateLimited)?,
        }
    }
    same("requests", http.count(), 1)?;
    manager.shut_down().await;
    Ok(())
}

pub(super) async fn an_overload_passes_unnoticed(world: &World) -> Verdict {
    let (http, manager) = managed(world, &json!([{ "status": 503 }, {}]))?;
    manager.token(Demand::Current).await?;
    same("statuses", http.statuses(), vec![503, 200])?;
    manager.shut_down().await;
    Ok(())
}

pub(super) async fn a_refused_client_is_asked_about_once(world: &World) -> Verdict {
    let refusal = json!([{ "status": 401, "body": { "error": "invalid_client" } }]);
    let (http, manager) = managed(world, &refusal)?;
    for _ in 0..3 {
        failed(manager.token(Demand::Current).await, ErrorKind::InvalidClient, Retry::Never)?;
    }
    same("requests", http.count(), 1)?;
    manager.shut_down().await;
    Ok(())
}

/// That nothing was done is said by both answers, so the same one may be sent at once and late.
pub(super) async fn a_refresh_token_outlives_a_server_that_turns_it_away(world: &World) -> Verdict {
    let plan = json!([{ "status": 429, "headers": { "Retry-After": "1" } }, { "status": 503 }, {}]);
    let (http, manager) = redeeming(world, &plan)?;
    let held = manager.token(Demand::Current).await?.generation();
    same("statuses", http.statuses(), vec![429, 503, 200])?;
    same("refresh tokens sent", http.sent("refresh_token"), vec![FIRST.to_owned(); 3])?;
    manager.token(Demand::InsteadOf(held)).await?;
    holds("then its successor", http.sent("refresh_token").last().is_some_and(|last| last != FIRST))?;
    manager.shut_down().await;
    Ok(())
}

/// As a proxy answers that has lost the server: whether the refresh token is spent, nobody knows, and soon it may be asked.
pub(super) async fn a_page_in_answer_to_a_refresh_token_is_asked_past(world: &World) -> Verdict {
    let (http, manager) = redeeming(world, &json!([{ "text": "<html></html>" }, {}]))?;
    manager.token(Demand::Current).await?;
    same("statuses", http.statuses(), vec![200, 200])?;
    same("refresh tokens sent", http.sent("refresh_token"), vec![FIRST.to_owned(); 2])?;
    manager.shut_down().await;
    Ok(())
}

/// With status 200, as some servers have it.
pub(super) async fn a_refused_refresh_token_is_not_sent_again(world: &World) -> Verdict {
    let (http, manager) = redeeming(world, &json!([{ "body": { "error": "invalid_grant" } }]))?;
    for _ in 0..3 {
        let outcome = manager.token(Demand::Current).await;
        failed(outcome, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    }
    same("requests", http.count(), 1)?;
    manager.shut_down().await;
    Ok(())
}

pub(super) async fn a_failed_early_renewal_never_hides_the_living_token(world: &World) -> Verdict {
    let failures = json!([short_lived(), { "status": 503 }, { "status": 500 }, { "status": 503 }, {}]);
    renewed_in_the_end(world, &failures, &[200, 503, 500, 503, 200]).await
}

pub(super) async fn a_limit_on_an_early_renewal_never_hides_the_living_token(world: &World) -> Verdict {
    let limit = json!({ "status": 429, "headers": { "Retry-After": "1" } });
    renewed_in_the_end(world, &json!([short_lived(), limit, {}]), &[200, 429, 200]).await
}

pub(super) async fn an_absurd_lifetime_is_believed_for_a_day(world: &World) -> Verdict {
    let (_, manager) = managed(world, &json!([{ "body": { "expires_in": 1e18 } }]))?;
    let renew_in = manager.token(Demand::Current).await?.renew_in();
    let day = Duration::from_secs(24 * 60 * 60);
    holds("it is renewed within a day", renew_in.is_some_and(|renew_in| renew_in <= day))?;
    manager.shut_down().await;
    Ok(())
}

/// A token that is renewed after four seconds, and dies after eight.
fn short_lived() -> Value {
    json!({ "body": { "expires_in": 8 } })
}

/// Uses the token all the time, through failures, until there is another.
async fn renewed_in_the_end(world: &World, plan: &Value, statuses: &[u16]) -> Verdict {
    let (http, manager) = managed(world, plan)?;
    let first = manager.token(Demand::Current).await?.generation();
    let mut used: Token;
    while {
        used = manager.token(Demand::Current).await?;
        used.generation() == first
    } {
        let served_alive = used.expires_in().is_some_and(|left| !left.is_zero());
        holds("the token is alive while it serves", served_alive)?;
        tokio::time::sleep(USES).await;
    }
    same("statuses", http.statuses(), statuses.to_vec())?;
    manager.shut_down().await;
    Ok(())
}

fn managed(world: &World, plan: &Value) -> Result<(Arc<Watched>, TokenManager), Wrong> {
    let http = Watched::new();
    let manager = TokenManager::builder(world.planned(&http, plan)?).spawn();
    Ok((http, manager))
}

fn redeeming(world: &World, plan: &Value) -> Result<(Arc<Watched>, TokenManager), Wrong> {
    let http = Watched::new();
    let manager = TokenManager::builder(world.logged_in(&http, plan)?).spawn();
    Ok((http, manager))
}
