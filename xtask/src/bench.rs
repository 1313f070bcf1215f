//! What things cost beside a bare way to do them: a package of its own measures, since this one knows nothing of ours.

use crate::shell::{Done, Failed, cargo};

/// Measures one suite, or all; fails if a bar does not hold.
pub(crate) fn run(suite: Option<&str>, json: bool) -> Done {
    const PACKAGE: [&str; 5] = ["--quiet", "--release", "--locked", "-p", "realtime-auth-benches"];
    // All of its programs: one measures, another is an end of what is measured.
    if !cargo(&[&["build"], &PACKAGE[..]].concat()).status()?.success() {
        return Err(Failed("the benches do not build".to_owned()));
    }
    let mut command = cargo(&[&["run"], &PACKAGE[..], &["--"]].concat());
    command.args(suite).args(json.then_some("--json"));
    // Not by `shell::run`, which would print the command among the lines of JSON.
    if command.status()?.success() {
        Ok(())
    } else {
        Err(Failed("the benches ended early, or a bar does not hold".to_owned()))
    }
}
