//! cargo-deny: installed into `target/tools` at the version that is named here, then run.

use std::process::Command;

use crate::shell::{Done, root, run as run_command};
use crate::tool;

const VERSION: &str = "0.20.2";

pub(crate) fn run() -> Done {
    let binary = tool::install("cargo-deny", VERSION)?;
    // Advisories are left out: their database comes from the network, and changes without us.
    let checks = ["--config", ".deny.toml", "--locked", "check", "bans", "licenses", "sources"];
    run_command(Command::new(binary).current_dir(root()).args(checks))
}
