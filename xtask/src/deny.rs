//! cargo-deny: installed into `target/tools` at the version that is named here, then run.

use std::process::Command;

use crate::shell::{Done, cargo, root, run as run_command};

const VERSION: &str = "0.20.2";

pub(crate) fn run() -> Done {
    let tools = root().join("target").join("tools");
    let binary = tools.join("bin").join("cargo-deny");
    let installed = Command::new(&binary).arg("--version").output();
    if !installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(VERSION)) {
        println!("installing cargo-deny {VERSION} into target/tools, which takes some minutes once");
        run_command(
            cargo(&["install", "cargo-deny", "--locked", "--version", VERSION]).arg("--root").arg(&tools),
        )?;
    }
    // Advisories are left out: their database comes from the network, and changes without us.
    let checks = ["--config", ".deny.toml", "--locked", "check", "bans", "licenses", "sources"];
    run_command(Command::new(binary).current_dir(root()).args(checks))
}
