//! When something was revoked, for connections that look at their tokens again.

use std::collections::VecDeque;
use std::future::pending;

use auth_core::Secret;
use auth_core::time::{Moment, Now};
use auth_http::endpoint::ably::realtime::Connection;
use auth_http::endpoint::ably::{Caller, Refusal};
use tokio::sync::watch;

/// Tells of revocations.
pub(super) struct Revocations(watch::Sender<Revoked>);

/// What a connection learns of revocations.
pub(super) struct Learning {
    revoked: watch::Receiver<Revoked>,
    /// How many it has learned of.
    learned: u64,
}

/// How often something was revoked, and when the last few times.
#[derive(Default)]
struct Revoked {
    count: u64,
    moments: VecDeque<Moment>,
}

/// How many moments are kept for a connection that is held up. It takes the oldest of these for the first, where it missed more.
const MOST: usize = 64;

impl Revocations {
    pub(super) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Something was revoked.
    pub(super) fn tell(&self, at: Moment) {
        self.0.send_modify(|revoked| {
            revoked.count += 1;
            revoked.moments.push_back(at);
            if revoked.moments.len() > MOST {
                revoked.moments.pop_front();
            }
        });
    }

    /// For a connection that looks at its token after this.
    pub(super) fn learn(&self) -> Learning {
        let mut revoked = self.0.subscribe();
        let learned = revoked.borrow_and_update().count;
        Learning { revoked, learned }
    }
}

impl Learning {
    /// Waits until something is revoked. Of all that was since the last time, the first says when: which of them it is about is not
    /// known, and none takes longer than that to come here.
    pub(super) async fn next(&mut self) -> Moment {
        loop {
            if self.revoked.changed().await.is_err() {
                // The endpoint is gone, and with it whoever revokes.
                return pending().await;
            }
            let revoked = self.revoked.borrow_and_update();
            let missed = usize::try_from(revoked.count - self.learned).unwrap_or(usize::MAX);
            self.learned = revoked.count;
            let first = revoked.moments.len().saturating_sub(missed);
            if let Some(first) = revoked.moments.get(first) {
                return *first;
            }
        }
    }
}

/// Has a connection look at its token again. Says whether that was revoked since it was presented, with some time left or with none.
pub(super) fn concerns(
    connection: &mut Connection,
    now: Now,
    verify: impl FnOnce(&Secret) -> Result<Caller, Refusal>,
) -> bool {
    let before = connection.caller().is_some_and(|caller| caller.revoked.is_some());
    let mut concerned = false;
    connection.recheck(now, |token| {
        let verdict = verify(token);
        concerned = match &verdict {
            Ok(caller) => caller.revoked.is_some(),
            Err(refusal) => is_revoked(refusal),
        };
        verdict
    });
    concerned && !before
}

/// Whether that is why: the token was taken back.
pub(super) fn is_revoked(refusal: &Refusal) -> bool {
    refusal.info().code.number() == 40_141
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::ably::{ApiKey, ErrorCode};
    use auth_core::time::Timestamp;
    use auth_http::endpoint::ably::realtime::{Identity, Opening};
    use auth_http::endpoint::ably::{Records, ServedKey, caller_of_key};
    use http::Request;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::since_origin(Duration::from_secs(seconds))
    }

    const NOW: Now = Now { wall: Timestamp::from_millis(1), mono: Moment::ORIGIN };

    /// Somebody whose token is good, or will be revoked in a while.
    fn caller(is_revoked: bool) -> Caller {
        let key = ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap();
        let mut records = Records::new([1; 32]);
        records.serve(ServedKey::new(key.clone()));
        let mut caller = caller_of_key(&records, &key).unwrap();
        caller.revoked = is_revoked.then(|| NOW.timer(Duration::from_secs(30)));
        caller
    }

    fn connection(caller: Caller) -> Connection {
        let opening = Opening::read(&Request::get("/?v=6&access_token=a.b").body(()).unwrap());
        let connection_key = Secret::from("key");
        let identity = Identity { connection_id: "one".to_owned(), connection_key };
        Connection::open(NOW, identity, &opening, Ok(caller))
    }

    #[test]
    fn a_revocation_concerns_whose_token_it_takes_back_now_or_in_a_while() {
        let concerns = |before: Caller, verdict: Result<Caller, Refusal>| {
            concerns(&mut connection(before), NOW, |_| verdict)
        };
        let refused = |number| Err(Refusal::new(ErrorCode::new(number), "why"));
        assert!(concerns(caller(false), Ok(caller(true))));
        assert!(concerns(caller(false), refused(40_141)));
        assert!(!concerns(caller(false), Ok(caller(false))), "somebody else's");
        assert!(!concerns(caller(false), refused(40_142)), "it has expired");
        assert!(
            !concerns(caller(true), Ok(caller(true))),
            "it was when it came, and nobody knows since when"
        );
    }

    #[tokio::test]
    async fn who_was_held_up_learns_of_the_first_that_it_missed() {
        let revocations = Revocations::new();
        revocations.tell(at(1));
        let (mut quick, mut slow) = (revocations.learn(), revocations.learn());
        for seconds in 2..5 {
            revocations.tell(at(seconds));
            assert_eq!(quick.next().await, at(seconds), "what was before it came is no news");
        }
        assert_eq!(slow.next().await, at(2));
        revocations.tell(at(9));
        assert_eq!((slow.next().await, quick.next().await), (at(9), at(9)));
    }

    #[tokio::test]
    async fn a_flood_of_revocations_takes_no_more_memory() {
        let revocations = Revocations::new();
        let mut slow = revocations.learn();
        (0..10_000).for_each(|seconds| revocations.tell(at(seconds)));
        assert_eq!(revocations.0.borrow().moments.len(), MOST);
        assert_eq!(slow.next().await, at(10_000 - MOST as u64));
    }
}
