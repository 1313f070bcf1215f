//! `cargo xtask`: how anyone works here. `ci` runs what the continuous integration runs, step by step.
#![expect(clippy::disallowed_methods, reason = "a build tool reads its environment")]

mod bench;
mod chromium;
mod ci;
mod conformance;
mod crash;
mod deny;
mod examples;
mod fuzz;
mod limit;
mod pictures;
mod purity;
mod shell;
mod sim;
mod test;
mod tidy;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The work flows of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs all tests and doc tests: with cargo-nextest where it is installed, else with cargo test.
    Test,
    /// Runs one step of the continuous integration, or all of them.
    Ci {
        /// Which step; all of them if none is named.
        step: Option<ci::Step>,
    },
    /// Measures what things cost beside a bare way to do them; fails if a bar does not hold.
    Bench {
        /// Which suite; all of them if none is named.
        name: Option<String>,
        /// Print one line of JSON a case, instead of a table and plots.
        #[arg(long)]
        json: bool,
    },
    /// Runs what others wrote against what we wrote, and prints one line a peer.
    ///
    /// A peer that this machine lacks is skipped, and says so; with CI set in the environment that is a failure.
    Conformance(conformance::Options),
    /// Takes the power, the process and the disk from writers of the audit log, and checks what is left.
    ///
    /// It needs Linux, mkfs.ext4 and strace; for power cuts and full disks also root and loop devices. Without them it is skipped, and
    /// says so; with CI set in the environment that is a failure.
    #[command(subcommand)]
    Crash(crash::Way),
    /// Feeds random inputs to whatever reads what a stranger sent.
    ///
    /// Each input that fails is kept in target/fuzz/failed, and each that reaches new code in target/fuzz/found.
    Fuzz(fuzz::Options),
    /// Makes the pictures of docs/pictures anew: what `rtauth connect` shows in a real terminal, which is tmux, and what `rtauth audit
    /// report` shows in a real browser, which is Chromium.
    ///
    /// It takes about a minute, since a token is renewed in it.
    Pictures {
        /// Only the one of the report.
        #[arg(long)]
        report: bool,
    },
    /// Runs a machine in worlds that seeds determine, hours in a millisecond, and checks what must hold in all of them.
    ///
    /// The same seed gives the same run: a violation names the command that replays it.
    Sim(sim::Options),
    /// Checks what no lint can: module headers, file lengths, layers, and facts that are stated once.
    Tidy,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test => test::run(),
        Task::Ci { step } => ci::run(step),
        Task::Bench { name, json } => bench::run(name.as_deref(), json),
        Task::Conformance(options) => conformance::run(&options),
        Task::Crash(way) => crash::run(&way),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Pictures { report } => pictures::run(report),
        Task::Sim(options) => sim::run(&options),
        Task::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(shell::Failed(reason)) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
