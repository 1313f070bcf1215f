//! The sessions: one for each holder and token id, with one line of refresh tokens.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::jwt::Claims;
use auth_core::time::{Deadline, Now, Timestamp};

use super::call::Wanted;
use super::{Refusal, name};

/// What became of the refresh tokens of an authorization service; clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    established: AtomicU64,
    redeemed: AtomicU64,
    retried: AtomicU64,
    revoked: AtomicU64,
}

impl Counts {
    /// How many sessions were established.
    #[must_use]
    pub fn established(&self) -> u64 {
        self.0.established.load(Ordering::Relaxed)
    }

    /// How many refresh tokens were redeemed for a successor.
    #[must_use]
    pub fn redeemed(&self) -> u64 {
        self.0.redeemed.load(Ordering::Relaxed)
    }

    /// How often a spent one was presented again within its grace, and led to the same successor.
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.0.retried.load(Ordering::Relaxed)
    }

    /// How many sessions were revoked because a spent one was presented.
    #[must_use]
    pub fn revoked(&self) -> u64 {
        self.0.revoked.load(Ordering::Relaxed)
    }
}

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Account(String),
    Merchant(String),
}

impl Holder {
    /// Whom a token speaks of.
    pub(super) fn of(claims: &Claims) -> Option<Self> {
        let account = claims.text("accountId").map(|account| Self::Account(account.to_owned()));
        account.or_else(|| Some(Self::Merchant(claims.text("merchantId")?.to_owned())))
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Account(name) | Self::Merchant(name) => name,
        }
    }
}

/// A session, at one step of its line.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) holder: Holder,
    pub(super) token_id: String,
    pub(super) permissions: Vec<String>,
    /// When its refresh token was issued.
    pub(super) issued: Timestamp,
    /// Which establishment of this holder and token id it is: a later one has another.
    family: String,
    /// How often it was refreshed.
    step: u64,
    expires: Timestamp,
    /// Until when the refresh token before this one may be presented again.
    grace: Option<Deadline>,
}

impl Session {
    /// The name of its refresh token.
    pub(super) fn jti(&self) -> String {
        format!("{}.{}", self.family, self.step)
    }
}

/// All sessions, in memory.
pub(super) struct Sessions {
    pub(super) grace: Duration,
    counts: Counts,
    by_id: HashMap<(Holder, String), Session>,
}

/// The most sessions at once: about a kilobyte each.
const MOST_SESSIONS: usize = 100_000;

impl Sessions {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, counts: Counts::default(), by_id: HashMap::new() }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Begins a session in the place of the one before, whose refresh tokens are no longer good.
    pub(super) fn establish(
        &mut self,
        now: Now,
        random: &[u8; 32],
        holder: Holder,
        wanted: Wanted,
        lifetime: Duration,
    ) -> Result<Session, Refusal> {
        let id = (holder, wanted.token_id);
        if self.by_id.len() >= MOST_SESSIONS && !self.by_id.contains_key(&id) {
            self.by_id.retain(|_, session| session.expires > now.wall);
            if self.by_id.len() >= MOST_SESSIONS {
                return Err(Refusal::Unavailable);
            }
        }
        let session = Session {
            holder: id.0.clone(),
            token_id: id.1.clone(),
            permissions: wanted.permissions,
            issued: now.wall,
            family: name(random.split_at(16).0),
            step: 0,
            expires: now.wall.saturating_add(lifetime),
            grace: None,
        };
        self.by_id.insert(id, session.clone());
        self.counts.0.established.fetch_add(1, Ordering::Relaxed);
        Ok(session)
    }

    /// Redeems the refresh token of this name, which its signature has vouched for, and which has not expired.
    pub(super) fn redeem(
        &mut self,
        now: Now,
        holder: Holder,
        token_id: &str,
        jti: &str,
        lifetime: Duration,
    ) -> Result<Session, Refusal> {
        let id = (holder, token_id.to_owned());
        let session = self.by_id.get_mut(&id).ok_or(Refusal::Unauthorized)?;
        // One of an earlier session of this id was displaced, not stolen: it says nothing about this one.
        let (family, step) = jti.rsplit_once('.').ok_or(Refusal::Unauthorized)?;
        let step: u64 = step.parse().map_err(|_| Refusal::Unauthorized)?;
        if family != session.family {
            return Err(Refusal::Unauthorized);
        }
        if step == session.step {
            session.step += 1;
            session.issued = now.wall;
            session.expires = now.wall.saturating_add(lifetime);
            // It is short, so it ends by either clock: a suspended server must not extend it.
            session.grace = Some(now.expiry(self.grace));
            self.counts.0.redeemed.fetch_add(1, Ordering::Relaxed);
            return Ok(session.clone());
        }
        let in_grace = session.grace.is_some_and(|grace| !grace.passed(now));
        if in_grace && step.checked_add(1) == Some(session.step) {
            self.counts.0.retried.fetch_add(1, Ordering::Relaxed);
            return Ok(session.clone());
        }
        // Nobody can tell the thief from the owner.
        self.by_id.remove(&id);
        self.counts.0.revoked.fetch_add(1, Ordering::Relaxed);
        Err(Refusal::Unauthorized)
    }
}
