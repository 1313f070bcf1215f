//! Conformance: what others wrote, run against what we wrote. Ends with one line a peer.

mod ably;
mod ably_realtime;
mod ably_rest;
mod backends;
mod cases;
pub(crate) mod debian;
mod dialects;
mod oauth;
mod peers;
mod report;
mod served;
mod syslog;
mod token_request;
mod wasm;

use std::env;
use std::fmt;

pub(crate) use self::report::story;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::shell::{Done, Failed};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which job; all of them if none is named.
    job: Option<Job>,

    /// Prints each line as a JSON object.
    #[arg(long)]
    json: bool,

    /// Replays the parameter sets of an earlier run, which printed its seed.
    #[arg(long)]
    seed: Option<u64>,

    /// For how many seconds a receiver of syslog is stopped in the middle. A release is shown with 60.
    #[arg(long, default_value_t = STOP)]
    stop: u64,
}

/// As long as anybody waits for.
const STOP: u64 = 5;

impl Options {
    /// All jobs, for people.
    pub(crate) const fn all() -> Self {
        Self { job: None, json: false, seed: None, stop: STOP }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// The realtime clients of Ably's libraries for JavaScript and Python against `rtauth gateway`: connections, their renewal in
    /// place, expiry, revocation, and channels within a capability.
    AblyRealtime,
    /// Ably's libraries for JavaScript and Python against `rtauth gateway`: tokens, their use, expiry and revocation.
    AblyRest,
    /// auth-core verifies in a program that enables both back ends of jsonwebtoken, where that itself panics.
    Backends,
    /// ws-session logs in to WebSocket servers of other people's, is refused, waits and reconnects, by description alone where
    /// the model can.
    Dialects,
    /// auth-http obtains, renews, revokes and verifies tokens of other people's authorization servers.
    #[value(name = "oauth")]
    OAuth,
    /// audit delivers to rsyslog, which is stopped and restarted, over TCP, TLS and unix sockets: nothing is doubled, what is missing is
    /// told, and no value forges a record.
    Syslog,
    /// The page of `rtauth audit report` in Chromium: its counts, labels of strangers, no request, nothing on the console.
    Report,
    /// Ably's libraries for JavaScript and Python sign token requests; ours signs the same ones, and verifies theirs.
    TokenRequest,
    /// auth-core signs inside a WebAssembly module that imports nothing from its host, and a session in one is driven by JavaScript.
    Wasm,
}

/// What came of one peer.
enum Outcome {
    Ran(Report),
    /// The machine does not have the peer.
    Absent {
        peer: &'static str,
        reason: String,
    },
}

/// What one peer was asked, and how often it and we agreed.
struct Report {
    peer: &'static str,
    version: String,
    cases: usize,
    passed: usize,
    /// What else was counted, in the order in which it is told.
    counts: Vec<(&'static str, u64)>,
}

/// Why a peer can't be asked: the machine lacks something, and this says what.
pub(crate) struct Absent(pub(crate) String);

/// Something of the machine's, if it has it.
pub(crate) type Present<T> = Result<T, Absent>;

/// Runs the job that is named, or all.
pub(crate) fn run(options: &Options) -> Done {
    let jobs = options.job.as_ref().map_or_else(Job::value_variants, std::slice::from_ref);
    let mut complaints = Vec::new();
    for job in jobs {
        let outcomes = match job {
            Job::AblyRealtime => ably_realtime::run(),
            Job::AblyRest => ably_rest::run(),
            Job::Backends => backends::run(),
            Job::Dialects => dialects::run(),
            Job::OAuth => oauth::run(),
            Job::Syslog => syslog::run(options.stop),
            Job::Report => report::run(),
            Job::TokenRequest => token_request::run(options.seed),
            Job::Wasm => wasm::run(),
        };
        match outcomes {
            Ok(outcomes) => {
                for outcome in outcomes {
                    println!(
                        "{}",
                        if options.json { outcome.to_json(*job).to_string() } else { outcome.to_string() }
                    );
                    complaints.extend(outcome.complaint());
                }
            }
            Err(Failed(reason)) => complaints.push(format!("{}: {reason}", name(*job))),
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(Failed(complaints.join("\nxtask: "))) }
}

/// Whether this is the continuous integration, where nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

fn name(job: Job) -> String {
    job.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl Outcome {
    /// What is wrong with it, if anything: a case that did not pass, or a peer that must not be absent.
    fn complaint(&self) -> Option<String> {
        match self {
            Self::Ran(Report { peer, cases, passed, .. }) => {
                (*cases == 0 || passed != cases).then(|| format!("{peer}: {passed} of {cases} cases passed"))
            }
            Self::Absent { peer, reason } => {
                in_ci().then(|| format!("{peer} is absent, and CI is set: {reason}"))
            }
        }
    }

    fn to_json(&self, job: Job) -> Value {
        let mut line = Map::new();
        line.insert("job".to_owned(), name(job).into());
        match self {
            Self::Ran(Report { peer, version, cases, passed, counts }) => {
                line.extend([
                    ("peer".to_owned(), json!(peer)),
                    ("version".to_owned(), json!(version)),
                    ("cases".to_owned(), json!(cases)),
                    ("passed".to_owned(), json!(passed)),
                ]);
                line.extend(counts.iter().map(|(what, count)| (what.replace(' ', "_"), json!(count))));
            }
            Self::Absent { peer, reason } => {
                line.extend([("peer".to_owned(), json!(peer)), ("skipped".to_owned(), json!(reason))]);
            }
        }
        Value::Object(line)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran(Report { peer, version, cases, passed, counts }) => {
                write!(formatter, "{peer} {version}: {cases} cases, {passed} passed")?;
                let counts: Vec<_> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
                if counts.is_empty() { Ok(()) } else { write!(formatter, " ({})", counts.join(", ")) }
            }
            Self::Absent { peer, reason } => write!(formatter, "{peer}: skipped, {reason}"),
        }
    }
}
