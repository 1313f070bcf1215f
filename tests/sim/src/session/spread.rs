//! A fleet that loses its server together: how it comes back, at first and when the waits have reached their cap.

use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{AuthEvent, Secret, Token};
use ws_session::dialect::{Dialect, Failure};
use ws_session::machine::{Config, Input, Output, Session, TokenFacts};

use super::properties::{Property, Violation};

const SESSIONS: u64 = 1_000;

/// Lets each of a thousand sessions fail twelve times at the same moments.
pub(crate) fn check() -> Option<Violation> {
    let waits: Vec<_> = (0..SESSIONS).filter_map(waits).collect();
    let violation = |what: String| Some(Violation { property: Property::Fleet, what });
    if waits.len() as u64 != SESSIONS {
        return violation(format!("{} of {SESSIONS} sessions tried again", waits.len()));
    }
    let of = |attempt: usize| {
        let mut waits: Vec<_> = waits.iter().map(|waits| waits[attempt]).collect();
        waits.sort_unstable();
        waits
    };
    let (first, last) = (of(0), of(11));
    // The default backoff: up to 0.5 s at first, and 30 s in the end.
    for (name, waits, longest) in [("first", first, 500), ("at the cap", last, 30_000)] {
        let (low, high) = (waits[waits.len() / 10], waits[waits.len() * 9 / 10]);
        let width = Duration::from_millis(longest) * 7 / 10;
        if high.saturating_sub(low) < width {
            return violation(format!("waits {name}: from {low:?} to {high:?} for most of the fleet"));
        }
        let mut different = waits;
        different.dedup();
        if different.len() < SESSIONS as usize * 9 / 10 {
            return violation(format!("waits {name}: only {} different ones", different.len()));
        }
    }
    None
}

/// The waits of a session whose server never answers.
fn waits(seed: u64) -> Option<Vec<Duration>> {
    let mut session = Session::new(Dialect::genesys(), Config::new(), seed);
    let mut millis = 0;
    let mut waits = Vec::new();
    let token = Token::new(Secret::from("fleet"));
    let mut input = Input::Start;
    for _ in 0..100 {
        let now = Now {
            wall: Timestamp::from_millis(1_800_000_000_000 + millis),
            mono: Moment::since_origin(Duration::from_millis(millis)),
        };
        session.handle(now, input).ok()?;
        let mut next = None;
        loop {
            match session.poll() {
                Output::FetchToken { ticket, .. } => {
                    next = Some(Input::Token { ticket, result: Ok(TokenFacts::from(&token)) });
                }
                Output::Open { epoch, .. } => {
                    next = Some(Input::Ended { epoch, failure: Failure::Transport, retry_after: None });
                }
                Output::Event(AuthEvent::ConnectionLost { retry_in, .. }) => waits.push(retry_in?),
                Output::Wait(deadline) => {
                    input = match next {
                        Some(next) => next,
                        None => {
                            let left = deadline?.remaining(now);
                            millis += u64::try_from(left.as_millis()).ok()? + 1;
                            Input::Tick
                        }
                    };
                    break;
                }
                _ => {}
            }
        }
        if waits.len() == 12 {
            return Some(waits);
        }
    }
    None
}
