//! The memory of the tokens that were used.

use std::collections::BTreeSet;
use std::mem;

use auth_core::time::{Now, Timestamp};
use sha2::{Digest as _, Sha256};

/// The tokens that were used and have not expired, by the hash of their names. None is forgotten before it has expired, and
/// what was once taken for expired is never taken again, wherever the clock is set.
pub(super) struct Spent {
    most: usize,
    tokens: BTreeSet<(Timestamp, [u8; 32])>,
    /// Up to here tokens have been forgotten.
    forgotten: Timestamp,
}

/// Whether a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    First,
    Again,
    NoRoom,
}

impl Spent {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, tokens: BTreeSet::new(), forgotten: Timestamp::from_millis(0) }
    }

    /// Uses the token of this name, which its signature has vouched for as well as for its expiry.
    pub(super) fn consume(&mut self, now: Now, token_id: &str, expires: Timestamp) -> Verdict {
        if expires <= self.forgotten {
            return Verdict::Again;
        }
        let token = (expires, Sha256::digest(token_id).into());
        if self.tokens.contains(&token) {
            return Verdict::Again;
        }
        if self.tokens.len() >= self.most {
            // What expires later stays, and so does, for no use, what expires at this very moment.
            let kept = self.tokens.split_off(&(now.wall, [0; 32]));
            // Not up to now: a clock that is wrong for a moment would have all later tokens refused.
            if let Some((expires, _)) = mem::replace(&mut self.tokens, kept).last() {
                self.forgotten = self.forgotten.max(*expires);
            }
            if self.tokens.len() >= self.most {
                return Verdict::NoRoom;
            }
        }
        self.tokens.insert(token);
        Verdict::First
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Moment;

    use super::*;

    fn at(seconds: u64) -> Now {
        Now { wall: Timestamp::from_millis(seconds * 1_000), mono: Moment::ORIGIN }
    }

    fn consume(spent: &mut Spent, now: u64, token_id: &str, expires: u64) -> Verdict {
        spent.consume(at(now), token_id, Timestamp::from_millis(expires * 1_000))
    }

    #[test]
    fn a_token_is_used_once() {
        let mut spent = Spent::new(10);
        assert_eq!(consume(&mut spent, 0, "a", 300), Verdict::First);
        assert_eq!(consume(&mut spent, 0, "b", 300), Verdict::First);
        assert_eq!(consume(&mut spent, 299, "a", 300), Verdict::Again);
    }

    #[test]
    fn without_room_a_token_is_refused_rather_than_another_forgotten() {
        let mut spent = Spent::new(2);
        assert_eq!(consume(&mut spent, 0, "a", 300), Verdict::First);
        assert_eq!(consume(&mut spent, 0, "b", 400), Verdict::First);
        assert_eq!(consume(&mut spent, 10, "c", 310), Verdict::NoRoom);
        assert_eq!(consume(&mut spent, 10, "a", 300), Verdict::Again);
        assert_eq!(consume(&mut spent, 301, "c", 601), Verdict::First, "the expired one has made room");
        assert_eq!(consume(&mut spent, 301, "b", 400), Verdict::Again);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_no_token_back() {
        let mut spent = Spent::new(1);
        assert_eq!(consume(&mut spent, 0, "a", 300), Verdict::First);
        assert_eq!(consume(&mut spent, 301, "b", 601), Verdict::First, "a is forgotten");
        assert_eq!(consume(&mut spent, 10, "a", 300), Verdict::Again);
    }

    #[test]
    fn a_clock_that_is_far_ahead_for_a_moment_does_not_end_the_service() {
        let mut spent = Spent::new(2);
        assert_eq!(consume(&mut spent, 0, "a", 300), Verdict::First);
        assert_eq!(consume(&mut spent, 0, "b", 300), Verdict::First);
        assert_eq!(consume(&mut spent, 1_000_000, "c", 1_000_300), Verdict::First, "a and b are forgotten");
        assert_eq!(consume(&mut spent, 1, "d", 301), Verdict::First);
        assert_eq!(consume(&mut spent, 1, "a", 300), Verdict::Again);
    }
}
