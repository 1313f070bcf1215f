//! Running commands at the root of the workspace.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a task failed: for people.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(crate) type Done<T = ()> = Result<T, Failed>;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The cargo that runs this task.
fn cargo_binary() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo command at the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_binary());
    command.current_dir(root()).args(arguments);
    command
}

/// Runs a command, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Done {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|error| Failed(format!("{}: {error}", shown(command))))?;
    if status.success() { Ok(()) } else { Err(Failed(format!("{} failed ({status})", shown(command)))) }
}

/// What a command prints; its diagnostics go where ours go.
pub(crate) fn read(command: &mut Command) -> Done<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(Failed(format!("{} failed ({})", shown(command), output.status)))
    }
}

/// Runs a command whose output is of interest only when it fails.
pub(crate) fn quietly(command: &mut Command) -> Done {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failed(format!("{}: {error}", shown(command))))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    Err(Failed(format!("{} failed ({}):\n{printed}", shown(command), output.status)))
}

/// The version that a program states, in its own words; `None` where it is not installed.
pub(crate) fn version(program: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let stated = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !stated.is_empty()).then_some(stated)
}

/// Whether a cargo subcommand is installed.
pub(crate) fn has_subcommand(name: &str) -> bool {
    cargo(&[name, "--version"]).output().is_ok_and(|output| output.status.success())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
