//! Refresh tokens that rotate: each is redeemed once, and the reuse of an old one revokes its family.

use std::collections::{HashMap, VecDeque};

use auth_core::Secret;
use auth_core::scope::Scopes;
use sha2::{Digest as _, Sha256};

use crate::authority::random_text;

/// The refresh tokens of a gateway, in memory. Only their hashes are kept.
#[derive(Debug, Default)]
pub(crate) struct RefreshTokens {
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
    /// The tokens before it, newest last: whoever presents one of these has stolen it, or was stolen from.
    spent: VecDeque<TokenHash>,
}

/// How many spent tokens of a family are remembered. An older one is refused too, without the alarm.
const REMEMBERED: usize = 32;

impl RefreshTokens {
    /// Adds a token that was handed out elsewhere, with the scopes that it carries.
    pub(crate) fn add(&mut self, token: &Secret, client_id: &str, scope: Scopes) {
        let hash = hash(token);
        self.by_hash.insert(hash, self.families.len());
        self.families.push(Family {
            client_id: client_id.to_owned(),
            scope,
            current: Some(hash),
            spent: VecDeque::new(),
        });
    }

    /// The scopes that a client's token carries. The token stays as it is: what is asked for may yet be refused. A spent
    /// one revokes its family, as in [`redeem`](Self::redeem).
    pub(crate) fn scope(&mut self, token: &Secret, client_id: &str) -> Option<&Scopes> {
        let presented = hash(token);
        let index = self.unspent(&presented, client_id)?;
        Some(&self.families[index].scope)
    }

    /// Redeems a token for its successor; `None` when it is unknown, another client's, revoked or spent.
    pub(crate) fn redeem(&mut self, token: &Secret, client_id: &str) -> Option<Secret> {
        let presented = hash(token);
        let index = self.unspent(&presented, client_id)?;
        let family = &mut self.families[index];
        let successor = Secret::from(random_text() + &random_text());
        let hash = hash(&successor);
        family.current = Some(hash);
        self.by_hash.insert(hash, index);
        family.spent.push_back(presented);
        if family.spent.len() > REMEMBERED
            && let Some(oldest) = family.spent.pop_front()
        {
            self.by_hash.remove(&oldest);
        }
        Some(successor)
    }

    /// The family of which this is the current token. A spent one revokes the family: nobody can tell the thief from the
    /// owner.
    fn unspent(&mut self, presented: &TokenHash, client_id: &str) -> Option<usize> {
        let index = *self.by_hash.get(presented)?;
        let family = self.families.get_mut(index).filter(|family| family.client_id == client_id)?;
        if family.current != Some(*presented) {
            family.current = None;
            return None;
        }
        Some(index)
    }
}

fn hash(token: &Secret) -> TokenHash {
    Sha256::digest(token.expose().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> RefreshTokens {
        let mut tokens = RefreshTokens::default();
        tokens.add(&Secret::from("r1"), "client", "a b".parse().unwrap());
        tokens
    }

    #[test]
    fn a_token_is_redeemed_once_and_leads_to_its_successor() {
        let mut tokens = tokens();
        assert_eq!(tokens.scope(&Secret::from("r1"), "client").unwrap().to_string(), "a b");
        let second = tokens.redeem(&Secret::from("r1"), "client").unwrap();
        assert_eq!(tokens.scope(&second, "client").unwrap().to_string(), "a b");
        let third = tokens.redeem(&second, "client").unwrap();
        assert_ne!(second, third);
    }

    #[test]
    fn the_reuse_of_a_spent_token_revokes_the_family() {
        let mut tokens = tokens();
        let second = tokens.redeem(&Secret::from("r1"), "client").unwrap();
        assert!(tokens.redeem(&Secret::from("r1"), "client").is_none());
        assert!(tokens.redeem(&second, "client").is_none(), "the successor is dead too");
    }

    #[test]
    fn a_look_at_a_spent_token_is_reuse_as_well() {
        let mut tokens = tokens();
        let second = tokens.redeem(&Secret::from("r1"), "client").unwrap();
        assert!(tokens.scope(&Secret::from("r1"), "client").is_none());
        assert!(tokens.redeem(&second, "client").is_none());
    }

    #[test]
    fn another_clients_token_is_refused_and_stays_alive() {
        let mut tokens = tokens();
        assert!(tokens.redeem(&Secret::from("r1"), "thief").is_none());
        assert!(tokens.redeem(&Secret::from("unknown"), "client").is_none());
        assert!(tokens.redeem(&Secret::from("r1"), "client").is_some());
    }

    #[test]
    fn memory_does_not_grow_with_the_number_of_refreshes() {
        let mut tokens = tokens();
        let mut token = Secret::from("r1");
        for _ in 0..1_000 {
            token = tokens.redeem(&token, "client").unwrap();
        }
        assert_eq!(tokens.by_hash.len(), REMEMBERED + 1);
    }
}
