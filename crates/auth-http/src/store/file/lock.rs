//! The lock of a record: a file beside it that is locked as long as it is open, and never removed.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use auth_core::Error;

use super::fault::{failed, misconfigured, refuse_if_shared};
use crate::store::{Disk as _, StdDisk};

/// Held until it is dropped, or its process ends: the operating system lets go of it.
///
/// Two open files exclude each other even within one process.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock if nobody has it.
    pub(super) fn try_take(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        refuse_if_shared(path, &file.metadata().map_err(|error| failed("read", path, error))?)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed("lock", path, error)),
        }
        let lock = Self(file);
        // Nothing here ever removes the file, but a person may: then somebody else locks a new one of that name, and this
        // lock keeps nobody out. It counts as held by another; the next attempt opens the new file.
        Ok(lock.is_still_at(path).map_err(|error| failed("check", path, error))?.then_some(lock))
    }

    fn is_still_at(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(found) => Ok(is_same_file(&self.0.metadata()?, &found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, but for a child process that was forked meanwhile and holds a copy until it executes.
        let _ = self.0.unlock();
    }
}

/// Opens the file, or creates it, for its owner only. It is not the disk's business: nothing is ever written to it.
fn open(path: &Path) -> Result<File, Error> {
    match StdDisk.create(path) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("create", path, error)),
    }
    // A symbolic link could have this lock some other file, and a pipe could have this wait.
    let found = fs::symlink_metadata(path).map_err(|error| failed("read", path, error))?;
    if !found.is_file() {
        return Err(misconfigured(format!("{} is no plain file; remove it", path.display())));
    }
    OpenOptions::new().read(true).write(true).open(path).map_err(|error| failed("open", path, error))
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open can't be removed or renamed, as long as whoever opened it does not say otherwise.
#[cfg(not(unix))]
fn is_same_file(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_a_forked_child_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::try_take(&path).unwrap().unwrap();
        let _copy = lock.0.try_clone().unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_file_that_somebody_removed_keeps_nobody_out_and_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::try_take(&path).unwrap().unwrap();
        assert!(lock.is_still_at(&path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!lock.is_still_at(&path).unwrap());
        let other = Lock::try_take(&path).unwrap().unwrap();
        assert!(other.is_still_at(&path).unwrap());
        assert!(!lock.is_still_at(&path).unwrap(), "what has its name is another file");
    }
}
