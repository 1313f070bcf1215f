//! What a hook that misbehaves costs whoever calls `observe`: nothing that can be told from noise.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use audit::deliver::{Outlet, Sink, SinkError};
use audit::{Entry, LogOptions, Trail};
use auth_core::Observer as _;
use tempfile::TempDir;

use super::observe::{ROUNDS, samples};
use super::{folder, quantile};
use crate::case::{Bar, Case, Work};
use crate::measure::Measured;

pub(super) fn cases() -> Vec<Case> {
    // What a hook says when it panics is of no interest here.
    std::panic::set_hook(Box::new(|_| {}));
    let hold = sync_channel::<()>(0);
    let hooks: [(&str, Outlet); 4] = [
        ("observe_p99_with_hook_that_blocks", blocks(hold.1)),
        ("observe_p99_with_hook_that_panics", Outlet::closure("panics", |_| panics())),
        ("observe_p99_with_hook_that_errs", Outlet::sink("errs", Errs)),
        ("observe_p99_with_slow_hook", Outlet::closure("slow", |_| slow())),
    ];
    let without = [open(None), open(None)];
    let with: Vec<_> = hooks.into_iter().map(|(name, hook)| (name, open(Some(hook)))).collect();
    let mut noise = Vec::new();
    let mut rounds = vec![Vec::new(); with.len()];
    for _ in 0..ROUNDS {
        let [one, other] = without.each_ref().map(|(trail, _)| tail(trail));
        noise.push((one / other).max(other / one));
        for ((_, (trail, _)), rounds) in with.iter().zip(&mut rounds) {
            rounds.push((tail(trail), one));
        }
    }
    let _ = std::panic::take_hook();
    drop(hold.0);
    let noise = quantile(&mut noise, 500);
    let cases = with.iter().zip(rounds).map(|((name, _), rounds)| Case {
        subject: name,
        size: None,
        work: Work::Measured { unit: "ns", measured: Measured::of_rounds(&rounds, (0.0, 0.0)), chart: None },
        baseline_name: "without a hook; the bar is the noise between two of these",
        bar: Bar::Ratio(noise),
    });
    cases.collect()
}

#[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
fn open(hook: Option<Outlet>) -> (Trail, TempDir) {
    let folder = folder();
    let mut builder =
        Trail::builder().log(LogOptions::new(folder.path().join("log"))).patience(Duration::ZERO);
    if let Some(hook) = hook {
        builder = builder.outlet(hook);
    }
    (builder.open().expect("the log opens"), folder)
}

fn tail(trail: &Trail) -> f64 {
    let mut samples = samples(|event| trail.observe(event), || drop(trail.flush_blocking()), &mut Vec::new());
    quantile(&mut samples, 990)
}

/// Takes its first event, and never comes back while this runs.
fn blocks(hold: Receiver<()>) -> Outlet {
    let hold = Mutex::new(hold);
    Outlet::closure("blocks", move |_| {
        if let Ok(hold) = hold.lock() {
            let _ = hold.recv();
        }
    })
}

#[expect(clippy::panic, reason = "this is the hook that panics")]
fn panics() {
    panic!("a hook that panics")
}

#[expect(clippy::disallowed_methods, reason = "this is the slow hook")]
fn slow() {
    std::thread::sleep(Duration::from_millis(5));
}

/// A receiver that is always out of order.
struct Errs;

#[async_trait]
impl Sink for Errs {
    async fn deliver(&self, _batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        Err(SinkError::retry())
    }
}
