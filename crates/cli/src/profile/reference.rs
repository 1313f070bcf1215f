//! Secrets that are elsewhere: in a file, in the environment, or in the system's keyring.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

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

    /// What is there. The keyring has this long to say so: it may be locked, and wait for somebody to unlock it.
    pub(crate) fn read(&self, patience: Duration) -> Result<String, Failure> {
        match self {
            Self::File(file) => crate::files::text(Path::new(file)),
            Self::Env(name) => environment::secret(name)?
                .ok_or_else(|| Failure::Usage(format!("the environment variable {name} is not set"))),
            Self::Keyring { service, user } => keyring(service, user, patience),
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
fn keyring(service: &str, user: &str, patience: Duration) -> Result<String, Failure> {
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
    let asked = answer(command, patience).map_err(|error| {
        if error.kind() == io::ErrorKind::TimedOut {
            let seconds = patience.as_secs_f64();
            return Failure::TimedOut(format!(
                "the keyring has not answered in {seconds} s; it may be locked and ask for its password elsewhere: unlock it, raise \
                 --timeout, or use {{ file = … }} or {{ env = … }}"
            ));
        }
        let why = match error.kind() {
            io::ErrorKind::NotFound => format!("there is no {program} ({package})"),
            _ => format!("{program} can't be run: {error}"),
        };
        Failure::Usage(format!("the keyring can't be asked: {why}; or use {{ file = … }} or {{ env = … }}"))
    })?;
    let Some(text) = asked.filter(|text| !text.is_empty()) else {
        let store = if cfg!(target_os = "macos") {
            format!("security add-generic-password -s {service} -a {user} -w")
        } else {
            format!("secret-tool store --label=rtauth service {service} username {user}")
        };
        return Err(Failure::Usage(format!(
            "the keyring has no secret of {user} for {service}, is locked, or there is none; put it there by: {store}"
        )));
    };
    String::from_utf8(text).map_err(|_| {
        Failure::Usage(format!("the keyring's secret of {user} for {service} is not UTF-8 text"))
    })
}

/// What a program writes, if it ends well and in time; one that does not is ended.
///
/// # Errors
///
/// [`TimedOut`](io::ErrorKind::TimedOut), or why it can't be run.
#[expect(clippy::disallowed_methods, reason = "a pipe can't be read for a limited time otherwise")]
fn answer(mut command: Command, patience: Duration) -> io::Result<Option<Vec<u8>>> {
    let mut child = command.spawn()?;
    let (tell, told) = mpsc::channel();
    let output = child.stdout.take();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.map_or(Ok(0), |output| output.take(MOST).read_to_end(&mut text));
        // Whoever no longer waits for it does not want to know.
        let _ = tell.send(read.map(|_| text));
    });
    let answered = told.recv_timeout(patience);
    let status = if answered.is_ok() { ended(&mut child)? } else { None };
    let (Ok(text), Some(status)) = (answered, status) else {
        // It may have ended by itself just now.
        let _ = child.kill();
        child.wait()?;
        return Err(io::ErrorKind::TimedOut.into());
    };
    let text = text?;
    Ok(status.success().then_some(text))
}

/// How a program ended that has no more to say; `None` if it does not end.
fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    for _ in 0..200 {
        let status = child.try_wait()?;
        if status.is_some() {
            return Ok(status);
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    Ok(None)
}

/// The most bytes that are read: no secret is larger.
const MOST: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_program_that_does_not_answer_in_time_is_ended() {
        let shell = |script: &str, patience| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
            answer(command, patience).map_err(|error| error.kind())
        };
        let long = Duration::from_secs(600);
        assert_eq!(shell("exec sleep 600", Duration::from_millis(50)), Err(io::ErrorKind::TimedOut));
        assert_eq!(shell("printf a; sleep 0.1; printf b", long), Ok(Some(b"ab".to_vec())));
        assert_eq!(shell("printf a; exit 1", long), Ok(None));
        assert_eq!(
            shell("exec >&-; exec sleep 600", long),
            Err(io::ErrorKind::TimedOut),
            "it has no more to say"
        );
        assert_eq!(
            answer(Command::new("/nowhere/at/all"), long).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

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
