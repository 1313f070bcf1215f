//! Where a page is written: never over anything but a page, and readable by its owner only, as the log is.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::report::OPENING;
use crate::exit::Failure;

/// A place that a page may be written to.
#[derive(Debug)]
pub(super) enum Destination {
    StandardOutput,
    /// A device or a pipe, which can't be replaced.
    Stream(PathBuf),
    /// A file that does not exist, or that holds a page: in this directory, under this path.
    File(PathBuf, PathBuf),
}

impl Destination {
    /// The place that a path names, unless it is one of the log in `log`, or a file of somebody else's.
    pub(super) fn of(out: &Path, log: &Path) -> Result<Self, Failure> {
        if out == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        let name = out.display();
        let unwritable = |error| unwritable(out, &error);
        // Wherever links lead to.
        let path = match fs::canonicalize(out) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = out
                    .file_name()
                    .ok_or_else(|| Failure::Usage(format!("--out: {name} does not name a file")))?;
                let parent =
                    out.parent().filter(|parent| *parent != Path::new("")).unwrap_or_else(|| Path::new("."));
                fs::canonicalize(parent).map_err(unwritable)?.join(file)
            }
            found => found.map_err(unwritable)?,
        };
        let directory = path.parent().unwrap_or(&path).to_owned();
        if fs::canonicalize(log).is_ok_and(|log| log == directory) {
            return Err(Failure::Usage(format!(
                "--out: {name} is in the directory of the log, where only the log is written; name another place"
            )));
        }
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::File(directory, path)),
            Err(error) => Err(unwritable(error)),
            Ok(found) if found.is_dir() => {
                Err(Failure::Usage(format!("--out: {name} is a directory; name the file to write in it")))
            }
            Ok(found) if !found.is_file() => Ok(Self::Stream(path)),
            Ok(found) if found.len() == 0 => Ok(Self::File(directory, path)),
            Ok(_) => {
                let mut beginning = Vec::new();
                let file = File::open(&path).map_err(unwritable)?;
                file.take(OPENING.len() as u64).read_to_end(&mut beginning).map_err(unwritable)?;
                if beginning == OPENING.as_bytes() {
                    return Ok(Self::File(directory, path));
                }
                Err(Failure::Usage(format!(
                    "--out: {name} exists and is not a page of rtauth audit report, so it is left alone; move it away, or name another file"
                )))
            }
        }
    }

    /// Writes the page; a file has either all of it, or what it had before.
    pub(super) fn write(&self, page: &str) -> Result<(), Failure> {
        match self {
            Self::StandardOutput => match io::stdout().write_all(page.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(Failure::Operation(format!("standard output can't be written: {error}")))
                }
                _ => Ok(()),
            },
            Self::Stream(path) => fs::write(path, page).map_err(|error| unwritable(path, &error)),
            Self::File(directory, path) => {
                let replaced = || {
                    let mut file =
                        tempfile::Builder::new().prefix(".rtauth-report-").tempfile_in(directory)?;
                    file.write_all(page.as_bytes())?;
                    file.as_file().sync_all()?;
                    file.persist(path).map_err(|failed| failed.error)
                };
                replaced().map(drop).map_err(|error| unwritable(path, &error))
            }
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Operation(format!("--out: {} can't be written: {error}", path.display()))
}
