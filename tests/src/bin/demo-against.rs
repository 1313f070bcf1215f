//! `rtauth demo` against a counterpart that misbehaves: the demo must notice.

use std::process::ExitCode;

use clap::Parser;
use realtime_auth_tests::counterparts::{Fault, with_fault};
use rtauth::demo::{DemoOptions, command, gateway_config};

#[derive(Debug, Parser)]
struct Arguments {
    /// What is wrong with the counterpart.
    fault: Fault,

    #[command(flatten)]
    demo: DemoOptions,
}

fn main() -> ExitCode {
    let Arguments { fault, demo } = Arguments::parse();
    command(&demo, with_fault(gateway_config(demo.listen), fault))
}
