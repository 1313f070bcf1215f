//! How long a spent refresh token still serves: for a client that missed the answer with its successor.

use std::time::Duration;

use auth_core::time::{Deadline, Now};

/// How long a spent refresh token still leads to the successor that it has: for a while after the answer with it, since that may
/// be lost on its way; and for as long as no such answer has left, since nobody has it then.
///
/// ```
/// use std::time::Duration;
///
/// use auth_core::time::{Moment, Now, Timestamp};
/// use auth_http::endpoint::Grace;
///
/// let at = |seconds| Now {
///     wall: Timestamp::from_millis(seconds * 1_000),
///     mono: Moment::since_origin(Duration::from_secs(seconds)),
/// };
/// let mut grace = Grace::begin(at(0), Duration::from_secs(10));
/// assert!(grace.serves(at(9)) && !grace.serves(at(10)));
/// grace.unsent();
/// assert!(grace.serves(at(3_600)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    length: Duration,
    ends: Deadline,
    /// How many answers with the successor were given, without those of which it is known that they never left.
    answers: u64,
}

impl Grace {
    /// The first answer is given now. The grace ends by either clock: a suspended server must not extend it.
    #[must_use]
    pub fn begin(now: Now, length: Duration) -> Self {
        Self { length, ends: now.expiry(length), answers: 1 }
    }

    /// Whether the spent token still serves.
    #[must_use]
    pub fn serves(&self, now: Now) -> bool {
        self.answers == 0 || !self.ends.passed(now)
    }

    /// The answer is given once more: the grace goes on as it was, or begins where no answer has left before.
    pub fn retry(&mut self, now: Now) {
        if self.answers == 0 {
            self.ends = now.expiry(self.length);
        }
        self.answers = self.answers.saturating_add(1);
    }

    /// One of the answers that were given never left. Of each, this is said once at most.
    pub const fn unsent(&mut self) {
        self.answers = self.answers.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::{Moment, Timestamp};

    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(seconds * 1_000),
            mono: Moment::since_origin(Duration::from_secs(seconds)),
        }
    }

    fn grace() -> Grace {
        Grace::begin(at(0), Duration::from_secs(10))
    }

    #[test]
    fn what_left_once_is_not_unsent_because_a_later_answer_was_not_sent() {
        let mut grace = grace();
        grace.retry(at(5));
        grace.unsent();
        assert!(grace.serves(at(9)), "the grace goes on");
        assert!(!grace.serves(at(10)));
    }

    #[test]
    fn what_left_at_last_is_not_unsent_because_an_earlier_answer_is_given_up_later() {
        let mut grace = grace();
        grace.retry(at(5));
        grace.unsent();
        grace.unsent();
        assert!(grace.serves(at(3_600)), "neither left");
        grace.retry(at(3_600));
        assert!(grace.serves(at(3_609)), "it begins when an answer leaves");
        assert!(!grace.serves(at(3_610)));
    }
}
