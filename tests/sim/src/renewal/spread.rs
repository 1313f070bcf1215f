//! P11: a fleet whose tokens were issued together does not renew them together.

use std::time::Duration;

use auth_core::Secret;
use auth_core::fingerprint::FingerprintKey;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Input, Output, Policy, Renewal};
use auth_core::time::{Moment, Now, Timestamp};

use super::properties::{Property, Violation};

const MACHINES: u64 = 1_000;
const LIFE: u64 = 3_600;
/// The lead of the default policy, and the width of the band before it.
const LEAD: u64 = 120;
const BAND: u64 = 30;

/// Lets each of a thousand machines renew once, all under the same load.
pub(crate) fn check() -> Option<Violation> {
    let times: Vec<_> = (0..MACHINES).filter_map(renews_after).collect();
    let violation = |what: String| Some(Violation { property: Property::P11, what });
    if times.len() as u64 != MACHINES {
        return violation(format!("{} of {MACHINES} machines renewed", times.len()));
    }
    let (earliest, latest) = (LIFE - LEAD - BAND, LIFE - LEAD);
    let first = times.iter().min().copied().unwrap_or_default();
    let last = times.iter().max().copied().unwrap_or_default();
    let mean = times.iter().sum::<Duration>() / MACHINES as u32;
    if first < Duration::from_secs(earliest) || last > Duration::from_secs(latest) + Duration::from_secs(1) {
        return violation(format!("renewals from {first:?} to {last:?}"));
    }
    if last - first < Duration::from_secs(BAND * 9 / 10) {
        return violation(format!("renewals spread over {:?} of {BAND} s", last - first));
    }
    // Drawn anew at each use, the earliest draw would win, and the whole fleet with it move to the front.
    let (low, high) = (earliest + BAND * 4 / 10, earliest + BAND * 6 / 10);
    if mean < Duration::from_secs(low) || mean > Duration::from_secs(high) {
        return violation(format!("renewals at {mean:?} on average"));
    }
    None
}

/// When a machine asks for its second token, under one use in each second.
fn renews_after(seed: u64) -> Option<Duration> {
    let mut machine = Renewal::new(Policy::new(), FingerprintKey::new([7; 32]), seed);
    let mut hand = |millis: u64, input: Input| {
        let now = Now {
            wall: Timestamp::from_millis(1_800_000_000_000 + millis),
            mono: Moment::since_origin(Duration::from_millis(millis)),
        };
        machine.handle(now, input).ok()?;
        let mut fetch = None;
        loop {
            match machine.poll() {
                Output::Fetch { ticket, .. } => fetch = Some(ticket),
                Output::Wait(_) | Output::Done => return Some(fetch),
                _ => {}
            }
        }
    };
    let caller = super::world::caller(1);
    let first = hand(0, Input::Demanded { caller, demand: auth_core::Demand::Current, patience: None })?;
    let response = TokenResponse::new(Secret::from("first")).with_expires_in(Duration::from_secs(LIFE));
    hand(0, Input::Issued { ticket: first?, response })?;
    // Uses now and then, and all the time once the band begins.
    let uses = (600..LIFE - LEAD - BAND).step_by(600).map(|second| second * 1_000);
    let close = ((LIFE - LEAD - BAND) * 1_000..=LIFE * 1_000).step_by(250);
    uses.chain(close).find_map(|millis| hand(millis, Input::Used)?.map(|_| Duration::from_millis(millis)))
}
