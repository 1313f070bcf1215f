//! The `rtauth` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rtauth::run()
}
