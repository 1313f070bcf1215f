//! Where a record lies on a disk: reading it, replacing it in one step, moving aside what can't be read.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use auth_core::renewal::{InvalidRecord, Record};
use auth_core::{Error, ErrorKind};
use zeroize::Zeroizing;

use super::fault::{failed, misconfigured, moved_aside, no_store, refuse_if_shared, unreadable};
use crate::store::Disk;

/// The paths of one record. What it does blocks.
pub(super) struct Place {
    disk: Box<dyn Disk>,
    directory: PathBuf,
    name: OsString,
    record: PathBuf,
}

impl Place {
    /// Resolves `path` once: symbolic links, and what is relative to the working directory.
    pub(super) fn resolve(path: &Path, disk: Box<dyn Disk>) -> Result<Self, Error> {
        let shown = path.display();
        let path = match fs::symlink_metadata(path) {
            Ok(_) => fs::canonicalize(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => misconfigured(format!(
                    "{shown} is a symbolic link to nothing; remove it, or name another path"
                )),
                _ => failed("resolve", path, error),
            })?,
            Err(error) if is_absent(&error) => path.to_path_buf(),
            Err(error) => return Err(failed("resolve", path, error)),
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(misconfigured(format!("{shown} names no file; name one to keep tokens in")));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let directory = match fs::canonicalize(parent) {
            Ok(directory) if directory.is_dir() => directory,
            Err(error) if !is_absent(&error) => return Err(failed("resolve", parent, error)),
            Ok(_) | Err(_) => {
                let parent = parent.display();
                return Err(misconfigured(format!(
                    "there is no directory {parent}; run `mkdir -m 700 {parent}`"
                )));
            }
        };
        let place = Self { disk, name: name.to_os_string(), record: directory.join(name), directory };
        match fs::metadata(&place.record) {
            Ok(found) if !found.is_file() => {
                Err(misconfigured(format!("{shown} is no plain file; name one to keep tokens in")))
            }
            Ok(found) => refuse_if_shared(&place.record, &found).map(|()| place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(place),
            Err(error) => Err(failed("read", &place.record, error)),
        }
    }

    /// The record's own path.
    pub(super) fn record(&self) -> &Path {
        &self.record
    }

    /// The path of the lock file.
    pub(super) fn lock(&self) -> PathBuf {
        self.beside(".lock")
    }

    /// Reads the record; what can't be read stays where it is.
    pub(super) fn load(&self) -> Result<Option<Record>, Error> {
        self.find()?.map_err(|invalid| unreadable(&self.record, invalid))
    }

    /// Reads the record under the lock; what can't be read is moved aside, so that the next read finds nothing.
    pub(super) fn load_locked(&self) -> Result<Option<Record>, Error> {
        match self.find()? {
            Ok(found) => Ok(found),
            Err(invalid) => {
                let aside = self.set_aside(invalid)?;
                Err(moved_aside(&self.record, &aside, invalid))
            }
        }
    }

    /// Replaces the record under the lock: at every moment, the old one or the new one is there, whole.
    pub(super) fn save(&self, record: &Record) -> Result<(), Error> {
        let text = record.to_json();
        if text.expose().len() > Record::LARGEST {
            // It could not be read back, and would be moved aside as damage.
            return Err(Error::new(ErrorKind::StoreFailed, "the tokens are too large to be stored"));
        }
        if let Err(invalid) = self.find()? {
            self.set_aside(invalid)?;
        }
        let temporary = self.beside(".new");
        let written = self.write(&temporary, text.expose().as_bytes()).and_then(|()| {
            self.disk.rename(&temporary, &self.record).map_err(|error| failed("replace", &self.record, error))
        });
        if let Err(error) = written {
            // Its tokens should not lie about. If this fails too, the next write removes it.
            let _ = self.disk.remove(&temporary);
            return Err(error);
        }
        self.sync_directory()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.create(path)?;
        self.disk.write(&mut file, bytes).map_err(|error| failed("write", path, error))?;
        self.disk.sync(&file).map_err(|error| failed("sync", path, error))
    }

    /// Creates the temporary file, in place of one that a process left when it crashed: the lock says that nobody writes it.
    fn create(&self, path: &Path) -> Result<File, Error> {
        match self.disk.create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(path).map_err(|error| failed("remove", path, error))?;
                self.disk.create(path)
            }
            created => created,
        }
        .map_err(|error| failed("create", path, error))
    }

    /// Moves what is no record to the first free name.
    fn set_aside(&self, invalid: InvalidRecord) -> Result<PathBuf, Error> {
        match invalid {
            InvalidRecord::NewerVersion { .. } => return Err(unreadable(&self.record, invalid)),
            InvalidRecord::TooLarge | InvalidRecord::Malformed { .. } => {}
        }
        let mut number = 1_u64;
        let aside = loop {
            let aside = self.beside(&format!(".unreadable-{number}"));
            match fs::symlink_metadata(&aside) {
                // Nobody takes the name meanwhile: whoever moves things aside holds the lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => break aside,
                Err(error) => return Err(failed("check", &aside, error)),
                Ok(_) => number += 1,
            }
        };
        self.disk.rename(&self.record, &aside).map_err(|error| failed("move aside", &self.record, error))?;
        self.sync_directory()?;
        Ok(aside)
    }

    /// What lies where the record belongs: it, nothing, or something else.
    fn find(&self) -> Result<Result<Option<Record>, InvalidRecord>, Error> {
        match self.disk.open(&self.record) {
            Ok(file) => {
                let text = self.read(&file)?;
                match Record::parse(&text) {
                    Err(InvalidRecord::Malformed { .. } | InvalidRecord::TooLarge) if is_foreign(&text) => {
                        Err(no_store(&self.record))
                    }
                    parsed => Ok(parsed.map(Some)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ok(None)),
            Err(error) => Err(failed("open", &self.record, error)),
        }
    }

    fn read(&self, file: &File) -> Result<Zeroizing<Vec<u8>>, Error> {
        let failed = |error| failed("read", &self.record, error);
        let metadata = file.metadata().map_err(failed)?;
        refuse_if_shared(&self.record, &metadata)?;
        // One byte more than allowed shows that there is too much; room for all, so that no copy is left behind.
        let most = Record::LARGEST as u64 + 1;
        let mut text = Zeroizing::new(Vec::with_capacity(metadata.len().min(most) as usize + 1));
        file.take(most).read_to_end(&mut text).map_err(failed)?;
        Ok(text)
    }

    fn sync_directory(&self) -> Result<(), Error> {
        self.disk.sync_directory(&self.directory).map_err(|error| failed("sync", &self.directory, error))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(suffix);
        self.directory.join(name)
    }
}

/// Whether somebody's text was never a record: a path that was mistyped, say. What a disk damages has zeros in it, or ends
/// before its time.
fn is_foreign(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0'));
    text.is_some_and(|text| !text.trim().is_empty() && !text.trim_start().starts_with("{\"version\":"))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
