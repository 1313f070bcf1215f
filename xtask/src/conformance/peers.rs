//! Peers from the package registries: installed into `target/peers`, as the lock files in `tests/peers` pin them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Absent, Present};
use crate::shell::{Done, cargo, quietly, read, root, version};

/// What the peers are given, and where their lock files are.
pub(super) fn sources() -> PathBuf {
    root().join("tests").join("peers")
}

/// Where peers are installed, and what the last run told them and heard is left.
pub(super) fn target() -> Done<PathBuf> {
    let target = root().canonicalize()?.join("target").join("peers");
    fs::create_dir_all(&target)?;
    Ok(target)
}

/// A script of `tests/peers` that runs a library of others.
pub(super) struct Script {
    /// The version of the library.
    pub(super) version: String,
    /// What runs the script.
    pub(super) command: Command,
}

/// A script that runs ably-js.
pub(super) fn ably_js(script: &str) -> Done<Present<Script>> {
    let folder = match npm()? {
        Ok(folder) => folder,
        Err(absent) => return Ok(Err(absent)),
    };
    let version = npm_version(&folder, "ably")?;
    let mut command = Command::new("node");
    command.arg(sources().join(script)).arg(folder);
    Ok(Ok(Script { version, command }))
}

/// A script that runs ably-python.
pub(super) fn ably_python(script: &str) -> Done<Present<Script>> {
    let binary = match python()? {
        Ok(binary) => binary,
        Err(absent) => return Ok(Err(absent)),
    };
    let version = python_version(&binary, "ably")?;
    let mut command = Command::new(binary);
    // No compiled modules beside the sources.
    command.arg("-B").arg(sources().join(script));
    Ok(Ok(Script { version, command }))
}

/// The folder in which Node finds the packages of `package-lock.json`.
pub(super) fn npm() -> Done<Present<PathBuf>> {
    let (Some(node), Some(npm)) = (version("node"), version("npm")) else {
        return Ok(Err(Absent("there is no node with npm on this machine".to_owned())));
    };
    let folder = target()?.join("npm");
    let lock = sources().join("package-lock.json");
    install(&folder, &lock, &[&node, &npm], || {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources().join(file), folder.join(file))?;
        }
        // No package may run a script of its own here.
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        quietly(Command::new("npm").current_dir(&folder).args(arguments))
    })?;
    Ok(Ok(folder))
}

/// The version that a package of npm's states.
pub(super) fn npm_version(folder: &Path, package: &str) -> Done<String> {
    let stated = fs::read_to_string(folder.join("node_modules").join(package).join("package.json"))?;
    Ok(serde_json::from_str::<Value>(&stated)?["version"].as_str().unwrap_or_default().to_owned())
}

/// The version of a crate that the package of this manifest stands on.
pub(super) fn cargo_version(manifest: &str, package: &str) -> Done<String> {
    let tree = ["tree", "--locked", "--manifest-path", manifest, "--prefix", "none", "--depth", "1"];
    let tree = read(&mut cargo(&tree))?;
    let version = tree.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix(" v"));
    Ok(version.unwrap_or_default().trim().to_owned())
}

/// The version of a package that this Python has.
pub(super) fn python_version(binary: &Path, package: &str) -> Done<String> {
    let program = format!("from importlib.metadata import version; print(version('{package}'))");
    Ok(read(Command::new(binary).args(["-c", &program]))?.trim().to_owned())
}

/// The Python that has the packages of `requirements.txt`.
pub(super) fn python() -> Done<Present<PathBuf>> {
    let Some(python) = version("python3") else {
        return Ok(Err(Absent("there is no python3 on this machine".to_owned())));
    };
    let folder = target()?.join("python");
    let binary = folder.join("venv").join("bin").join("python");
    let lock = sources().join("requirements.txt");
    install(&folder, &lock, &[&python], || {
        quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
        let arguments = ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--requirement"];
        quietly(Command::new(&binary).args(arguments).arg(&lock))
    })?;
    Ok(Ok(binary))
}

/// Installs unless this lock file was installed by these tools already.
fn install(folder: &Path, lock: &Path, tools: &[&str], install: impl FnOnce() -> Done) -> Done {
    let stamp = folder.join("installed");
    let wanted = format!("{}\n{}", tools.join("\n"), fs::read_to_string(lock)?);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let file = lock.file_name().unwrap_or_default().to_string_lossy();
    eprintln!("installing what tests/peers/{file} pins into target/peers");
    install()?;
    Ok(fs::write(stamp, wanted)?)
}
