//! The life of a login whose access tokens live five seconds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Demand, TokenSource as _};
use auth_http::manager::TokenManager;
use auth_http::store::FileStore;

use super::{World, logged_in};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, holds, same};

/// How many tokens the program lives to see.
const TOKENS: usize = 5;

/// How often the program uses its token.
const USES: Duration = Duration::from_millis(50);

pub(super) async fn short_lived_tokens_are_renewed_and_no_refresh_token_is_sent_twice(
    world: &World,
) -> Verdict {
    let (http, folder) = (Watched::new(), tempfile::tempdir()?);
    let grant = logged_in(&world.plain, "short", None, &http).await?;
    let store = Arc::new(FileStore::open(folder.path().join("login.json"))?);
    let manager = TokenManager::builder(grant).with_store(store).spawn();
    let mut seen = BTreeSet::new();
    while seen.len() < TOKENS {
        let token = manager.token(Demand::Current).await?;
        holds("the token is alive", token.expires_in().is_some_and(|left| !left.is_zero()))?;
        seen.insert(token.generation());
        tokio::time::sleep(USES).await;
    }
    same("statuses", http.statuses(), vec![200; TOKENS])?;

    // The family is alive: its youngest refresh token serves once more.
    let held = manager.token(Demand::Current).await?.generation();
    let next = manager.token(Demand::InsteadOf(held)).await?.generation();
    holds("another token", next > held)?;
    manager.shut_down().await;
    let sent = http.sent("refresh_token");
    let different: BTreeSet<_> = sent.iter().collect();
    same("all but the first request redeem a refresh token", sent.len() + 1, http.count())?;
    same("of which none is sent twice", different.len(), sent.len())
}
