//! The suite of the audit log.
//!
//! | Cases | What is measured | Beside |
//! | --- | --- | --- |
//! | `observe_*` | one call of `observe`, each timed by itself, in bursts that the queue has room for | the same event into a bounded channel of the standard library |
//! | `observe_p99_with_*` | the same with a hook that misbehaves | the same without; its bar is what two measurements without differ by |
//! | `durable_*` | a record from its call to its acknowledgement, when so many writers are at it | one sync for each record; and appends and syncs of as many bytes, without more |
//! | `verify_*` | verifying a log | hashing its bytes |

mod durable;
mod hooks;
mod observe;
mod verify;

use std::path::Path;
use std::time::{Duration, Instant};

use auth_core::fingerprint::FingerprintKey;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Secret};
use tempfile::TempDir;

use crate::case::{Bar, Case};

pub(crate) fn cases() -> Vec<Case> {
    [observe::cases(), hooks::cases(), durable::cases(), verify::cases()].into_iter().flatten().collect()
}

/// For what is shown beside, and nothing has to hold.
const SHOWN: Bar = Bar::RatioAtLeast(0.0);

/// An event as most are: numbers, and a token's name.
fn event() -> AuthEvent {
    AuthEvent::TokenIssued {
        token: FingerprintKey::new([7; 32]).fingerprint(&Secret::from("a token")),
        generation: Generation::NONE.next(),
        expires_in: Duration::from_secs(3_600),
        renews_in: Duration::from_secs(2_900),
        took: Some(Duration::from_millis(84)),
    }
}

/// A folder on the disk that the workspace is on: one in memory would sync nothing.
#[expect(clippy::expect_used, reason = "a bench without its disk measures nothing")]
fn folder() -> TempDir {
    let target = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"));
    std::fs::create_dir_all(target).expect("target can be written");
    TempDir::new_in(target).expect("target can be written")
}

#[expect(clippy::disallowed_methods, reason = "to measure is to read a clock")]
fn now() -> Instant {
    Instant::now()
}

/// The value that so many parts in a thousand are below.
fn quantile(values: &mut [f64], parts: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) * parts / 1_000).copied().unwrap_or_default()
}
