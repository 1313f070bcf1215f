//! Refresh tokens that rotate: each is redeemed once, and the reuse of an old one revokes its family.
//!
//! An answer can be lost after its token was spent, and the client is then left with the old one. For a short while
//! it may present that again, and gets the very successor that it missed: one line of descent, however often it asks.
//! Once the successor was redeemed the answer can't have been lost, and from then on the old token is reuse.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::Secret;
use auth_core::scope::Scopes;
use auth_core::time::Now;
use auth_http::endpoint::Grace;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::authority::random_text;

/// What became of the refresh tokens since the gateway began; clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Refreshes(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    redeemed: AtomicU64,
    retried: AtomicU64,
    revoked: AtomicU64,
}

impl Refreshes {
    /// How many tokens were redeemed for a successor.
    #[must_use]
    pub fn redeemed(&self) -> u64 {
        self.0.redeemed.load(Ordering::Relaxed)
    }

    /// How often a spent token was presented again within its [grace](crate::Config::with_refresh_grace), and
    /// answered with the successor that it has already. Many of them are a network, or a client, that loses answers.
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.0.retried.load(Ordering::Relaxed)
    }

    /// How many families were revoked because a spent token was presented: each is a theft, or a client that kept a
    /// token that it had used.
    #[must_use]
    pub fn revoked(&self) -> u64 {
        self.0.revoked.load(Ordering::Relaxed)
    }
}

/// The refresh tokens of a gateway, in memory. Only their hashes are kept.
#[derive(Debug)]
pub(crate) struct RefreshTokens {
    grace: Duration,
    refreshes: Refreshes,
    families: Vec<Family>,
    by_hash: HashMap<TokenHash, usize>,
}

type TokenHash = [u8; 32];

/// The successors of one refresh token.
#[derive(Debug)]
struct Family {
    client_id: String,
    scope: Scopes,
    /// `None` once revoked.
    current: Option<TokenHash>,
    /// How the current token came from the newest of the spent ones; `None` for the first token, and once revoked.
    rotation: Option<Rotation>,
    /// The tokens before it, newest last: whoever presents one of these has stolen it, was stolen from, or missed an
    /// answer.
    spent: VecDeque<TokenHash>,
}

/// One step of a family. The successor is made of this and the token before it, so that an answer can be given again
/// without the text of a token in memory.
#[derive(Debug)]
struct Rotation {
    salt: Secret,
    grace: Grace,
}

impl Rotation {
    fn begin(now: Now, grace: Duration) -> Self {
        Self { salt: Secret::from(random_text() + &random_text()), grace: Grace::begin(now, grace) }
    }

    /// 256 random bits, hashed with the token that is redeemed: always of the same length, so that no two inputs
    /// meet.
    fn successor(&self, token: &Secret) -> Secret {
        let digest = Sha256::new().chain_update(self.salt.expose()).chain_update(token.expose()).finalize();
        Secret::from(URL_SAFE_NO_PAD.encode(digest))
    }
}

/// How a token that may be presented stands in its family.
enum Standing {
    Current,
    /// Spent a moment ago, and its successor was not redeemed yet.
    InGrace,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotGood {
    /// It is unknown, another client's, or of a family that was revoked for another reason.
    Unknown,
    /// It was spent, and whoever presents it is the thief, or the one who was stolen from.
    Reused {
        /// Whether its family is revoked by that, and was not before.
        revokes: bool,
    },
}

/// How many spent tokens of a family are remembered. An older one is refused too, without the alarm.
const REMEMBERED: usize = 32;

impl RefreshTokens {
    /// No tokens yet. A spent one may be presented again for this long.
    pub(crate) fn new(grace: Duration) -> Self {
        Self { grace, refreshes: Refreshes::default(), families: Vec::new(), by_hash: HashMap::new() }
    }

    /// What became of them.
    pub(crate) fn refreshes(&self) -> Refreshes {
        self.refreshes.clone()
    }

    /// Adds a token that was handed out elsewhere, with the scopes that it carries.
    pub(crate) fn add(&mut self, token: &Secret, client_id: &str, scope: Scopes) {
        let hash = hash(token);
        self.by_hash.insert(hash, self.families.len());
        self.families.push(Family {
            client_id: client_id.to_owned(),
            scope,
            current: Some(hash),
            rotation: None,
            spent: VecDeque::new(),
        });
    }

    /// The scopes that a client's token carries. The token stays as it is: what is asked for may yet be refused. A
    /// spent one past its grace revokes its family, as in [`redeem`](Self::redeem).
    pub(crate) fn scope(&mut self, now: Now, token: &Secret, client_id: &str) -> Result<&Scopes, NotGood> {
        let (index, _) = self.find(now, &hash(token), client_id)?;
        Ok(&self.families[index].scope)
    }

    /// Redeems a token for its successor, within the grace for the same one again.
    pub(crate) fn redeem(&mut self, now: Now, token: &Secret, client_id: &str) -> Result<Secret, NotGood> {
        let presented = hash(token);
        let (index, standing) = self.find(now, &presented, client_id)?;
        let family = &mut self.families[index];
        if let Standing::InGrace = standing {
            self.refreshes.0.retried.fetch_add(1, Ordering::Relaxed);
            let rotation = family.rotation.as_mut().ok_or(NotGood::Unknown)?;
            rotation.grace.retry(now);
            return Ok(rotation.successor(token));
        }
        self.refreshes.0.redeemed.fetch_add(1, Ordering::Relaxed);
        let successor = family.rotation.insert(Rotation::begin(now, self.grace)).successor(token);
        let hash = hash(&successor);
        family.current = Some(hash);
        self.by_hash.insert(hash, index);
        family.spent.push_back(presented);
        if family.spent.len() > REMEMBERED
            && let Some(oldest) = family.spent.pop_front()
        {
            self.by_hash.remove(&oldest);
        }
        Ok(successor)
    }

    /// An answer with this successor never left: where none did, the token before it may be presented again until one does.
    pub(crate) fn unsent(&mut self, successor: &Secret) {
        let hash = hash(successor);
        let family = self.by_hash.get(&hash).and_then(|index| self.families.get_mut(*index));
        let family = family.filter(|family| family.current == Some(hash));
        if let Some(rotation) = family.and_then(|family| family.rotation.as_mut()) {
            rotation.grace.unsent();
        }
    }

    /// The family in which this token may be presented. A spent one whose answer can't have been lost revokes the
    /// family: nobody can tell the thief from the owner.
    fn find(
        &mut self,
        now: Now,
        presented: &TokenHash,
        client_id: &str,
    ) -> Result<(usize, Standing), NotGood> {
        let index = *self.by_hash.get(presented).ok_or(NotGood::Unknown)?;
        let family = self.families.get_mut(index).filter(|family| family.client_id == client_id);
        let family = family.ok_or(NotGood::Unknown)?;
        if family.current.as_ref() == Some(presented) {
            return Ok((index, Standing::Current));
        }
        let serves = family.rotation.as_ref().is_some_and(|rotation| rotation.grace.serves(now));
        if serves && family.spent.back() == Some(presented) {
            return Ok((index, Standing::InGrace));
        }
        if !family.spent.contains(presented) {
            // The last of a family that is revoked.
            return Err(NotGood::Unknown);
        }
        family.rotation = None;
        let revokes = family.current.take().is_some();
        if revokes {
            self.refreshes.0.revoked.fetch_add(1, Ordering::Relaxed);
        }
        Err(NotGood::Reused { revokes })
    }
}

fn hash(token: &Secret) -> TokenHash {
    Sha256::digest(token.expose().as_bytes()).into()
}

#[cfg(test)]
mod tests;
