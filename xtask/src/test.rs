//! All tests, and the doc tests, which cargo-nextest does not run.

use std::num::NonZero;
use std::thread;

use crate::shell::{Done, cargo, has_subcommand};

pub(crate) fn run() -> Done {
    tests()?;
    doctests()
}

pub(crate) fn tests() -> Done {
    if has_subcommand("nextest") {
        // Most tests wait, for a socket, a process or a clock: twice as many go at a time as there are processors.
        let threads = 2 * thread::available_parallelism().map_or(1, NonZero::get);
        let threads = format!("--test-threads={threads}");
        run_cargo(&["nextest", "run", "--workspace", "--locked", &threads])
    } else {
        run_cargo(&["test", "--workspace", "--locked", "--lib", "--bins", "--tests"])
    }
}

pub(crate) fn doctests() -> Done {
    run_cargo(&["test", "--workspace", "--locked", "--doc"])
}

fn run_cargo(arguments: &[&str]) -> Done {
    crate::shell::run(&mut cargo(arguments))
}
