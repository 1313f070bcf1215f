//! Runs a machine in worlds that a seed determines, and checks what must hold in all of them; `cargo xtask sim` runs it.

mod chance;
mod clock;
mod coverage;
mod renewal;
mod runner;
mod session;
mod trace;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Runs a machine in worlds that a seed determines, and checks what must hold in all of them.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which machine.
    name: Machine,
    /// How many seeds; 10,000 if neither this nor `--seed` is given.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them; without `--seeds`, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints what happened in the world of `--seed`, line by line.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// How many threads; as many as there are processors if it is not given. It changes no result.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints no counters, and lets them be zero: for few seeds.
    #[arg(long)]
    brief: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Machine {
    /// The renewal of tokens.
    Renewal,
    /// The session of a client, against the server's half.
    Session,
}

fn main() -> ExitCode {
    let Arguments { name, seeds, seed, trace, threads, brief } = Arguments::parse();
    let simulation = match name {
        Machine::Renewal => renewal::SIMULATION,
        Machine::Session => session::SIMULATION,
    };
    let good = if trace {
        runner::trace(&simulation, seed.unwrap_or_default())
    } else {
        let usual = if seed.is_some() { 1 } else { 10_000 };
        let (first, seeds) = (seed.unwrap_or_default(), seeds.unwrap_or(usual));
        runner::run(&simulation, &runner::Options { first, seeds, threads, brief })
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
