//! The sessions: one for each holder and token id, with one line of refresh tokens.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::jwt::Claims;
use auth_core::time::{Now, Timestamp};

use super::call::Wanted;
use super::{Asking, Refusal, name};
use crate::endpoint::Grace;

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

    pub(super) fn asking(&self) -> Asking<'_> {
        match self {
            Self::Account(name) => Asking::Account(name),
            Self::Merchant(id) => Asking::Merchant(id),
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
    /// How long the refresh token before this one may be presented again; the first has none before it.
    grace: Option<Grace>,
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
    /// By token id, of each holder.
    of: HashMap<Holder, HashMap<String, Session>>,
}

/// The most sessions at once: about a kilobyte each.
const MOST_SESSIONS: usize = 100_000;
/// The most of one holder, so that none takes all the room: one more displaces the one that was refreshed longest ago.
const MOST_OF_ONE: usize = 1_000;

impl Sessions {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, counts: Counts::default(), of: HashMap::new() }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    fn count(&self) -> usize {
        self.of.values().map(HashMap::len).sum()
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
        let own = self.of.get(&holder);
        let replaces = own.is_some_and(|own| own.contains_key(&wanted.token_id));
        let is_full = own.is_some_and(|own| own.len() >= MOST_OF_ONE);
        if !replaces && !is_full && self.count() >= MOST_SESSIONS {
            self.of.values_mut().for_each(|own| own.retain(|_, session| session.expires > now.wall));
            if self.count() >= MOST_SESSIONS {
                return Err(Refusal::Unavailable);
            }
        }
        let own = self.of.entry(holder.clone()).or_default();
        if !replaces && is_full {
            let oldest = own.iter().min_by_key(|(_, session)| session.issued);
            if let Some(token_id) = oldest.map(|(token_id, _)| token_id.clone()) {
                own.remove(&token_id);
            }
        }
        let session = Session {
            holder,
            token_id: wanted.token_id.clone(),
            permissions: wanted.permissions,
            issued: now.wall,
            family: name(random.split_at(16).0),
            step: 0,
            expires: now.wall.saturating_add(lifetime),
            grace: None,
        };
        own.insert(wanted.token_id, session.clone());
        self.counts.0.established.fetch_add(1, Ordering::Relaxed);
        Ok(session)
    }

    /// Redeems the refresh token of this name, which its signature has vouched for, and which has not expired.
    pub(super) fn redeem(
        &mut self,
        now: Now,
        holder: &Holder,
        token_id: &str,
        jti: &str,
        lifetime: Duration,
    ) -> Result<Session, Refusal> {
        let own = self.of.get_mut(holder).ok_or(Refusal::Unauthorized)?;
        let session = own.get_mut(token_id).ok_or(Refusal::Unauthorized)?;
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
            session.grace = Some(Grace::begin(now, self.grace));
            self.counts.0.redeemed.fetch_add(1, Ordering::Relaxed);
            return Ok(session.clone());
        }
        if step.checked_add(1) == Some(session.step)
            && let Some(grace) = session.grace.as_mut().filter(|grace| grace.serves(now))
        {
            grace.retry(now);
            self.counts.0.retried.fetch_add(1, Ordering::Relaxed);
            return Ok(session.clone());
        }
        // Nobody can tell the thief from the owner.
        own.remove(token_id);
        self.counts.0.revoked.fetch_add(1, Ordering::Relaxed);
        Err(Refusal::Reused)
    }

    /// A reply with the refresh token of this name never left.
    pub(super) fn unsent(&mut self, holder: &Holder, token_id: &str, jti: &str) {
        let session = self.of.get_mut(holder).and_then(|own| own.get_mut(token_id));
        if let Some(grace) = session.filter(|session| session.jti() == jti).and_then(|it| it.grace.as_mut()) {
            grace.unsent();
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Moment;

    use super::*;

    const LIFETIME: Duration = Duration::from_secs(86_400);

    fn at(seconds: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(seconds * 1_000),
            mono: Moment::since_origin(Duration::from_secs(seconds)),
        }
    }

    fn establish(sessions: &mut Sessions, seconds: u64, holder: &Holder, token_id: &str) -> Session {
        let wanted = Wanted { token_id: token_id.to_owned(), permissions: vec!["read".to_owned()] };
        sessions.establish(at(seconds), &[1; 32], holder.clone(), wanted, LIFETIME).unwrap()
    }

    #[test]
    fn a_reply_that_left_once_is_not_unsent_because_its_retry_was_not_sent() {
        let alice = Holder::Account("alice".to_owned());
        let mut sessions = Sessions::new(Duration::from_secs(10));
        let first = establish(&mut sessions, 0, &alice, "device").jti();
        let redeem = |sessions: &mut Sessions, seconds| {
            let redeemed = sessions.redeem(at(seconds), &alice, "device", &first, LIFETIME);
            redeemed.map(|session| session.jti())
        };
        let second = redeem(&mut sessions, 0).unwrap();
        assert_eq!(redeem(&mut sessions, 5).as_ref(), Ok(&second));
        sessions.unsent(&alice, "device", &second);
        assert_eq!(redeem(&mut sessions, 3_600), Err(Refusal::Reused));
    }

    #[test]
    fn a_holder_with_more_sessions_than_there_may_be_displaces_its_own_oldest_and_nobody_elses() {
        let (alice, bob) = (Holder::Account("alice".to_owned()), Holder::Account("bob".to_owned()));
        let mut sessions = Sessions::new(Duration::ZERO);
        let of_bob = establish(&mut sessions, 0, &bob, "device");
        let (first, second) =
            (establish(&mut sessions, 1, &alice, "0"), establish(&mut sessions, 2, &alice, "1"));
        for number in 2..MOST_OF_ONE {
            establish(&mut sessions, 3, &alice, &number.to_string());
        }
        // One that is refreshed is no longer the oldest, and one of a known id displaces only itself.
        let first = sessions.redeem(at(4), &alice, "0", &first.jti(), LIFETIME).unwrap();
        establish(&mut sessions, 5, &alice, "2");
        let second = sessions.redeem(at(4), &alice, "1", &second.jti(), LIFETIME).unwrap();
        assert_eq!(sessions.count(), MOST_OF_ONE + 1);

        establish(&mut sessions, 6, &alice, "new");
        assert_eq!(sessions.count(), MOST_OF_ONE + 1);
        for number in 3..=5 {
            establish(&mut sessions, 7, &alice, &format!("newer {number}"));
        }
        for session in [&first, &second] {
            sessions.redeem(at(8), &alice, &session.token_id, &session.jti(), LIFETIME).unwrap();
        }
        let gone = (3..MOST_OF_ONE).filter(|number| !sessions.of[&alice].contains_key(&number.to_string()));
        assert_eq!(gone.count(), 4);
        sessions.redeem(at(8), &bob, "device", &of_bob.jti(), LIFETIME).unwrap();
    }
}
