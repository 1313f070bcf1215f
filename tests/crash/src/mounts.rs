//! File systems that are there for one run: an image with ext4, and a small one in memory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::failed::{Done, Failed};

/// A file that holds an ext4.
#[derive(Debug)]
pub(crate) struct Image(PathBuf);

/// A file system that is mounted until this is dropped.
#[derive(Debug)]
pub(crate) struct Mounted(TempDir);

/// How large an image is.
const IMAGE_BYTES: u64 = 96 * 1_024 * 1_024;

/// A folder in memory, where there is one: an image on it changes only when the file system on it is written out.
pub(crate) fn folder() -> Done<TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() { TempDir::new_in(memory)? } else { TempDir::new()? })
}

impl Image {
    /// Makes an empty one.
    pub(crate) fn new(path: PathBuf) -> Done<Self> {
        File::create(&path)?.set_len(IMAGE_BYTES)?;
        quietly(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&path))?;
        Ok(Self(path))
    }

    /// What is in it now. It has to stand still: whoever writes to it must be stopped.
    pub(crate) fn copy(&self, to: PathBuf) -> Done<Self> {
        fs::copy(&self.0, &to)?;
        Ok(Self(to))
    }

    /// Gives its memory back.
    pub(crate) fn remove(self) -> Done {
        Ok(fs::remove_file(self.0)?)
    }

    /// Mounts it, which replays its journal.
    pub(crate) fn mount(&self) -> Done<Mounted> {
        let at = folder()?;
        // No commit by the clock: nothing changes in the image but by those who write and sync.
        quietly(
            Command::new("mount").args(["-t", "ext4", "-o", "loop,commit=300"]).arg(&self.0).arg(at.path()),
        )?;
        Ok(Mounted(at))
    }
}

impl Mounted {
    /// A file system of so many bytes in memory.
    pub(crate) fn in_memory(size: &str) -> Done<Self> {
        let at = folder()?;
        quietly(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}"), "crash"])
                .arg(at.path()),
        )?;
        Ok(Self(at))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(Failed(reason)) = quietly(Command::new("umount").arg(self.0.path())) {
            eprintln!("crash: {reason}");
        }
    }
}

/// Runs a command whose output is of interest only when it fails.
pub(crate) fn quietly(command: &mut Command) -> Done {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failed(format!("{name} can't be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failed(format!("{name} failed ({}): {printed}", output.status)))
}
