//! What verifying a log takes, beside hashing its bytes; and how much memory.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use audit::checkpoint::SigningKey;
use audit::verify::Verification;
use audit::{LogOptions, Trail};
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::Label;
use auth_core::{AuthEvent, Observer as _, Secret};
use sha2::{Digest as _, Sha256};
use stats_alloc::Region;

use super::{SHOWN, folder, now};
use crate::ALLOCATOR;
use crate::case::{Bar, Case, Work};
use crate::measure::Measured;

/// How many records there are; the bar is for the most.
const RECORDS: [u32; 3] = [10_000, 100_000, 1_000_000];

const ROUNDS: usize = 5;

/// Ours may allocate no more than this, all told, however long the log is, in MiB.
const MOST_MEMORY: f64 = 16.0;

#[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
pub(super) fn cases() -> Vec<Case> {
    let key = SigningKey::from_seed("bench.example/audit", [7; 32]).expect("the name is one");
    let mut cases = Vec::new();
    for records in RECORDS {
        let folder = folder();
        let log = folder.path().join("log");
        write(&log, records, &key);
        let mut rounds = Vec::new();
        let mut memory = 0.0;
        for _ in 0..ROUNDS {
            let region = Region::new(ALLOCATOR);
            let ours = nanoseconds(|| {
                let verified =
                    Verification::of(&log).with_key(key.verifier()).run().expect("the log is whole");
                assert!(verified.records >= u64::from(records), "all of them");
            });
            // All that it ever took, given back or not: no less than the most that it had at once.
            let change = region.change();
            memory = change.bytes_allocated as f64 / 1_048_576.0;
            rounds.push((ours, nanoseconds(|| hash(&log))));
        }
        let most = RECORDS.last() == Some(&records);
        cases.push(Case {
            subject: "verify",
            size: Some(records),
            work: Work::Measured {
                unit: "ns",
                measured: Measured::of_rounds(&rounds, (0.0, 0.0)),
                chart: None,
            },
            baseline_name: "SHA-256 over its bytes",
            bar: if most { Bar::Ratio(2.0) } else { SHOWN },
        });
        if most {
            cases.push(Case {
                subject: "verify_allocated_for_a_million",
                size: None,
                work: Work::Counted { unit: "MiB", ours: memory, baseline: size(&log) },
                baseline_name: "the size of the log",
                bar: Bar::Most(MOST_MEMORY),
            });
        }
    }
    cases
}

/// Writes a log of so many records, in segments as they are by default.
#[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
fn write(log: &Path, records: u32, key: &SigningKey) {
    const AT_ONCE: u32 = 1_000;
    let trail =
        Trail::builder().log(LogOptions::new(log).signing_key(key.clone())).open().expect("the log opens");
    let event = client_authenticated();
    for _ in 0..records / AT_ONCE {
        for _ in 0..AT_ONCE {
            trail.observe(&event);
        }
        trail.flush_blocking().expect("the disk works");
    }
    assert_eq!(trail.close().dropped, 0, "the queue has room for that many");
}

/// An event of a gateway, of some 400 bytes as a record.
#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn client_authenticated() -> AuthEvent {
    AuthEvent::ClientAuthenticated {
        connection: 48_151,
        dialect: Label::new("genesys"),
        token: Some(FingerprintKey::new([7; 32]).fingerprint(&Secret::from("a token"))),
        client_id: Some(Label::new("f47ac10b-58cc-4372-a567-0e02b2c3d479")),
        latency: Duration::from_millis(84),
        peer: Some("192.0.2.7:50123".parse().expect("an address")),
    }
}

fn segments(log: &Path) -> impl Iterator<Item = fs::DirEntry> {
    let entries = fs::read_dir(log).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "jsonl"))
}

/// In MiB.
fn size(log: &Path) -> f64 {
    let bytes: u64 =
        segments(log).filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum();
    bytes as f64 / 1_048_576.0
}

#[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
fn hash(log: &Path) {
    let mut buffer = vec![0; 64 * 1_024];
    for segment in segments(log) {
        let mut file = File::open(segment.path()).expect("it was there");
        let mut hash = Sha256::new();
        loop {
            let read = file.read(&mut buffer).expect("it can be read");
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        black_box(hash.finalize());
    }
}

fn nanoseconds(work: impl FnOnce()) -> f64 {
    let start = now();
    work();
    (now() - start).as_secs_f64() * 1e9
}
