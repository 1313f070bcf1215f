//! What Debian has packages of: the continuous integration may install them, a person is told how.

use std::process::Command;

use super::{Absent, Present, in_ci};
use crate::shell::{Done, quietly, version};

/// Makes sure of these packages, if something of theirs is missing.
pub(crate) fn provide(packages: &[&str], missing: impl Fn() -> Option<&'static str>) -> Done<Present<()>> {
    if missing().is_some() && in_ci() && is_root() && version("apt-get").is_some() {
        eprintln!("installing Debian's {} with apt-get", packages.join(", "));
        let mut install = Command::new("apt-get");
        let arguments = ["install", "-y", "--no-install-recommends", "--no-remove"];
        install.env("DEBIAN_FRONTEND", "noninteractive").args(arguments).args(packages);
        quietly(Command::new("apt-get").args(["update", "-qq"]))?;
        quietly(&mut install)?;
    }
    Ok(match missing() {
        None => Ok(()),
        Some(what) => Err(Absent(format!(
            "{what} is missing; on Debian: apt-get install --no-install-recommends {}",
            packages.join(" ")
        ))),
    })
}

/// Whether whoever runs this may do anything.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
