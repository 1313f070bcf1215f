//! Secrets that are elsewhere: in a file, in the environment, or in the system's keyring.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use toml::{Table, Value};

use crate::environment;
use crate::exit::Failure;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// In a file, which flags name as they do.
    File(String),
    /// In an environment variable.
    Env(String),
    /// In the system's keyring.
    Keyring { service: String, user: String },
}

/// Stands between the words of a reference where a flag has a file: no path has it in it, and nothing on a command line.
const BETWEEN: char = '\0';

impl Reference {
    /// That of a table with one of the keys `file`, `env` and `keyring`.
    pub(super) fn parse(table: &Table) -> Option<Self> {
        let mut entries = table.iter();
        let (kind, value) = entries.next().filter(|_| table.len() == 1)?;
        match (kind.as_str(), value) {
            ("file", Value::String(file)) => Some(Self::File(file.clone())),
            ("env", Value::String(name)) => Some(Self::Env(word(name)?)),
            ("keyring", Value::Table(entry)) if entry.len() == 2 => {
                let named = |name: &str| word(entry.get(name)?.as_str()?);
                Some(Self::Keyring { service: named("service")?, user: named("user")? })
            }
            _ => None,
        }
    }

    /// What stands for it in the place of a file's name, within this process.
    pub(super) fn word(&self) -> OsString {
        let words = match self {
            Self::File(file) => return file.into(),
            Self::Env(name) => ["", "env", name].join(&BETWEEN.to_string()),
            Self::Keyring { service, user } => ["", "keyring", service, user].join(&BETWEEN.to_string()),
        };
        words.into()
    }

    /// The one that stands in the place of a file's name, if it is not that of a file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let words: Vec<_> = path.to_str()?.split(BETWEEN).collect();
        match words[..] {
            ["", "env", name] => Some(Self::Env(name.to_owned())),
            ["", "keyring", service, user] => {
                Some(Self::Keyring { service: service.to_owned(), user: user.to_owned() })
            }
            _ => None,
        }
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(file) => file.clone(),
            Self::Env(name) => format!("the environment variable {name}"),
            Self::Keyring { service, user } => format!("the keyring's secret of {user} for {service}"),
        }
    }

    /// What is there.
    pub(crate) fn read(&self) -> Result<String, Failure> {
        match self {
            Self::File(file) => crate::files::text(Path::new(file)),
            Self::Env(name) => environment::secret(name)?
                .ok_or_else(|| Failure::Usage(format!("the environment variable {name} is not set"))),
            Self::Keyring { service, user } => keyring(service, user),
        }
    }
}

/// A word that no program would take for an option, nor this one for two.
fn word(text: &str) -> Option<String> {
    let is_one = !text.is_empty() && !text.starts_with('-') && !text.contains(BETWEEN);
    is_one.then(|| text.to_owned())
}

/// Asks the system's keyring by its own program: on Linux that of libsecret, which speaks to whatever keyring the desktop has. A
/// library would be a D-Bus client, with some thirty crates, for one question. The secret comes by a pipe.
fn keyring(service: &str, user: &str) -> Result<String, Failure> {
    let (program, arguments, package): (&str, Vec<&str>, &str) = if cfg!(target_os = "macos") {
        ("security", vec!["find-generic-password", "-w", "-s", service, "-a", user], "part of macOS")
    } else if cfg!(unix) {
        (
            "secret-tool",
            vec!["lookup", "service", service, "username", user],
            "of libsecret: libsecret-tools on Debian",
        )
    } else {
        return Err(Failure::Usage(
            "no keyring of this system can be asked; use { file = … } or { env = … }".to_owned(),
        ));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    for name in environment::SECRETS {
        command.env_remove(name);
    }
    let asked = command.output().map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => format!("there is no {program} ({package})"),
            _ => format!("{program} can't be run: {error}"),
        };
        Failure::Usage(format!("the keyring can't be asked: {why}; or use {{ file = … }} or {{ env = … }}"))
    })?;
    if !asked.status.success() || asked.stdout.is_empty() {
        let store = if cfg!(target_os = "macos") {
            format!("security add-generic-password -s {service} -a {user} -w")
        } else {
            format!("secret-tool store --label=rtauth service {service} username {user}")
        };
        return Err(Failure::Usage(format!(
            "the keyring has no secret of {user} for {service}, is locked, or there is none; put it there by: {store}"
        )));
    }
    String::from_utf8(asked.stdout).map_err(|_| {
        Failure::Usage(format!("the keyring's secret of {user} for {service} is not UTF-8 text"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Reference> {
        Reference::parse(&toml::from_str(text).unwrap())
    }

    #[test]
    fn a_reference_names_one_place() {
        for (text, there) in [
            ("env = 'A'", true),
            ("file = 'a'", true),
            ("keyring = { service = 's', user = 'u' }", true),
            ("", false),
            ("env = 'A'\nfile = 'a'", false),
            ("env = ''", false),
            ("env = 5", false),
            ("vault = 'a'", false),
            ("keyring = { service = 's' }", false),
            ("keyring = { service = 's', user = '-u' }", false),
            ("keyring = { service = 's', user = 'u', more = 'm' }", false),
            ("env = \"A\\u0000B\"", false),
        ] {
            assert_eq!(parsed(text).is_some(), there, "{text}");
        }
    }

    #[test]
    fn what_stands_for_a_reference_is_read_as_one_and_no_path_is() {
        for text in ["env = 'A'", "keyring = { service = 's', user = 'u' }"] {
            let reference = parsed(text).unwrap();
            assert_eq!(Reference::of(Path::new(&reference.word())), Some(reference));
        }
        for path in ["env", "-", "", "/env/A", "keyring"] {
            assert_eq!(Reference::of(Path::new(path)), None, "{path}");
        }
    }
}
