//! What `observe` costs whoever calls it, in best effort.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::SystemTime;

use audit::{LogOptions, Trail};
use auth_core::{AuthEvent, Observer as _};
use stats_alloc::Region;
use tempfile::TempDir;

use super::{SHOWN, event, folder, now, quantile};
use crate::ALLOCATOR;
use crate::case::{Bar, Case, Work};
use crate::measure::Measured;

/// How many events a burst has: fewer than the queue holds.
pub(super) const BURST: usize = 256;

/// How many bursts of each side a round has.
pub(super) const BURSTS: usize = 40;

/// How many rounds.
pub(super) const ROUNDS: usize = 21;

pub(super) fn cases() -> Vec<Case> {
    let (ours, baseline) = (Ours::open(), Channel::open());
    let (mut halves, mut tails) = (Vec::new(), Vec::new());
    let mut allocations = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut ours = samples(|event| ours.trail.observe(event), || ours.settle(), &mut allocations.0);
        let mut baseline = samples(|event| baseline.send(event), || baseline.settle(), &mut allocations.1);
        halves.push((quantile(&mut ours, 500), quantile(&mut baseline, 500)));
        tails.push((quantile(&mut ours, 990), quantile(&mut baseline, 990)));
    }
    let allocations = (quantile(&mut allocations.0, 500), quantile(&mut allocations.1, 500));
    let case = |subject, unit, measured, bar| Case {
        subject,
        size: None,
        work: Work::Measured { unit, measured, chart: None },
        baseline_name: "try_send of the event, boxed, into a sync_channel",
        bar,
    };
    vec![
        case("observe_p50", "ns", Measured::of_rounds(&halves, allocations), Bar::Most(1_000.0)),
        case("observe_p99", "ns", Measured::of_rounds(&tails, allocations), SHOWN),
        case("observe_allocations", "", Measured::counted(allocations.0, allocations.1), Bar::Most(1.0)),
    ]
}

/// A trail with a log on a disk.
struct Ours {
    trail: Trail,
    _folder: TempDir,
}

impl Ours {
    #[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
    fn open() -> Self {
        let folder = folder();
        let trail = Trail::builder().log(LogOptions::new(folder.path().join("log"))).open();
        Self { trail: trail.expect("the log opens"), _folder: folder }
    }

    #[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
    fn settle(&self) {
        self.trail.flush_blocking().expect("the disk works");
    }
}

/// The least that hands an event with its time to another thread without waiting.
struct Channel {
    sender: SyncSender<Box<(SystemTime, AuthEvent)>>,
    sent: AtomicU64,
    received: Arc<AtomicU64>,
}

impl Channel {
    #[expect(clippy::disallowed_methods, reason = "a receiver needs a thread")]
    fn open() -> Self {
        let (sender, receiver) = sync_channel(4_096);
        let received = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&received);
        std::thread::spawn(move || {
            for event in receiver {
                drop(event);
                counted.fetch_add(1, Ordering::Release);
            }
        });
        Self { sender, sent: AtomicU64::new(0), received }
    }

    #[expect(clippy::disallowed_methods, reason = "ours reads the clock too")]
    fn send(&self, event: &AuthEvent) {
        if self.sender.try_send(Box::new((SystemTime::now(), event.clone()))).is_ok() {
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settle(&self) {
        while self.received.load(Ordering::Acquire) < self.sent.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    }
}

/// The nanoseconds of each call in the bursts of a round; and for each burst, how much was allocated at a call.
///
/// What the other thread allocates meanwhile is counted with it, so that this is no less than what the call allocates.
pub(super) fn samples(
    observe: impl Fn(&AuthEvent),
    settle: impl Fn(),
    allocations: &mut Vec<f64>,
) -> Vec<f64> {
    let event = event();
    let mut samples = Vec::with_capacity(BURST * BURSTS);
    for _ in 0..BURSTS {
        let region = Region::new(ALLOCATOR);
        for _ in 0..BURST {
            let start = now();
            observe(&event);
            samples.push((now() - start).as_secs_f64() * 1e9);
        }
        let change = region.change();
        allocations.push((change.allocations + change.reallocations) as f64 / BURST as f64);
        settle();
    }
    samples
}
