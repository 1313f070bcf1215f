//! auth-core in a WebAssembly module that imports nothing from its host: no clock, no randomness, no I/O.
//!
//! rustup's toolchain has no standard library for the target unless somebody adds it, from where not everybody can
//! reach. Debian's packages bring the source of theirs, so it is built here, with Debian's compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Absent, Outcome, Present, Report, debian};
use crate::shell::{Done, quietly, read, root, version};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "/usr/bin/wasm-ld";
/// Where [`RUSTC`] looks for the source of its standard library.
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";
const PACKAGES: [&str; 4] = ["cargo-web", "lld", "rust-web-src", "rustc-web"];

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) fn run() -> Done<Vec<Outcome>> {
    if version("node").is_none() {
        return Ok(absent("there is no node on this machine".to_owned()));
    }
    if let Err(Absent(reason)) = toolchain()? {
        return Ok(absent(reason));
    }
    let module = build()?;
    let script = root().join("tests").join("wasm").join("run.mjs");
    let told: Value = serde_json::from_str(&read(Command::new("node").arg(script).arg(module))?)?;
    let number = |name: &str| told[name].as_u64().unwrap_or_default();
    let rustc = version(RUSTC).unwrap_or_default();
    Ok(vec![Outcome::Ran(Report {
        peer: TARGET,
        version: rustc.split_whitespace().nth(1).unwrap_or_default().to_owned(),
        cases: number("cases") as usize,
        passed: number("passed") as usize,
        counts: vec![("imports", number("imports")), ("bytes", number("bytes"))],
    })])
}

fn absent(reason: String) -> Vec<Outcome> {
    vec![Outcome::Absent { peer: TARGET, reason }]
}

/// Makes sure of Debian's compiler.
fn toolchain() -> Done<Present<()>> {
    debian::provide(&PACKAGES, || {
        [CARGO, RUSTC, LINKER, SOURCE].into_iter().find(|path| !Path::new(path).exists())
    })
}

/// Builds the module, and says where it is.
fn build() -> Done<PathBuf> {
    let target = root().canonicalize()?.join("target").join("wasm");
    let mut cargo = Command::new(CARGO);
    cargo
        .current_dir(root().join("tests").join("wasm"))
        .args(["build", "--release", "--locked", "-Z", "build-std=std,panic_abort", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target)
        // This compiler, and nothing of the toolchain that runs this task.
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER)
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    quietly(&mut cargo)?;
    Ok(target.join(TARGET).join("release").join("auth_core_guest.wasm"))
}
