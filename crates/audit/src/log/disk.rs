//! The real disk: a directory and files that only their owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::layout;
use super::storage::{Storage, removed};

/// A directory of this machine.
pub(crate) struct Disk {
    directory: PathBuf,
    /// The directory itself, where it can be locked: unlike a file in it, nobody can remove it from under the writer.
    held: Option<File>,
    /// Known also where a directory can't be locked, and to other machines of a network file system, which keeps the locks
    /// of directories to itself.
    lock: Option<File>,
}

impl Disk {
    pub(crate) const fn new(directory: PathBuf) -> Self {
        Self { directory, held: None, lock: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Storage for Disk {
    type File = File;

    fn claim(&mut self) -> io::Result<bool> {
        make_directory(&self.directory)?;
        if cfg!(unix) && !self.held.as_ref().is_some_and(|held| is_at(held, &self.directory).unwrap_or(true))
        {
            let directory = File::open(&self.directory)?;
            if !lock(directory, &mut self.held)? {
                return Ok(false);
            }
        }
        let path = self.path(layout::LOCK);
        if self.is_claimed() {
            return Ok(true);
        }
        match regular(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = owner_only(OpenOptions::new().write(true).create(true).truncate(false)).open(path)?;
        lock(file, &mut self.lock)
    }

    fn is_claimed(&self) -> bool {
        // Where nobody can tell, it is.
        self.lock.as_ref().is_some_and(|held| is_at(held, &self.path(layout::LOCK)).unwrap_or(true))
    }

    fn is_in_place(&mut self, file: &File, name: &str) -> io::Result<bool> {
        is_at(file, &self.path(name))
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        fs::metadata(self.path(name)).map(|metadata| metadata.len())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.directory)?;
        // A name that is not UTF-8 is none of ours.
        entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn create(&mut self, name: &str) -> io::Result<File> {
        owner_only(OpenOptions::new().append(true).create_new(true)).open(self.path(name))
    }

    fn open(&mut self, name: &str) -> io::Result<File> {
        let path = self.path(name);
        regular(&path)?;
        OpenOptions::new().append(true).open(path)
    }

    fn read(&mut self, name: &str) -> io::Result<impl BufRead> {
        let path = self.path(name);
        regular(&path)?;
        File::open(path).map(|file| BufReader::with_capacity(256 * 1024, file))
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn truncate(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_data()?;
        if is_removed(file)? { Err(removed()) } else { Ok(()) }
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        sync_directory(&self.directory)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }
}

/// Locks a file and keeps it in `held`, in place of another; `false` where somebody else holds the lock.
fn lock(file: File, held: &mut Option<File>) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => *held = Some(file),
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(true)
}

/// Fails where `path` is something that opening may wait for, such as a pipe.
fn regular(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    let text = format!("{} is no regular file; look who put it there, and remove it", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Makes a directory and those above it that are missing, so that none of their names is lost with the power.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let missing = directory.ancestors().take_while(|above| !above.exists()).count();
    builder.create(directory)?;
    for above in directory.ancestors().skip(1).take(missing) {
        // The directory above a relative name of one part is the one that the program is in.
        sync_directory(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere a directory can't be opened, and names are as safe as the file system makes them.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it is fallible where there is something to do")]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Whether the open file is still the one at `path`: not where its directory was moved away.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((held.dev(), held.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere a directory with an open file in it can't be moved away.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// Whether an open file has no name in any directory.
#[cfg(unix)]
fn is_removed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.nlink() == 0)
}

/// Elsewhere an open file can't be removed.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it is fallible where there is something to do")]
fn is_removed(_file: &File) -> io::Result<bool> {
    Ok(false)
}
