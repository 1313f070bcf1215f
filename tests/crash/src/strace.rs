//! strace: which system calls a session makes at the files of its log, and one of them that fails or is the last.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failed::Done;

/// One occurrence of a system call at a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The first of its files that belongs to the log.
    pub(crate) path: String,
    /// Its number among those of this name at this file, of the thread that makes it; from 1.
    pub(crate) number: u32,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does nothing and fails, with the error of this name.
    Error(&'static str),
    /// It does nothing, and the process ends.
    Kill,
}

/// What a writer may ask of the system about files, where a fault is one that a disk can have.
const TRACED: &str = "trace=openat,read,pread64,write,pwrite64,writev,fdatasync,fsync,sync_file_range,ftruncate,fallocate,\
                      rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,statx,newfstatat,fstat,getdents64,\
                      lseek,flock,fchmod,close";

/// Calls of which a disk can't make an error that a program sees.
const NEVER_FAIL: [&str; 3] = ["close", "lseek", "flock"];

/// A strace that writes down the calls of its program.
pub(crate) fn listing(to: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-e", TRACED, "-e", "signal=none", "-o"]).arg(to);
    command
}

/// A strace that lets one call fail.
pub(crate) fn injecting(call: &Call, fault: Fault, to: &Path) -> Command {
    let Call { name, path, number } = call;
    let fault = match fault {
        Fault::Error(error) => format!("error={error}"),
        Fault::Kill => "signal=KILL".to_owned(),
    };
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-P", path, "-e", &format!("trace={name}")]);
    command.args(["-e", &format!("inject={name}:{fault}:when={number}"), "-o"]).arg(to);
    command
}

/// Whether the fault came to pass in a run that wrote this.
pub(crate) fn was_injected(written: &Path) -> Done<bool> {
    let text = fs::read_to_string(written)?;
    Ok(text.contains("(INJECTED)") || text.contains("killed by SIGKILL"))
}

/// The calls at files in a folder that such a listing holds.
pub(crate) fn calls(written: &Path, folder: &Path) -> Done<Vec<Call>> {
    let folder = folder.to_string_lossy();
    let mut counts: BTreeMap<(String, String, String), u32> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in fs::read_to_string(written)?.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        // As text that begins with the folder, between quotes or after a descriptor.
        let path = rest.split(['"', '<', '>']).find(|part| part.starts_with(&*folder));
        let Some(path) = path.map(|path| path.trim_end_matches(" (deleted)")) else { continue };
        let count = counts.entry((thread.to_owned(), name.to_owned(), path.to_owned())).or_default();
        *count += 1;
        calls.push(Call { name: name.to_owned(), path: path.to_owned(), number: *count });
    }
    // Two threads may make the same: strace counts for each.
    calls.sort_unstable();
    calls.dedup();
    Ok(calls)
}

impl Call {
    /// What a disk can do to it.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::Kill];
        if !NEVER_FAIL.contains(&&*self.name) {
            faults.push(Fault::Error(if self.name.contains("write") { "ENOSPC" } else { "EIO" }));
        }
        faults
    }
}
