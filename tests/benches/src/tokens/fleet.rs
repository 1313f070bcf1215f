//! Many machines: how far apart tokens issued together are renewed, and what an idle one weighs.

use std::time::Duration;

use auth_core::fingerprint::FingerprintKey;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Caller, Input, Output, Policy, Renewal};
use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{Demand, Secret};
use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::case::{Bar, Case, Work};

pub(crate) fn cases() -> Vec<Case> {
    vec![spread(), weight()]
}

const NOW: Now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
const LIFE: Duration = Duration::from_secs(3_600);

/// A machine whose token has just been issued and served, its driver drained.
#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn machine(names: &FingerprintKey, seed: u64, token: &Secret) -> Renewal {
    let mut machine = Renewal::new(Policy::new(), names.clone(), seed);
    let demanded = Input::Demanded { caller: Caller::new(1), demand: Demand::Current, patience: None };
    let mut input = Some(demanded);
    while let Some(next) = input.take() {
        machine.handle(NOW, next).expect("all outputs were taken");
        loop {
            match machine.poll() {
                Output::Fetch { ticket, .. } => {
                    let response = TokenResponse::new(token.clone()).with_expires_in(LIFE);
                    input = Some(Input::Issued { ticket, response });
                }
                Output::Wait(_) | Output::Done => break,
                _ => {}
            }
        }
    }
    machine
}

/// A thousand tokens of one moment: from the first renewal to the last.
fn spread() -> Case {
    let names = FingerprintKey::new([7; 32]);
    let token = Secret::from("token");
    let renewals: Vec<Duration> = (0..1_000)
        .filter_map(|seed| machine(&names, seed, &token).current()?.token(NOW).renew_in())
        .collect();
    let first = renewals.iter().min().copied().unwrap_or_default();
    let last = renewals.iter().max().copied().unwrap_or_default();
    Case {
        subject: "renewals_of_a_fleet_spread",
        size: Some(1_000),
        work: Work::Counted { unit: "s", ours: (last - first).as_secs_f64(), baseline: 30.0 },
        baseline_name: "the whole band of jitter",
        bar: Bar::RatioAtLeast(0.9),
    }
}

/// A million machines that hold a token each and have nothing to do.
fn weight() -> Case {
    const MACHINES: u32 = 1_000_000;
    let names = FingerprintKey::new([7; 32]);
    let text = "x".repeat(800);
    let region = Region::new(ALLOCATOR);
    let machines: Vec<_> =
        (0..MACHINES).map(|seed| machine(&names, seed.into(), &Secret::from(text.as_str()))).collect();
    let change = region.change();
    let bytes = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    let each = bytes / machines.len() as f64;
    Case {
        subject: "idle_machine",
        size: Some(MACHINES),
        work: Work::Counted { unit: "B", ours: each, baseline: text.len() as f64 },
        baseline_name: "the text of its token",
        bar: Bar::Most(2_048.0),
    }
}
