//! What commands read: files, and standard input under the name `-`, never without a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use auth_core::Secret;

use crate::exit::Failure;

/// The most bytes that are read of a file: no configuration, key set or token is larger.
const MOST: u64 = 1024 * 1024;

/// A text.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    let name = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    read.map_err(|error| Failure::Usage(format!("{name} can't be read: {error}")))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::Usage(format!("{name} is longer than 1 MiB; is it the right one?")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::Usage(format!("{name} is not UTF-8 text")))
}

/// A secret: the text without the line end that editors add.
pub(crate) fn secret(path: &Path) -> Result<Secret, Failure> {
    let mut text = text(path)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(Failure::Usage(format!("{} is empty; it must hold the secret", path.display())));
    }
    Ok(Secret::from(text))
}
