//! All tests, and the doc tests, which cargo-nextest does not run.

use crate::shell::{Done, cargo, has_subcommand};

pub(crate) fn run() -> Done {
    tests()?;
    doctests()
}

pub(crate) fn tests() -> Done {
    if has_subcommand("nextest") {
        run_cargo(&["nextest", "run", "--workspace", "--locked"])
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
