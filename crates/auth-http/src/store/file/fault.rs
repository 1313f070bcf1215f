//! What a person reads when a file store fails: the step, the path, and what to do; never what a file holds.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use auth_core::renewal::InvalidRecord;
use auth_core::{Error, ErrorKind, Retry};

/// An error of the operating system, at one step.
pub(super) fn failed(step: &str, path: &Path, error: io::Error) -> Error {
    let message = format!("can't {step} {}: {}", path.display(), advice(error.kind()));
    Error::new(ErrorKind::StoreFailed, message).with_source(error)
}

/// What a person has to change first.
pub(super) fn misconfigured(message: String) -> Error {
    Error::new(ErrorKind::Misconfigured, message)
}

/// A record that can't be read, and stays where it is.
pub(super) fn unreadable(path: &Path, invalid: InvalidRecord) -> Error {
    let path = path.display();
    match invalid {
        InvalidRecord::NewerVersion { .. } => misconfigured(format!(
            "{path} was written by a newer release, and is left as it is; upgrade this program, or give it another path"
        )),
        InvalidRecord::TooLarge | InvalidRecord::Malformed { .. } => Error::new(
            ErrorKind::StoreFailed,
            format!("{path} can't be read; whoever next holds its lock moves it aside, or restore it from a copy"),
        ),
    }
    .with_source(invalid)
}

/// Something else of somebody's.
pub(super) fn no_store(path: &Path) -> Error {
    misconfigured(format!(
        "{} holds something else than tokens, and is left as it is; give the tokens a path of their own",
        path.display()
    ))
}

/// A record that could not be read, and was moved out of the way.
pub(super) fn moved_aside(path: &Path, aside: &Path, invalid: InvalidRecord) -> Error {
    let message = format!(
        "{} could not be read and is now {}; log in again, or repair it and move it back",
        path.display(),
        aside.display()
    );
    // Another try finds nothing, and must not pass for a store that never held anything.
    Error::new(ErrorKind::StoreFailed, message).with_retry(Retry::Never).with_source(invalid)
}

/// Refuses a file that others than its owner may open. Where there are no modes, the directory's rights decide.
#[cfg(unix)]
pub(super) fn refuse_if_shared(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(misconfigured(format!(
        "others may open {path} (mode {mode:03o}); run `chmod 600 {path}`, and log in again if they may have read it"
    )))
}

#[cfg(not(unix))]
pub(super) fn refuse_if_shared(_path: &Path, _metadata: &Metadata) -> Result<(), Error> {
    Ok(())
}

/// What to do about it.
fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull => "the disk is full; free some space",
        io::ErrorKind::QuotaExceeded => "the user's share of the disk is used up; free some space",
        io::ErrorKind::PermissionDenied => {
            "permission denied; let this user write to the file and its directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only; use another directory",
        io::ErrorKind::NotFound => "it is gone; make sure that its directory exists",
        io::ErrorKind::Unsupported => "the file system does not offer this; use a directory on a local disk",
        _ => "check the disk and the file system",
    }
}
