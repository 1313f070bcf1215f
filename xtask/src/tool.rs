//! Tools from the package registry: installed into `target/tools`, at a version that is named where they are used.

use std::path::PathBuf;

use crate::shell::{Done, cargo, root, run, version};

/// The binary of a tool of this version, which is built if it is not there yet.
pub(crate) fn install(name: &str, wanted: &str) -> Done<PathBuf> {
    let tools = root().canonicalize()?.join("target").join("tools");
    let binary = tools.join("bin").join(name);
    if version(&binary).is_none_or(|stated| stated.split_whitespace().last() != Some(wanted)) {
        println!("installing {name} {wanted} into target/tools, which takes some minutes once");
        run(cargo(&["install", name, "--locked", "--version", wanted]).arg("--root").arg(&tools))?;
    }
    Ok(binary)
}
