//! What does no I/O, in WebAssembly modules that import nothing from their host, no clock and no randomness: auth-core
//! signs, and a session of ws-session is driven over a JavaScript WebSocket.
//!
//! rustup's toolchain has no standard library for the target unless somebody adds it, from where not everybody can
//! reach. Debian's packages bring the source of theirs, so it is built here, with Debian's compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Absent, Outcome, Present, Report, debian, peers};
use crate::shell::{Done, quietly, read, root, version};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "/usr/bin/wasm-ld";
/// Where [`RUSTC`] looks for the source of its standard library.
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";
const PACKAGES: [&str; 4] = ["cargo-web", "lld", "rust-web-src", "rustc-web"];

const TARGET: &str = "wasm32-unknown-unknown";

/// The session's peer: the server of the package `ws`, and its WebSocket, which is used as a browser's.
const WS: &str = "ws over wasm32-unknown-unknown";

pub(super) fn run() -> Done<Vec<Outcome>> {
    if version("node").is_none() {
        return Ok(absent("there is no node on this machine"));
    }
    if let Err(Absent(reason)) = toolchain()? {
        return Ok(absent(&reason));
    }
    Ok(vec![signs()?, holds_a_session()?])
}

fn absent(reason: &str) -> Vec<Outcome> {
    [TARGET, WS].map(|peer| Outcome::Absent { peer, reason: reason.to_owned() }).into()
}

fn signs() -> Done<Outcome> {
    let folder = root().join("tests").join("wasm");
    let module = build(&folder, "auth_core_guest")?;
    let told = node(Command::new("node").arg(folder.join("run.mjs")).arg(module))?;
    let rustc = version(RUSTC).unwrap_or_default();
    Ok(Outcome::Ran(Report {
        peer: TARGET,
        version: rustc.split_whitespace().nth(1).unwrap_or_default().to_owned(),
        cases: told("cases") as usize,
        passed: told("passed") as usize,
        counts: vec![("imports", told("imports")), ("bytes", told("bytes"))],
    }))
}

fn holds_a_session() -> Done<Outcome> {
    let packages = match peers::npm()? {
        Ok(packages) => packages,
        Err(Absent(reason)) => return Ok(Outcome::Absent { peer: WS, reason }),
    };
    let folder = root().join("examples").join("wasm");
    let module = build(&folder, "session_guest")?;
    let bytes = module.metadata()?.len();
    let told = node(Command::new("node").arg(folder.join("story.mjs")).arg(module).arg(&packages))?;
    Ok(Outcome::Ran(Report {
        peer: WS,
        version: peers::npm_version(&packages, "ws")?,
        cases: told("cases") as usize,
        passed: told("passed") as usize,
        counts: vec![("bytes", bytes)],
    }))
}

/// Runs a script that ends with a JSON object of numbers.
fn node(script: &mut Command) -> Done<impl Fn(&str) -> u64 + use<>> {
    let told: Value = serde_json::from_str(&read(script)?)?;
    Ok(move |name: &str| told[name].as_u64().unwrap_or_default())
}

/// Makes sure of Debian's compiler.
fn toolchain() -> Done<Present<()>> {
    debian::provide(&PACKAGES, || {
        [CARGO, RUSTC, LINKER, SOURCE].into_iter().find(|path| !Path::new(path).exists())
    })
}

/// Builds the module of this folder, and says where it is.
fn build(folder: &Path, name: &str) -> Done<PathBuf> {
    let target = root().canonicalize()?.join("target").join("wasm");
    let mut cargo = Command::new(CARGO);
    cargo
        .current_dir(folder)
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
    Ok(target.join(TARGET).join("release").join(name).with_extension("wasm"))
}
