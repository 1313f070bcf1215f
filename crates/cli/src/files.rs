//! What commands read: files, and standard input under the name `-`, never without a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use auth_core::Secret;

use crate::exit::Failure;
use crate::profile::Reference;

/// The most bytes that are read: no configuration, key set or token is larger.
const MOST: u64 = 1024 * 1024;

/// How long a keyring has to answer, where nobody says.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    if let Some(elsewhere) = Reference::of(path) {
        return elsewhere.read(PATIENCE);
    }
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => read(file, &name),
        Err(error) => Err(unreadable(&name, &error)),
    }
}

/// The secret in a file: its one line without the line end that editors add.
pub(crate) fn secret(path: &Path) -> Result<Secret, Failure> {
    secret_of(text(path)?, &name(path))
}

/// The same, or standard input under the name `-`.
pub(crate) fn secret_or_stdin(path: &Path) -> Result<Secret, Failure> {
    in_one_line(lines_or_stdin(path)?, &name(path))
}

/// A secret of several lines, such as a key: all of the file, or of standard input under the name `-`.
pub(crate) fn lines_or_stdin(path: &Path) -> Result<Secret, Failure> {
    let name = name(path);
    let text = if path == Path::new("-") { read(io::stdin().lock(), &name)? } else { text(path)? };
    lines_of(text, &name)
}

/// What a file is called in messages.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    Reference::of(path).map_or_else(|| path.display().to_string(), |elsewhere| elsewhere.name())
}

/// The secret in a text from the place of this name.
pub(crate) fn secret_of(text: String, name: &str) -> Result<Secret, Failure> {
    in_one_line(lines_of(text, name)?, name)
}

/// The secret of several lines in a text from the place of this name.
pub(crate) fn lines_of(mut text: String, name: &str) -> Result<Secret, Failure> {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(Failure::Usage(format!("{name} is empty; it must hold the secret")));
    }
    if text.starts_with('\u{feff}') {
        let text =
            "begins with a byte order mark, which is no part of the secret; save it as UTF-8 without one";
        return Err(Failure::Usage(format!("{name} {text}")));
    }
    if text.contains('\0') {
        return Err(Failure::Usage(format!("{name} has a zero byte in it; is it a text file?")));
    }
    Ok(Secret::from(text))
}

/// A secret that has no line end in it: no password, token or key of one line does.
pub(crate) fn in_one_line(secret: Secret, name: &str) -> Result<Secret, Failure> {
    if secret.expose().contains(['\r', '\n']) {
        let text = "has several lines; it must hold the secret alone, in one line";
        return Err(Failure::Usage(format!("{name} {text}")));
    }
    Ok(secret)
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
