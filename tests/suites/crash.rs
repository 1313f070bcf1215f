//! Eight processes share a login through a file, and are killed at random moments: the session outlives them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_core::Secret;
use auth_core::backoff::Jitter;
use auth_core::renewal::Record;
use gateway::{Client, Config, Gateway, RateLimit, Running};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

const PROCESSES: u64 = 8;

/// Refreshes that are demanded of each process.
const REFRESHES: u64 = 25;

/// One refresh of so many ends in a kill.
const KILL_ONE_OF: u64 = 5;

/// How long after a refresh was demanded its process may be killed.
const MOMENT: Duration = Duration::from_millis(15);

/// Schedules to play. Several, so that some of the kills surely hit the moment between a request and its answer.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// Longer than a renewal may take with retries.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Managed,
    Naive,
}

/// A gateway, a folder that processes share, and how to start one.
struct Rig {
    kind: Kind,
    gateway: Running,
    folder: tempfile::TempDir,
}

impl Rig {
    async fn start(kind: Kind) -> Self {
        let client = Client::new("shared", Secret::from("secret"), "a".parse().unwrap());
        let config = Config::new("127.0.0.1:0".parse().unwrap())
            .with_client(client.with_refresh_token(Secret::from("login")))
            .with_token_lifetime(Duration::from_secs(3))
            .with_refresh_grace(Duration::from_secs(10))
            .with_rate_limit(RateLimit::new(Duration::from_nanos(1), u32::MAX));
        let gateway = Gateway::bind(config).await.unwrap().spawn();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("client-secret.txt"), "secret").unwrap();
        std::fs::write(folder.path().join("refresh-token.txt"), "login").unwrap();
        if kind == Kind::Naive {
            let record = Record { refresh_token: Some(Secret::from("login")), ..Record::default() };
            std::fs::write(folder.path().join("store.json"), record.to_json().expose()).unwrap();
        }
        Self { kind, gateway, folder }
    }

    fn process(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shared-login"));
        command.arg(format!("{}/oauth/token", self.gateway.http_url())).arg(self.folder.path());
        if self.kind == Kind::Naive {
            command.arg("--naive");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { child, commands, answers }
    }
}

/// A process that refreshes when it is told to.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn demand(&mut self) {
        self.commands.write_all(b"refresh\n").await.unwrap();
    }

    /// Why the refresh failed, or `None` if it did not.
    async fn answer(&mut self) -> Option<String> {
        let line = timeout(PATIENCE, self.answers.next_line()).await.expect("an answer in time").unwrap();
        let answer: Value = serde_json::from_str(&line.expect("an answer before the end")).unwrap();
        answer["failed"].as_str().map(str::to_owned)
    }

    async fn kill(mut self) {
        // SIGKILL: no handler runs, no buffer is flushed.
        self.child.kill().await.unwrap();
    }
}

/// What came of a schedule.
#[derive(Debug, Default)]
struct Outcome {
    demanded: u64,
    killed: u64,
    /// How often which error was the answer to a refresh.
    failures: BTreeMap<String, u64>,
    looks: Looks,
    redeemed: u64,
    retried: u64,
    revoked: u64,
}

impl Outcome {
    fn answered(&mut self, failure: Option<String>) {
        if let Some(failure) = failure {
            *self.failures.entry(failure).or_default() += 1;
        }
    }
}

/// What a reader saw who looked at the file all the time.
#[derive(Debug, Default)]
struct Looks {
    whole: u64,
    broken: u64,
    /// Older than what was there before.
    rolled_back: u64,
}

/// Plays the schedule of `seed`, then demands one more refresh of each process.
async fn play(kind: Kind, seed: u64) -> Outcome {
    let rig = Arc::new(Rig::start(kind).await);
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (path, over) = (rig.folder.path().join("store.json"), Arc::clone(&over));
        std::thread::spawn(move || look(&path, &over))
    };
    let mut slots = JoinSet::new();
    for number in 0..PROCESSES {
        slots.spawn(slot(Arc::clone(&rig), Jitter::seeded(seed.wrapping_mul(PROCESSES) + number)));
    }
    let mut outcome = Outcome::default();
    let mut processes = Vec::new();
    for (process, part) in slots.join_all().await {
        processes.push(process);
        outcome.demanded += part.demanded;
        outcome.killed += part.killed;
        for (failure, count) in part.failures {
            *outcome.failures.entry(failure).or_default() += count;
        }
    }
    for process in &mut processes {
        process.demand().await;
        outcome.answered(process.answer().await);
    }
    over.store(true, Ordering::Relaxed);
    outcome.looks = reader.join().unwrap();
    let refreshes = rig.gateway.refreshes();
    (outcome.redeemed, outcome.retried, outcome.revoked) =
        (refreshes.redeemed(), refreshes.retried(), refreshes.revoked());
    outcome
}

/// One process after the other, in the place of the one before.
async fn slot(rig: Arc<Rig>, mut chance: Jitter) -> (Process, Outcome) {
    let mut outcome = Outcome::default();
    let mut process = rig.process();
    for _ in 0..REFRESHES / KILL_ONE_OF {
        let fatal = chance.between(Duration::ZERO, Duration::from_nanos(KILL_ONE_OF - 1)).as_nanos();
        for turn in 0..u128::from(KILL_ONE_OF) {
            process.demand().await;
            outcome.demanded += 1;
            if turn == fatal {
                tokio::time::sleep(chance.between(Duration::ZERO, MOMENT)).await;
                process.kill().await;
                outcome.killed += 1;
                process = rig.process();
            } else {
                outcome.answered(process.answer().await);
            }
        }
    }
    (process, outcome)
}

/// Looks at the file until it is told to stop: from its first appearance on there must always be a whole one, and
/// never an older one.
fn look(path: &Path, over: &AtomicBool) -> Looks {
    let mut looks = Looks::default();
    let mut newest = 0;
    while !over.load(Ordering::Relaxed) {
        match std::fs::read(path).map(|text| Record::parse(&text)) {
            Ok(Ok(record)) => {
                looks.whole += 1;
                looks.rolled_back += u64::from(record.revision < newest);
                newest = newest.max(record.revision);
            }
            Err(_) if looks.whole == 0 => {}
            Ok(Err(_)) | Err(_) => looks.broken += 1,
        }
        std::thread::yield_now();
    }
    looks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_login_and_are_killed_never_lose_it() {
    let (mut requests, mut retried) = (0, 0);
    for seed in SEEDS {
        let outcome = play(Kind::Managed, seed).await;
        println!("seed {seed}, {} requests: {outcome:?}", outcome.redeemed + outcome.retried);
        assert_eq!((outcome.demanded, outcome.killed), (200, 40));
        assert_eq!(outcome.revoked, 0, "the family was revoked: {outcome:?}");
        assert!(outcome.failures.is_empty(), "a process lost its session: {outcome:?}");
        assert_eq!(outcome.looks.broken, 0, "the file was unreadable: {outcome:?}");
        assert_eq!(outcome.looks.rolled_back, 0, "an old record came back: {outcome:?}");
        assert!(outcome.looks.whole > 0 && outcome.redeemed > 0, "nothing was tried: {outcome:?}");
        retried += outcome.retried;
        requests += outcome.redeemed + outcome.retried;
    }
    // A process that is behind adopts what another has obtained, so not each forced refresh is a request.
    assert!(requests >= 100, "only {requests} requests reached the server");
    assert!(retried > 0, "no process was killed between its request and the answer");
}

/// The control: the same schedules find out a client that takes no care.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_login_without_care_lose_it() {
    for seed in SEEDS {
        let outcome = play(Kind::Naive, seed).await;
        println!("seed {seed}, without care: {outcome:?}");
        assert!(outcome.revoked > 0 || outcome.looks.broken > 0, "nothing was found: {outcome:?}");
        assert!(!outcome.failures.is_empty(), "no process lost its session: {outcome:?}");
    }
}
