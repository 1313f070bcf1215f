//! Reading a cached token: beside the least that any cache of this kind does, and from many threads at once.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use auth_core::oauth::TokenResponse;
use auth_core::renewal::Attempt;
use auth_core::{Demand, Error, Secret};
use auth_http::grant::Grant;
use auth_http::manager::TokenManager;

use crate::case::{Bar, Case, Routine, Work, routine};

pub(crate) fn cases() -> Vec<Case> {
    vec![cached_read(), threads_beside_one(), threads_beside_unshared()]
}

struct Endpoint;

#[async_trait]
impl Grant for Endpoint {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        Ok(TokenResponse::new(Secret::from("x".repeat(800))).with_expires_in(Duration::from_secs(3_600)))
    }
}

/// A manager that holds a token; its driver runs on a thread of its own, asleep.
#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
#[expect(clippy::disallowed_methods, reason = "a driver needs a thread to run on")]
fn manager() -> TokenManager {
    let (manager, driver) = TokenManager::builder(Endpoint).build_blocking();
    thread::spawn(|| driver.run());
    manager.token_blocking(Demand::Current).expect("the endpoint issues tokens");
    manager
}

/// The least that a cache with an expiry does: load what is published, and look at one clock.
fn cached_read() -> Case {
    let manager = manager();
    let published = ArcSwap::from_pointee(String::from("token"));
    Case {
        subject: "cached_read",
        size: None,
        work: Work::Timed {
            ours: routine(move || manager.current().is_some()),
            baseline: routine(move || (published.load().len(), now())),
        },
        baseline_name: "an ArcSwap load and one clock read",
        bar: Bar::RatioWithoutAllocation(2.0),
    }
}

/// What a read takes of a core when eight threads do nothing else, beside one thread.
fn threads_beside_one() -> Case {
    let manager = manager();
    let same = manager.clone();
    Case {
        subject: "million_reads_on_8_threads",
        size: None,
        work: Work::Timed {
            ours: on_threads((0..THREADS).map(|_| manager.clone()).collect()),
            baseline: routine(move || (0..READS).filter(|_| black_box(same.current().is_some())).count()),
        },
        baseline_name: "the same on one thread",
        bar: Bar::Ratio(1.1),
    }
}

/// The same beside threads that share nothing: what sharing costs, without what the machine's cores cost each other.
fn threads_beside_unshared() -> Case {
    let shared = manager();
    Case {
        subject: "million_shared_reads",
        size: None,
        work: Work::Timed {
            ours: on_threads((0..THREADS).map(|_| shared.clone()).collect()),
            baseline: on_threads((0..THREADS).map(|_| manager()).collect()),
        },
        baseline_name: "8 threads, each with a manager of its own",
        bar: Bar::Ratio(1.1),
    }
}

const THREADS: u64 = 8;

/// How many reads are one time of the cases with threads: neither waking them nor the last slice of the one that the scheduler
/// let finish last must count beside them.
const READS: u64 = 1_000_000;

/// Reads on a thread for each manager, so often that each core is busy with as many reads as one thread would do.
fn on_threads(managers: Vec<TokenManager>) -> Routine {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64).min(THREADS);
    let done = Arc::new(Barrier::new(managers.len() + 1));
    let readers: Vec<_> = managers.into_iter().map(|manager| reader(manager, Arc::clone(&done))).collect();
    Box::new(move |times| {
        for reader in &readers {
            // A reader lives as long as its sender.
            let _ = reader.send(times * READS * cores / THREADS);
        }
        done.wait();
    })
}

#[expect(clippy::disallowed_methods, reason = "to read from many threads there must be many")]
fn reader(manager: TokenManager, done: Arc<Barrier>) -> SyncSender<u64> {
    let (reads, batches): (_, Receiver<u64>) = sync_channel(1);
    thread::spawn(move || {
        for times in batches {
            for _ in 0..times {
                black_box(manager.current().is_some());
            }
            done.wait();
        }
    });
    reads
}

#[expect(clippy::disallowed_methods, reason = "this clock read is what is measured against")]
fn now() -> Instant {
    Instant::now()
}
