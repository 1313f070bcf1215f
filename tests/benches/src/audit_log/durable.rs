//! How long a durable record takes when many are under way, beside syncing each by itself and beside the bare disk.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use audit::{LogOptions, Mode, Modes, Trail};
use auth_core::observe::Recorder as _;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime;
use tokio::task::LocalSet;

use super::{SHOWN, event, folder, now};
use crate::case::{Bar, Case, Work};
use crate::measure::Measured;

/// How many writers are at it, and the case of how many records a batch has then.
const WRITERS: [(u32, &str); 4] = [
    (1, "durable_batch_of_1_writer"),
    (16, "durable_batch_of_16_writers"),
    (256, "durable_batch_of_256_writers"),
    (2_048, "durable_batch_of_2048_writers"),
];

/// For how many of them there is a bar.
const BARRED: u32 = 256;

/// How long a sample takes.
const SAMPLE: Duration = Duration::from_millis(250);

const ROUNDS: usize = 9;

const DURABLE: Modes = Modes {
    issuing: Mode::Durable,
    consuming: Mode::Durable,
    revoking: Mode::Durable,
    deciding: Mode::Durable,
    progress: Mode::Durable,
};

/// What a round measured, in nanoseconds a record.
#[derive(Default)]
struct Rounds {
    beside_one_sync: Vec<(f64, f64)>,
    beside_raw: Vec<(f64, f64)>,
    batches: Vec<f64>,
}

pub(super) fn cases() -> Vec<Case> {
    let folder = folder();
    let mut cases = Vec::new();
    for (writers, batch_of) in WRITERS {
        let mut rounds = Rounds::default();
        for round in 0..ROUNDS {
            measure(&folder, writers, round, &mut rounds);
        }
        let Rounds { beside_one_sync, beside_raw, mut batches } = rounds;
        let bar = |bar| if writers == BARRED { bar } else { SHOWN };
        let timed = |rounds: &[_]| Work::Measured {
            unit: "ns",
            measured: Measured::of_rounds(rounds, (0.0, 0.0)),
            chart: None,
        };
        let size = Some(writers);
        cases.push(Case {
            subject: "durable_beside_one_sync",
            size,
            work: timed(&beside_one_sync),
            baseline_name: "a chained line, a write and a sync for each record",
            bar: bar(Bar::Ratio(1.0 / 5.0)),
        });
        cases.push(Case {
            subject: "durable_beside_raw",
            size,
            work: timed(&beside_raw),
            baseline_name: "appending and syncing as many bytes at once",
            bar: bar(Bar::Ratio(2.0)),
        });
        cases.push(Case {
            subject: batch_of,
            size: None,
            work: Work::Counted {
                unit: "",
                ours: super::quantile(&mut batches, 500),
                baseline: f64::from(writers),
            },
            baseline_name: "writers at it",
            bar: SHOWN,
        });
    }
    cases
}

/// One round: ours, and what it is compared with, one after the other.
fn measure(folder: &TempDir, writers: u32, round: usize, rounds: &mut Rounds) {
    let log = folder.path().join(format!("{writers}.{round}"));
    let Sample { nanoseconds, batch, bytes } = ours(&log, writers);
    let one_sync = one_sync_a_record(&folder.path().join("one"));
    let raw = raw(&folder.path().join("raw"), batch, bytes);
    rounds.beside_one_sync.push((nanoseconds, one_sync));
    rounds.beside_raw.push((nanoseconds, raw));
    rounds.batches.push(batch);
    // The disk's room is for the next.
    let _ = std::fs::remove_dir_all(log);
}

/// What came of writers that each record one event after the other.
struct Sample {
    nanoseconds: f64,
    /// Records a sync.
    batch: f64,
    /// Bytes a record.
    bytes: f64,
}

#[expect(clippy::expect_used, reason = "a bench without its log measures nothing")]
fn ours(log: &Path, writers: u32) -> Sample {
    let trail = Trail::builder().log(LogOptions::new(log).modes(DURABLE)).open().expect("the log opens");
    let runtime = runtime::Builder::new_current_thread().build().expect("the system has threads");
    let before = writes();
    let start = now();
    let done = Rc::new(std::cell::Cell::new(0_u64));
    let tasks = LocalSet::new();
    for _ in 0..writers {
        let (trail, done) = (trail.clone(), Rc::clone(&done));
        tasks.spawn_local(async move {
            let event = event();
            while now() - start < SAMPLE {
                trail.record(&event).await.expect("a durable record is never refused");
                done.set(done.get() + 1);
            }
        });
    }
    runtime.block_on(tasks);
    let (took, records) = ((now() - start).as_secs_f64() * 1e9, done.get() as f64);
    let batches = writes() - before;
    let _ = trail.close();
    Sample { nanoseconds: took / records, batch: records / batches, bytes: size(log) / records }
}

/// How often this process has written: ours is the only one that does meanwhile, once a batch.
fn writes() -> f64 {
    let counts = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = counts.lines().find_map(|line| line.strip_prefix("syscw: "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

fn size(log: &Path) -> f64 {
    let entries = std::fs::read_dir(log).into_iter().flatten().flatten();
    let segments =
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "jsonl"));
    segments.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len() as f64).sum()
}

/// A line with its hash, a write and a sync for each record, and no thread to hand them to.
fn one_sync_a_record(path: &Path) -> f64 {
    let (mut file, event) = (appending(path), event());
    let mut previous = [0_u8; 32];
    nanoseconds(|| {
        let mut line = serde_json::to_vec(&event).unwrap_or_default();
        line.extend_from_slice(&previous);
        previous = Sha256::digest(&line).into();
        line.extend_from_slice(&[b'0'; 160]);
        append(&mut file, &line);
    })
}

/// As many bytes as a batch has, appended and synced at once: nanoseconds a record.
fn raw(path: &Path, batch: f64, bytes: f64) -> f64 {
    let mut file = appending(path);
    let lines = vec![b'x'; (batch * bytes) as usize];
    nanoseconds(|| append(&mut file, &lines)) / batch
}

fn nanoseconds(mut work: impl FnMut()) -> f64 {
    let start = now();
    let mut times = 0_u32;
    while now() - start < SAMPLE {
        work();
        times += 1;
    }
    (now() - start).as_secs_f64() * 1e9 / f64::from(times)
}

#[expect(clippy::expect_used, reason = "a bench without its disk measures nothing")]
fn appending(path: &Path) -> File {
    // Each sample has a file of its own, as ours has a log of its own.
    let _ = std::fs::remove_file(path);
    OpenOptions::new().append(true).create(true).open(path).expect("the disk can be written")
}

#[expect(clippy::expect_used, reason = "a bench without its disk measures nothing")]
fn append(file: &mut File, bytes: &[u8]) {
    file.write_all(bytes).and_then(|()| file.sync_data()).expect("the disk has room");
}
