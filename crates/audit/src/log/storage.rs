//! What a log asks of a disk: few and plain steps, so that each can be made to fail in a test.

use std::io::{self, BufRead};

/// A directory that holds a log. Names are those of files in it.
pub(crate) trait Storage: Send {
    /// A file that is being written.
    type File: Send;

    /// Makes the directory where it is missing, and holds its lock; `false` where somebody else does.
    fn claim(&mut self) -> io::Result<bool>;

    /// Whether the directory is still the one that was claimed: not where it was moved away.
    fn is_claimed(&self) -> bool;

    /// Whether an open file still has this name in the directory.
    fn is_in_place(&mut self, file: &Self::File, name: &str) -> io::Result<bool>;

    /// How long a file is.
    fn length(&mut self, name: &str) -> io::Result<u64>;

    /// The names in the directory.
    fn names(&mut self) -> io::Result<Vec<String>>;

    /// Creates a file that must not exist.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that exists, to append to it.
    fn open(&mut self, name: &str) -> io::Result<Self::File>;

    /// Reads a file from its beginning.
    fn read(&mut self, name: &str) -> io::Result<impl BufRead>;

    /// Appends all of `bytes`. After an error any part of them may be there.
    fn append(&mut self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file off after `length` bytes.
    fn truncate(&mut self, file: &mut Self::File, length: u64) -> io::Result<()>;

    /// Brings a file's bytes and length to the disk. Fails where the file has no name any more, as then it ends with this
    /// process.
    fn sync(&mut self, file: &mut Self::File) -> io::Result<()>;

    /// Brings the directory's names to the disk.
    fn sync_directory(&mut self) -> io::Result<()>;

    /// Gives a file another name, in place of the file that has it.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// What a sync says of a file that somebody removed.
pub(crate) fn removed() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "somebody removed the file, and the records in it are gone")
}

/// Removes a file, or finds that it is not there.
pub(crate) fn clear<S: Storage>(storage: &mut S, name: &str) -> io::Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Writes a file so that it is there whole or not at all, in place of the one that has its name.
pub(crate) fn replace<S: Storage>(
    storage: &mut S,
    temporary: &str,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    clear(storage, temporary)?;
    let mut file = storage.create(temporary)?;
    storage.append(&mut file, bytes)?;
    storage.sync(&mut file)?;
    drop(file);
    storage.rename(temporary, name)?;
    storage.sync_directory()
}
