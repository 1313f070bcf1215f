//! The tokens that were issued under one key, found by the hash of their text: the texts themselves are not kept.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use auth_core::ably::TokenClientId;
use auth_core::capability::Capability;
use auth_core::time::{Deadline, Now, Timestamp};

use super::Hash;

/// A token that was issued.
#[derive(Debug, Clone)]
pub(in super::super) struct IssuedToken {
    pub(in super::super) issued: Timestamp,
    pub(in super::super) expires: Timestamp,
    /// The same expiry on both clocks.
    pub(in super::super) expiry: Deadline,
    pub(in super::super) client_id: Option<TokenClientId>,
    pub(in super::super) capability: Capability,
}

/// The tokens of one key. An expired one is remembered for an hour, or for as long as there is room, so that its holder is
/// told that it has expired rather than that nobody knows it.
#[derive(Debug, Default)]
pub(in super::super) struct Tokens {
    by_hash: HashMap<Hash, IssuedToken>,
    by_expiry: BTreeSet<(Timestamp, Hash)>,
    /// The bytes of all capabilities together.
    capabilities: usize,
}

impl Tokens {
    /// The most that are remembered.
    pub(in super::super) const MOST: usize = 65_536;

    /// The most bytes of capabilities that are remembered.
    pub(in super::super) const MOST_CAPABILITIES: usize = 16 * 1_024 * 1_024;

    const EXPIRED_REMEMBERED: Duration = Duration::from_secs(3_600);

    /// Remembers a token; false when there is no room, which only time makes.
    #[must_use]
    pub(in super::super) fn insert(&mut self, now: Now, hash: Hash, token: IssuedToken) -> bool {
        let size = size(&token);
        self.forget_expired_before(
            now.wall.as_millis().saturating_sub(Self::EXPIRED_REMEMBERED.as_millis() as u64),
        );
        if !self.has_room(size) {
            self.forget_expired_before(now.wall.as_millis());
        }
        if !self.has_room(size) || self.by_hash.contains_key(&hash) {
            return false;
        }
        self.capabilities += size;
        self.by_expiry.insert((token.expires, hash));
        self.by_hash.insert(hash, token);
        true
    }

    pub(in super::super) fn find(&self, hash: &Hash) -> Option<&IssuedToken> {
        self.by_hash.get(hash)
    }

    fn has_room(&self, size: usize) -> bool {
        self.by_hash.len() < Self::MOST && self.capabilities + size <= Self::MOST_CAPABILITIES
    }

    fn forget_expired_before(&mut self, millis: u64) {
        while self.by_expiry.first().is_some_and(|(expires, _)| expires.as_millis() < millis)
            && let Some((_, hash)) = self.by_expiry.pop_first()
        {
            self.capabilities -= self.by_hash.remove(&hash).as_ref().map_or(0, size);
        }
    }
}

fn size(token: &IssuedToken) -> usize {
    token.capability.canonical_text().len()
}

#[cfg(test)]
mod tests {
    use auth_core::time::Moment;

    use super::super::hash;
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { wall: Timestamp::from_millis(seconds * 1_000), mono: Moment::ORIGIN }
    }

    fn token(now: Now, capability: &Capability) -> IssuedToken {
        let lifetime = Duration::from_secs(60);
        IssuedToken {
            issued: now.wall,
            expires: now.wall.saturating_add(lifetime),
            expiry: now.expiry(lifetime),
            client_id: None,
            capability: capability.clone(),
        }
    }

    #[test]
    fn an_expired_token_is_remembered_for_an_hour() {
        let mut tokens = Tokens::default();
        assert!(tokens.insert(at(0), hash("a"), token(at(0), &Capability::all())));
        assert!(tokens.insert(at(3_660), hash("b"), token(at(3_660), &Capability::all())));
        assert!(tokens.find(&hash("a")).is_some());
        assert!(tokens.insert(at(3_661), hash("c"), token(at(3_661), &Capability::all())));
        assert!(tokens.find(&hash("a")).is_none() && tokens.find(&hash("b")).is_some());
    }

    #[test]
    fn a_full_store_forgets_what_has_expired_and_nothing_else() {
        let (mut tokens, all) = (Tokens::default(), Capability::all());
        for number in 0..Tokens::MOST {
            assert!(tokens.insert(at(0), hash(&number.to_string()), token(at(0), &all)));
        }
        assert!(!tokens.insert(at(59), hash("new"), token(at(59), &all)));
        assert!(tokens.find(&hash("0")).is_some(), "the first still lives");
        assert!(tokens.insert(at(61), hash("new"), token(at(61), &all)));
        assert_eq!((tokens.by_hash.len(), tokens.by_expiry.len()), (1, 1));
        assert_eq!(tokens.capabilities, all.canonical_text().len());
    }

    #[test]
    fn large_capabilities_are_bounded_by_their_bytes() {
        let mut tokens = Tokens::default();
        let large = Capability::parse(&format!(r#"{{"{}":["*"]}}"#, "a".repeat(60_000))).unwrap();
        let inserted = (0..1_000)
            .filter(|number: &i32| tokens.insert(at(0), hash(&number.to_string()), token(at(0), &large)))
            .count();
        assert_eq!(inserted, Tokens::MOST_CAPABILITIES / large.canonical_text().len());
    }
}
