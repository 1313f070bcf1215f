//! When a published document is fetched: the state machine, without I/O and without a clock.

use std::sync::Arc;

use auth_core::time::{Deadline, Now};
use auth_core::{Error, Retry};

use super::Terms;

/// What is at hand, and what was tried last.
#[derive(Debug)]
pub(super) struct Timing<T> {
    held: Option<Held<T>>,
    failed: Option<(Deadline, Error)>,
    /// Until here no newer one is asked for.
    spaced: Option<Deadline>,
}

#[derive(Debug)]
struct Held<T> {
    document: Arc<T>,
    fresh: Deadline,
    usable: Deadline,
}

/// What to do for a caller.
#[derive(Debug)]
pub(super) enum Step<T, F> {
    Serve(Arc<T>),
    Fail(Error),
    Fetch(F),
}

impl<T> Timing<T> {
    pub(super) const fn new() -> Self {
        Self { held: None, failed: None, spaced: None }
    }

    /// What to do for a caller that has found `seen` wanting, if it has.
    pub(super) fn step(&self, now: Now, seen: Option<&Arc<T>>) -> Step<T, ()> {
        let fresh = self.held.as_ref().filter(|held| !held.fresh.passed(now));
        let spaced = self.spaced.as_ref().is_some_and(|spaced| !spaced.passed(now));
        match fresh {
            // Another caller has fetched since, or it is too early to try again.
            Some(held) if spaced || seen.is_none_or(|seen| !Arc::ptr_eq(seen, &held.document)) => {
                Step::Serve(Arc::clone(&held.document))
            }
            Some(_) | None => match &self.failed {
                Some((pause, error)) if !pause.passed(now) => {
                    let refusal = || error.clone().with_retry(Retry::After(pause.remaining(now)));
                    self.stale(now).map_or_else(|| Step::Fail(refusal()), Step::Serve)
                }
                Some(_) | None => Step::Fetch(()),
            },
        }
    }

    pub(super) fn fetched(&mut self, now: Now, terms: &Terms, document: T) -> Arc<T> {
        let document = Arc::new(document);
        self.held = Some(Held {
            document: Arc::clone(&document),
            fresh: now.expiry(terms.fresh_for),
            usable: now.expiry(terms.usable_for),
        });
        self.failed = None;
        self.spaced = Some(now.timer(terms.spacing));
        document
    }

    pub(super) fn failed(&mut self, now: Now, terms: &Terms, error: Error) -> Result<Arc<T>, Error> {
        self.failed = Some((now.timer(terms.pause), error.clone()));
        self.spaced = Some(now.timer(terms.spacing));
        self.stale(now).ok_or(error)
    }

    /// The old one, while it may be used.
    fn stale(&self, now: Now) -> Option<Arc<T>> {
        let usable = self.held.as_ref().filter(|held| !held.usable.passed(now));
        usable.map(|held| Arc::clone(&held.document))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::ErrorKind;
    use auth_core::time::{Moment, Timestamp};

    use super::*;

    const TERMS: Terms = Terms {
        fresh_for: Duration::from_secs(600),
        usable_for: Duration::from_secs(3_600),
        spacing: Duration::from_secs(60),
        pause: Duration::from_secs(30),
    };

    fn at(seconds: u64) -> Now {
        let elapsed = Duration::from_secs(seconds);
        Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
    }

    fn error() -> Error {
        Error::new(ErrorKind::ServerFailed, "down")
    }

    fn step(timing: &Timing<u8>, seconds: u64, seen: Option<&Arc<u8>>) -> String {
        match timing.step(at(seconds), seen) {
            Step::Serve(document) => format!("serve {document}"),
            Step::Fetch(()) => "fetch".to_owned(),
            Step::Fail(error) => format!("fail {:?}", error.retry()),
        }
    }

    #[test]
    fn a_document_serves_while_it_is_fresh_and_is_fetched_anew_then() {
        let mut timing = Timing::new();
        assert_eq!(step(&timing, 0, None), "fetch");
        timing.fetched(at(0), &TERMS, 1);
        assert_eq!(step(&timing, 599, None), "serve 1");
        assert_eq!(step(&timing, 600, None), "fetch");
        let slept =
            Now { wall: Timestamp::from_millis(600_000), mono: Moment::since_origin(Duration::from_secs(1)) };
        assert!(matches!(timing.step(slept, None), Step::Fetch(())), "by whichever clock went further");
    }

    #[test]
    fn a_newer_one_is_asked_for_once_a_minute_whatever_callers_want() {
        let mut timing = Timing::new();
        let first = timing.fetched(at(0), &TERMS, 1);
        assert_eq!(step(&timing, 59, Some(&first)), "serve 1");
        assert_eq!(step(&timing, 60, Some(&first)), "fetch");
        let second = timing.fetched(at(60), &TERMS, 2);
        assert_eq!(step(&timing, 61, Some(&first)), "serve 2", "there is a newer one");
        assert_eq!(step(&timing, 119, Some(&second)), "serve 2");
        assert_eq!(step(&timing, 120, Some(&second)), "fetch");
        timing.failed(at(120), &TERMS, error()).unwrap();
        assert_eq!(step(&timing, 179, Some(&second)), "serve 2", "an attempt that failed was one, too");
    }

    #[test]
    fn the_old_one_serves_while_the_server_is_down_and_not_for_ever() {
        let mut timing = Timing::new();
        timing.fetched(at(0), &TERMS, 1);
        assert_eq!(*timing.failed(at(700), &TERMS, error()).unwrap(), 1);
        assert_eq!(step(&timing, 729, None), "serve 1");
        assert_eq!(step(&timing, 730, None), "fetch");
        timing.failed(at(3_599), &TERMS, error()).unwrap();
        assert_eq!(step(&timing, 3_600, None), format!("fail {:?}", Retry::After(Duration::from_secs(29))));
        assert_eq!(step(&timing, 3_629, None), "fetch");
        timing.failed(at(3_629), &TERMS, error()).unwrap_err();
    }

    #[test]
    fn a_failure_is_shared_until_its_pause_is_over() {
        let mut timing: Timing<u8> = Timing::new();
        timing.failed(at(0), &TERMS, error()).unwrap_err();
        assert_eq!(step(&timing, 10, None), format!("fail {:?}", Retry::After(Duration::from_secs(20))));
        assert_eq!(step(&timing, 30, None), "fetch");
    }
}
