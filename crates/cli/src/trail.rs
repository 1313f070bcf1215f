//! The audit log that a command writes while it runs.

use std::path::Path;

use audit::checkpoint::SigningKey;
use audit::{LogOptions, Trail};

use crate::exit::Failure;
use crate::files;

/// Opens the log in a directory, if one is named, sealed by the key in a file, if there is one.
pub(crate) fn open(directory: Option<&Path>, key_file: Option<&Path>) -> Result<Option<Trail>, Failure> {
    let Some(directory) = directory else { return Ok(None) };
    let mut options = LogOptions::new(directory);
    if let Some(path) = key_file {
        let key = files::secret_or_stdin(path)?.expose().parse::<SigningKey>();
        let key = key.map_err(|error| {
            Failure::Usage(format!("--audit-key-file: {error}; rtauth audit key makes one"))
        })?;
        options = options.signing_key(key);
    }
    let opened = Trail::builder().log(options).open();
    let failed = |error| Failure::Usage(format!("--audit: {}: {error}", directory.display()));
    opened.map(Some).map_err(failed)
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
