//! The steps of the continuous integration, in the order in which they find most for the least time.

use std::time::Instant;

use clap::ValueEnum;

use crate::shell::{Done, cargo, run as run_command};
use crate::{conformance, crash, deny, examples, fuzz, purity, sim, test, tidy};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// The sources are formatted.
    Fmt,
    /// What no lint can see is in order.
    Tidy,
    /// No lint complains, with all features and with each set that somebody may pick.
    Clippy,
    /// All tests pass.
    Tests,
    /// All examples in the documentation pass.
    Doctests,
    /// The documentation builds without a warning.
    Docs,
    /// The parts that promise no I/O depend on none.
    Purity,
    /// Each example runs, against a gateway where it needs one.
    Examples,
    /// The demo of the README plays to its end, as it stands there.
    Demo,
    /// What others wrote understands what we wrote, and we them.
    Conformance,
    /// No random input fails what reads a stranger's, each for ten seconds.
    Fuzz,
    /// The machines hold their properties in simulated worlds, 100,000 for renewal and 10,000 for sessions, which find each of the planted bugs.
    Sim,
    /// The audit log keeps what it acknowledged over power cuts, kills, failing system calls and full disks: a few of each.
    Crash,
    /// Licences, duplicates and sources of all dependencies are as agreed.
    Deny,
}

/// Runs one step, or all.
pub(crate) fn run(step: Option<Step>) -> Done {
    match step {
        Some(step) => run_step(step),
        None => Step::value_variants().iter().try_for_each(|step| run_step(*step)),
    }
}

/// Runs a step, and says how long it took: all of them together have 40 minutes on two processors.
fn run_step(step: Step) -> Done {
    println!("== {step:?} ==");
    let start = Instant::now();
    let done = perform(step);
    println!("== {step:?}: {} s ==", start.elapsed().as_secs());
    done
}

fn perform(step: Step) -> Done {
    match step {
        Step::Fmt => fmt(),
        Step::Tidy => tidy::run(),
        Step::Clippy => clippy(),
        Step::Tests => test::tests(),
        Step::Doctests => test::doctests(),
        Step::Docs => run_command(
            cargo(&["doc", "--workspace", "--all-features", "--locked", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
        Step::Purity => purity::run(),
        Step::Examples => examples::run(),
        Step::Demo => cargo_step(&["run", "--release", "--locked", "-p", "rtauth", "--", "demo"]),
        Step::Conformance => conformance::run(&conformance::Options::all()),
        Step::Fuzz => fuzz::run(&fuzz::Options::each_for(10)),
        Step::Sim => {
            sim::run(&sim::Options::of(sim::Machine::Renewal, 100_000))?;
            sim::run(&sim::Options::of(sim::Machine::Session, 10_000))?;
            sim::run(&sim::Options::of_mutants(sim::Machine::Renewal))?;
            sim::run(&sim::Options::of_mutants(sim::Machine::Session))
        }
        Step::Crash => crash::a_few(),
        Step::Deny => deny::run(),
    }
}

/// Packages that are no members of the workspace: each is built by other means.
const APART: [&str; 5] = [
    "examples/wasm/Cargo.toml",
    "tests/both-backends/Cargo.toml",
    "tests/fuzz/Cargo.toml",
    "tests/peers/async-graphql/Cargo.toml",
    "tests/wasm/Cargo.toml",
];

fn fmt() -> Done {
    cargo_step(&["fmt", "--all", "--check"])?;
    APART.iter().try_for_each(|manifest| cargo_step(&["fmt", "--manifest-path", manifest, "--check"]))
}

/// Sets of features that somebody may pick, beside all and the default: each must build by itself.
const FEATURE_SETS: [(&str, &str); 26] = [
    ("auth-core", ""),
    ("auth-core", "asymmetric"),
    ("auth-core", "tracing"),
    ("auth-http", ""),
    ("auth-http", "client"),
    ("auth-http", "file-store"),
    ("auth-http", "manager"),
    ("auth-http", "tokio"),
    ("auth-http", "tracing"),
    ("ws-session", ""),
    ("ws-session", "blocking"),
    ("ws-session", "description"),
    ("ws-session", "futures"),
    ("ws-session", "polled"),
    ("ws-session", "tokio"),
    ("ws-session", "tracing"),
    ("audit", ""),
    ("audit", "opentelemetry"),
    ("audit", "prometheus"),
    ("audit", "syslog"),
    ("realtime-auth", ""),
    ("realtime-auth", "asymmetric"),
    ("realtime-auth", "http"),
    ("realtime-auth", "ws"),
    ("realtime-auth", "audit"),
    ("realtime-auth", "tracing"),
];

fn clippy() -> Done {
    let strictly = ["--all-targets", "--locked", "--", "-D", "warnings"];
    cargo_step(&[&["clippy", "--workspace", "--all-features"][..], &strictly].concat())?;
    for (package, features) in FEATURE_SETS {
        let set = ["clippy", "-p", package, "--no-default-features", "--features", features];
        cargo_step(&[&set[..], &strictly].concat())?;
    }
    for manifest in APART {
        let set = ["clippy", "--manifest-path", manifest, "--target-dir", "target"];
        cargo_step(&[&set[..], &strictly].concat())?;
    }
    Ok(())
}

fn cargo_step(arguments: &[&str]) -> Done {
    run_command(&mut cargo(arguments))
}
