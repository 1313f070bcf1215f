//! The nonces of one key: each is good for one token.

use std::collections::BTreeSet;
use std::time::Duration;

use auth_core::ably::{Nonce, TokenRequest};
use auth_core::time::{Now, Timestamp};

use super::{Hash, hash};

/// The nonces that were used, with the timestamp that each was signed with.
///
/// A nonce is remembered for twice the window in which its timestamp is accepted. One that is forgotten never comes back,
/// even if the clock is set back: what is as old as anything forgotten is not current.
#[derive(Debug, Default)]
pub(in super::super) struct Nonces {
    used: BTreeSet<(Timestamp, Hash)>,
    /// Timestamps before this are refused: among them, some were forgotten.
    floor: Option<Timestamp>,
}

/// Why a nonce is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum NonceRefused {
    /// It was used.
    Replayed,
    /// Whether it was used is no longer known.
    Forgotten,
    /// There is no room to remember it: it is good as soon as there is.
    Full,
}

impl Nonces {
    /// The most that are remembered: each key may ask for as many tokens in four minutes.
    pub(in super::super) const MOST: usize = 65_536;

    const REMEMBERED: Duration = TokenRequest::WINDOW.saturating_mul(2);

    /// Forgets what can't come back.
    pub(in super::super) fn forget_old(&mut self, now: Now) {
        let oldest = now.wall.as_millis().saturating_sub(Self::REMEMBERED.as_millis() as u64);
        while self.used.first().is_some_and(|(timestamp, _)| timestamp.as_millis() < oldest)
            && let Some((forgotten, _)) = self.used.pop_first()
        {
            self.floor = Some(forgotten.saturating_add(Duration::from_millis(1)));
        }
    }

    /// Whether a nonce, whose timestamp is current, can be used.
    pub(in super::super) fn check(&self, timestamp: Timestamp, nonce: &Nonce) -> Result<(), NonceRefused> {
        if self.floor.is_some_and(|floor| timestamp < floor) {
            Err(NonceRefused::Forgotten)
        } else if self.used.contains(&(timestamp, hash(nonce.as_str()))) {
            Err(NonceRefused::Replayed)
        } else if self.used.len() >= Self::MOST {
            Err(NonceRefused::Full)
        } else {
            Ok(())
        }
    }

    /// Uses one that can be used.
    pub(in super::super) fn consume(
        &mut self,
        now: Now,
        timestamp: Timestamp,
        nonce: &Nonce,
    ) -> Result<(), NonceRefused> {
        self.forget_old(now);
        self.check(timestamp, nonce)?;
        self.used.insert((timestamp, hash(nonce.as_str())));
        Ok(())
    }

    #[cfg(test)]
    pub(in super::super) fn len(&self) -> usize {
        self.used.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use auth_core::time::Moment;
    use proptest::prelude::*;

    use super::*;

    const START: u64 = 1_700_000_000_000;

    fn at(millis: u64) -> Now {
        Now { wall: Timestamp::from_millis(millis), mono: Moment::ORIGIN }
    }

    fn nonce(number: u64) -> Nonce {
        Nonce::new(format!("{number:016}")).unwrap()
    }

    #[test]
    fn a_nonce_is_remembered_for_longer_than_its_timestamp_is_accepted() {
        let mut nonces = Nonces::default();
        let ahead = Timestamp::from_millis(START + 120_000);
        assert_eq!(nonces.consume(at(START), ahead, &nonce(1)), Ok(()));
        // The last moment at which the timestamp is within the window.
        assert_eq!(nonces.consume(at(START + 240_000), ahead, &nonce(1)), Err(NonceRefused::Replayed));
        assert_eq!(
            nonces.consume(at(START + 360_001), Timestamp::from_millis(START + 360_000), &nonce(2)),
            Ok(())
        );
        assert_eq!(nonces.len(), 1, "what can't come back is forgotten");
    }

    #[test]
    fn a_clock_that_was_set_back_lets_no_nonce_in_again() {
        let mut nonces = Nonces::default();
        let then = Timestamp::from_millis(START);
        assert_eq!(nonces.consume(at(START), then, &nonce(1)), Ok(()));
        let later = START + 3_600_000;
        assert_eq!(nonces.consume(at(later), Timestamp::from_millis(later), &nonce(2)), Ok(()));
        assert_eq!(nonces.consume(at(START), then, &nonce(1)), Err(NonceRefused::Forgotten));
    }

    #[test]
    fn a_million_nonces_find_bounded_room_and_none_is_forgotten_for_another() {
        let mut nonces = Nonces::default();
        let then = Timestamp::from_millis(START);
        let mut refused = 0;
        for number in 0..1_000_000 {
            match nonces.consume(at(START), then, &nonce(number)) {
                Ok(()) => {}
                Err(refusal) => {
                    assert_eq!(refusal, NonceRefused::Full);
                    refused += 1;
                }
            }
        }
        assert_eq!((nonces.len(), refused), (Nonces::MOST, 1_000_000 - Nonces::MOST));
        assert_eq!(nonces.consume(at(START), then, &nonce(0)), Err(NonceRefused::Replayed));
        let later = START + 240_001;
        assert_eq!(nonces.consume(at(later), Timestamp::from_millis(later), &nonce(0)), Ok(()));
        assert_eq!(nonces.len(), 1);
    }

    proptest! {
        #[test]
        fn a_nonce_is_accepted_once_whatever_the_interleaving(
            steps in prop::collection::vec((0_u64..900_000, -120_000_i64..=120_000, 0_u64..4), 1..200),
            grid in prop::sample::select(vec![1_u64, 60_000, 120_000]),
        ) {
            let (mut nonces, mut accepted) = (Nonces::default(), HashSet::new());
            // The clock jumps to and fro; on a coarse grid the same timestamps come again and again.
            for (moment, offset, number) in steps {
                let wall = START + moment / grid * grid;
                let timestamp = Timestamp::from_millis(wall.saturating_add_signed(offset / grid as i64 * grid as i64));
                if nonces.consume(at(wall), timestamp, &nonce(number)).is_ok() {
                    prop_assert!(accepted.insert((timestamp, number)), "accepted twice");
                }
            }
        }
    }
}
