//! Profiles: flags of `rtauth connect` and `rtauth token` by name, from a configuration file.

mod entry;
mod instead;
mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory as _};
use toml::{Table, Value};

use self::entry::Entries;
pub(crate) use self::reference::Reference;
use crate::args::Arguments;
use crate::exit::Failure;
use crate::{environment, files};

/// Which profile.
#[derive(Debug, Args)]
#[command(next_help_heading = "Profile")]
pub(crate) struct ProfileOptions {
    /// Take flags from this profile of the configuration file, [profile.NAME]; those that you give win. Each key is a flag:
    /// url = "wss://…", scope = ["a", "b"], refresh = true. A file is relative to the configuration file. A secret is
    /// named, and never stands there: client-secret = { file = "s.txt" }, { env = "NAME" } or { keyring = { service =
    /// "…", user = "…" } }, which has --timeout to answer.
    ///
    /// Another source takes the place of the profile's as a whole: give another --source, or a file with a credential that
    /// only another source takes, such as --token-file, and of the profile's flags for its source none counts but those of the
    /// way to servers: ca-file, proxy, insecure. Likewise another --grant leaves out what is for the profile's own grant, and another
    /// proof of who the client is, such as --client-key-file, the profile's own.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// The configuration file; by default rtauth/config.toml in $XDG_CONFIG_HOME, else in ~/.config (on Windows in
    /// %APPDATA%).
    #[arg(long, value_name = "FILE", requires = "profile")]
    config: Option<PathBuf>,
}

/// The commands that take flags from a profile.
const COMMANDS: [&str; 2] = ["connect", "token"];

/// A command line, with the flags of the profile that it names ahead of its own.
pub(crate) struct Expanded {
    pub(crate) words: Vec<OsString>,
    /// The profile's flags, without their values, and where it is.
    origin: Option<(BTreeSet<String>, String)>,
}

impl Expanded {
    /// Where the flag stands that is wrong, if that is a profile.
    pub(crate) fn place_of(&self, error: &clap::Error) -> Option<String> {
        let (flags, place) = self.origin.as_ref()?;
        let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
        let flag = argument.split([' ', '=']).next()?;
        flags.contains(flag).then(|| format!("{flag} stands in {place}"))
    }
}

/// Adds the flags of the profile that a command line names.
pub(crate) fn expanded(given: Vec<OsString>) -> Result<Expanded, (&'static str, Failure)> {
    let command = COMMANDS.into_iter().find(|command| given.get(1).is_some_and(|word| word == command));
    let Some(command) = command else { return Ok(Expanded { words: given, origin: None }) };
    let said = Said::of(given.get(2..).unwrap_or_default());
    let Some(profile) = said.profile.filter(|_| !said.asks_for_help) else {
        return Ok(Expanded { words: given, origin: None });
    };
    let path = said.config.map_or_else(default_path, Ok).map_err(|failure| (command, failure))?;
    let flags = read(command, &profile, &path, &said.flags).map_err(|failure| (command, failure))?;
    let names = flags.iter().filter_map(|flag| Some(flag.to_str()?.split('=').next()?.to_owned()));
    let origin = Some((names.collect(), format!("[profile.{profile}] of {}", path.display())));
    let mut words = given;
    words.splice(2..2, flags);
    Ok(Expanded { words, origin })
}

/// What stands on the command line.
#[derive(Default)]
struct Said {
    profile: Option<String>,
    config: Option<PathBuf>,
    asks_for_help: bool,
    flags: Flags,
}

/// The flags of a command line; what stands behind it, for those that choose a source.
type Flags = BTreeMap<String, Option<String>>;

impl Said {
    /// No flag but --send takes a value that begins with two dashes, unless behind an equals sign.
    fn of(words: &[OsString]) -> Self {
        let mut said = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else { continue };
            if text == "--" {
                break;
            }
            said.asks_for_help |= text == "-h" || text == "--help";
            let Some(flag) = text.strip_prefix("--") else { continue };
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(OsString::from(value))),
                None => (flag, None),
            };
            let mut value = || value.clone().or_else(|| words.next().cloned());
            let text = |value: Option<OsString>| value.map(|value| value.to_string_lossy().into_owned());
            let mut known = None;
            match flag {
                "profile" => said.profile = text(value()),
                "config" => said.config = value().map(PathBuf::from),
                "source" | "grant" => known = text(value()),
                // A message may look like a flag.
                "send" => drop(value()),
                _ => {}
            }
            said.flags.insert(flag.to_owned(), known);
        }
        said
    }
}

fn read(command: &str, profile: &str, path: &Path, said: &Flags) -> Result<Vec<OsString>, Failure> {
    if !path.exists() {
        let text = format!(
            "{}: there is no such file; rtauth connect --help shows what stands in one",
            path.display()
        );
        return Err(Failure::Usage(text));
    }
    let text = files::text(path)?;
    let wrong = |text: String| Failure::Usage(format!("{}: {text}", path.display()));
    // The place and the reason, without the text itself: a secret may stand there that does not belong there.
    let table: Table = toml::from_str(&text).map_err(|error| {
        let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
        wrong(format!("line {} is wrong: {}", before.matches('\n').count() + 1, error.message()))
    })?;
    if let Some(other) = table.keys().find(|key| *key != "profile") {
        return Err(wrong(format!("{other:?} is unknown; a profile is a table [profile.NAME]")));
    }
    let Some(Value::Table(profiles)) = table.get("profile") else {
        return Err(wrong("there is no profile; add a table [profile.NAME]".to_owned()));
    };
    let Some(Value::Table(entries)) = profiles.get(profile) else {
        let names: Vec<_> = profiles.keys().map(String::as_str).collect();
        let text = format!("there is no profile {profile:?}; it has {}", names.join(", "));
        return Err(wrong(text));
    };
    let arguments = Arguments::command();
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let reader = Entries { folder, command, arguments: &arguments, said };
    reader.flags(entries).map_err(|problem| wrong(format!("[profile.{profile}]: {problem}")))
}

fn default_path() -> Result<PathBuf, Failure> {
    let folder = if cfg!(windows) {
        environment::variable("APPDATA").map(PathBuf::from)
    } else {
        let home = || environment::variable("HOME").map(|home| Path::new(&home).join(".config"));
        // A path that is not absolute is to be ignored (XDG Base Directory Specification).
        let named = environment::variable("XDG_CONFIG_HOME").map(PathBuf::from);
        named.filter(|folder| folder.is_absolute()).or_else(home)
    };
    let folder = folder.ok_or_else(|| {
        Failure::Usage(
            "there is no folder for a configuration file; name the file by --config FILE".to_owned(),
        )
    })?;
    Ok(folder.join("rtauth").join("config.toml"))
}
