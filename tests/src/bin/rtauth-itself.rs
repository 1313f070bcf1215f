//! The `rtauth` command, built with the tests that run it as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    rtauth::run()
}
