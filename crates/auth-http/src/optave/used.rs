//! The tokens that were used: each serves once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use auth_core::Secret;
use sha2::{Digest as _, Sha256};

/// The last 4096 tokens that were used, by their hashes: more than anybody has alive at once.
#[derive(Default)]
pub struct UsedTokens(Mutex<VecDeque<[u8; 32]>>);

const REMEMBERED: usize = 4_096;

impl UsedTokens {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses a token; false when it was used before.
    #[must_use]
    pub fn is_first_use(&self, token: &Secret) -> bool {
        let hash = Sha256::digest(token.expose()).into();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains(&hash) {
            return false;
        }
        if used.len() == REMEMBERED {
            used.pop_front();
        }
        used.push_back(hash);
        true
    }
}

impl fmt::Debug for UsedTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        formatter.debug_struct("UsedTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_used_once_and_the_oldest_are_forgotten() {
        let used = UsedTokens::new();
        assert!(used.is_first_use(&Secret::from("canary")) && used.is_first_use(&Secret::from("another")));
        assert!(!used.is_first_use(&Secret::from("canary")));
        for number in 0..REMEMBERED {
            assert!(used.is_first_use(&Secret::from(number.to_string())));
        }
        assert!(used.is_first_use(&Secret::from("canary")), "it has long expired");
        assert_eq!(format!("{used:?}"), "UsedTokens { .. }");
    }
}
