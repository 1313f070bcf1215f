//! The audit log that a command writes while it runs.

use std::path::Path;

use audit::checkpoint::SigningKey;
use audit::{LogOptions, Trail};

use crate::exit::{Failure, complain};
use crate::source::Secrets;

/// The key that seals the log, from the file that `--audit-key-file` names, if it does.
pub(crate) fn key(file: Option<&Path>, secrets: &mut Secrets) -> Result<Option<SigningKey>, Failure> {
    const FLAG: &str = "--audit-key-file";
    let Some(path) = file else { return Ok(None) };
    let key = secrets.read(FLAG, path)?.expose().parse::<SigningKey>();
    key.map(Some).map_err(|error| Failure::Usage(format!("{FLAG}: {error}; rtauth audit key makes one")))
}

/// Opens the log in a directory, sealed by the key, if there is one.
pub(crate) fn open(directory: &Path, key: Option<SigningKey>) -> Result<Trail, Failure> {
    let mut options = LogOptions::new(directory);
    if let Some(key) = key {
        options = options.signing_key(key);
    }
    let opened = Trail::builder().log(options).on_fault(|text| complain("--audit", text)).open();
    opened.map_err(|error| Failure::Usage(format!("--audit: {}: {error}", directory.display())))
}

/// Writes out what is left, and tells of what is missing.
pub(crate) fn close(trail: &Trail) -> Result<(), Failure> {
    let summary = trail.close();
    let missing = summary.dropped + summary.failed;
    if missing == 0 {
        return Ok(());
    }
    Err(Failure::Operation(format!("{missing} events are missing in the audit log; check its disk")))
}
