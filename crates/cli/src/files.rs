//! What commands read: files, and standard input under the name `-`, never without a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use auth_core::Secret;

use crate::exit::Failure;

/// The most bytes that are read: no configuration, key set or token is larger.
const MOST: u64 = 1024 * 1024;

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => read(file, &name),
        Err(error) => Err(unreadable(&name, &error)),
    }
}

/// The secret in a file: its text without the line end that editors add.
pub(crate) fn secret(path: &Path) -> Result<Secret, Failure> {
    secret_of(text(path)?, &path.to_string_lossy())
}

/// The same, or standard input under the name `-`.
pub(crate) fn secret_or_stdin(path: &Path) -> Result<Secret, Failure> {
    if path == Path::new("-") {
        let name = "standard input";
        return secret_of(read(io::stdin().lock(), name)?, name);
    }
    secret(path)
}

fn secret_of(mut text: String, name: &str) -> Result<Secret, Failure> {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(Failure::Usage(format!("{name} is empty; it must hold the secret")));
    }
    Ok(Secret::from(text))
}

fn read(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::Usage(format!("{name} is longer than 1 MiB; is it the right one?")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::Usage(format!("{name} is not UTF-8 text")))
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::Usage(format!("{name} can't be read: {error}"))
}
