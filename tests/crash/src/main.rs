//! Takes the power, the process and the disk from a writer of the audit log, and reads what is left; `cargo xtask crash` runs it.
//!
//! The program is both ends: the harness, and, in processes of their own, the writers that it ends.

mod child;
mod disk_full;
mod failed;
mod inspect;
mod kill;
mod log;
mod mounts;
mod one_writer;
mod power_cut;
mod strace;
mod syscalls;
mod writer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failed::Done;

/// Takes the power, the process and the disk from a writer of the audit log, and reads what is left.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Cuts the power at random moments: what a disk image holds then must hold all that was acknowledged.
    PowerCut {
        /// How many times.
        #[arg(long, default_value_t = 50)]
        cuts: u32,
    },
    /// Kills the writer at random moments, those of opening and of rotating among them.
    Kill {
        /// How many times.
        #[arg(long, default_value_t = 200)]
        times: u32,
    },
    /// Lets each system call fail that a session makes at its files, and ends it at each.
    Syscalls {
        /// How many of the calls, drawn anew each time; all of them if it is not given.
        #[arg(long)]
        sample: Option<usize>,
    },
    /// Fills the disk, and gives it room again.
    DiskFull,
    /// Starts a second writer over a log that has one.
    OneWriter,
    /// One of those that are ended: writes, and prints a line for each record of which it was told that it is safe.
    #[command(hide = true)]
    Write(writer::Options),
}

fn main() -> ExitCode {
    let done: Done = match Arguments::parse().what {
        What::PowerCut { cuts } => power_cut::run(cuts),
        What::Kill { times } => kill::run(times),
        What::Syscalls { sample } => syscalls::run(sample),
        What::DiskFull => disk_full::run(),
        What::OneWriter => one_writer::run(),
        What::Write(options) => writer::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed::Failed(reason)) => {
            eprintln!("crash: {reason}");
            ExitCode::FAILURE
        }
    }
}
