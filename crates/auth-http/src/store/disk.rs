//! The steps of which an atomic write consists, apart from their order: so that each can be made to fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The steps by which [`FileStore`](super::FileStore) reads and replaces a record; they block.
///
/// [`StdDisk`] is the one that works. Another may wrap it, to count what is written, or to prove that a program survives a
/// disk that fails: a record is replaced by `open`, `create`, `write`, `sync`, `rename`, `sync_directory`, in that order,
/// and set aside by `rename`, `sync_directory`.
pub trait Disk: Send + Sync {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is none.
    fn open(&self, path: &Path) -> io::Result<File>;

    /// Creates a file for writing that its owner may read and write, and nobody else, whatever the umask says.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if anything has that name, a symbolic link to nowhere included: what
    /// it points at is never touched.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// After an error, a part may have been written.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was written survives a loss of power.
    ///
    /// # Errors
    ///
    /// After an error nobody knows what survives, and trying the same file again may wrongly succeed.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Gives a file another name in one step, in place of what had that name.
    ///
    /// # Errors
    ///
    /// After an error, both names are as they were.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file, or a symbolic link rather than what it points at.
    ///
    /// # Errors
    ///
    /// After an error, it may still be there.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Waits until the names in a directory survive a loss of power; where a platform offers no such thing, does nothing.
    ///
    /// # Errors
    ///
    /// After an error, an old name may come back.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// The operating system's file system, through the standard library.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no fields, and whoever wraps it names it")]
pub struct StdDisk;

impl Disk for StdDisk {
    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        // A umask takes away from the mode, the owner's own bits included.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(file)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        if cfg!(not(unix)) {
            return Ok(());
        }
        match File::open(path)?.sync_all() {
            // Some network file systems sync no directories, and say so in this way (fsync(2)).
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }
}
