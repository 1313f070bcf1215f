//! An entry of a profile as flags: what each key may hold, and that no secret stands there.

use std::ffi::OsString;
use std::path::Path;

use clap::{ArgAction, Command};
use toml::{Table, Value};

use super::Flags;
use super::instead::Instead;
use super::reference::Reference;
use crate::source::SECRET_HEADERS;

/// Makes flags of entries.
pub(super) struct Entries<'a> {
    /// What files are relative to.
    pub(super) folder: &'a Path,
    pub(super) command: &'a str,
    pub(super) arguments: &'a Command,
    /// Flags of the command line, which win.
    pub(super) said: &'a Flags,
}

/// Flags whose file holds a secret: without `-file`, their keys name one otherwise.
pub(super) const SECRETS: [&str; 15] = [
    "token",
    "client-secret",
    "client-key",
    "client-certificate-key",
    "refresh-token",
    "assertion",
    "assertion-key",
    "audit-key",
    "fingerprint-key",
    "subject-token",
    "actor-token",
    "dpop-key",
    "key",
    "security-token",
    "password",
];

/// Flags of a name and a file, which holds a secret.
const NAMED_SECRETS: [&str; 3] = ["header-file", "param-file", "ws-header-file"];

/// Flags that name a file, besides those that say so.
const FILES: [&str; 2] = ["store", "audit"];

/// The flag of a key.
pub(super) fn flag_of(key: &str) -> String {
    let key = key.replace('_', "-");
    if SECRETS.contains(&key.as_str()) { format!("{key}-file") } else { key }
}

impl Entries<'_> {
    /// The flags of a profile, those aside that stand on the command line or that the command does not take.
    pub(super) fn flags(&self, entries: &Table) -> Result<Vec<OsString>, String> {
        let instead = Instead::of(self.said, entries);
        let mut flags: Vec<_> = instead.source().map(OsString::from).into_iter().collect();
        for (key, value) in entries {
            let key = key.replace('_', "-");
            let flag = flag_of(&key);
            let action = self.action(&flag).ok_or_else(|| {
                format!("{key:?} is no flag of rtauth connect or rtauth token, by which keys are called")
            })?;
            let values = self.values(&key, &flag, value)?;
            let has_list = matches!(action, ArgAction::Append);
            if values.len() > 1 && !has_list {
                return Err(format!("{key:?} has one value"));
            }
            if matches!(action, ArgAction::SetTrue) {
                match value {
                    Value::Boolean(_) => {}
                    _ => return Err(format!("{key:?} is true or false")),
                }
            }
            if instead.leaves_out(&flag) || self.taken(self.command, &flag).is_none() {
                continue;
            }
            match (action, value) {
                (ArgAction::SetTrue, Value::Boolean(true)) => flags.push(format!("--{flag}").into()),
                (ArgAction::SetTrue, _) => {}
                _ => flags.extend(values.into_iter().map(|value| {
                    let mut word = OsString::from(format!("--{flag}="));
                    word.push(value);
                    word
                })),
            }
        }
        Ok(flags)
    }

    /// What a flag does, if either command has it.
    fn action(&self, flag: &str) -> Option<ArgAction> {
        if ["profile", "config", "help", "version"].contains(&flag) {
            return None;
        }
        super::COMMANDS.into_iter().find_map(|command| self.taken(command, flag))
    }

    fn taken(&self, command: &str, flag: &str) -> Option<ArgAction> {
        let command = self.arguments.find_subcommand(command)?;
        let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag))?;
        Some(argument.get_action().clone())
    }

    fn values(&self, key: &str, flag: &str, value: &Value) -> Result<Vec<OsString>, String> {
        match value {
            Value::Table(named) if NAMED_SECRETS.contains(&flag) => {
                let secret = |(name, value): (&String, &Value)| {
                    let mut word = OsString::from(format!("{name}="));
                    word.push(self.secret(key, value, true)?);
                    Ok(word)
                };
                named.iter().map(secret).collect()
            }
            Value::Array(values) => values.iter().map(|value| self.value(key, flag, value)).collect(),
            value => Ok(vec![self.value(key, flag, value)?]),
        }
    }

    fn value(&self, key: &str, flag: &str, value: &Value) -> Result<OsString, String> {
        let is_secret = flag.strip_suffix("-file").is_some_and(|name| SECRETS.contains(&name));
        if is_secret {
            return self.secret(key, value, key == flag);
        }
        match value {
            Value::String(text) if flag == "header" || flag == "ws-header" => {
                let name = text.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
                if SECRET_HEADERS.contains(&name.as_str()) {
                    return Err(format!(
                        "the value of {name} is a secret, which does not stand here; {ADVICE}"
                    ));
                }
                Ok(text.into())
            }
            Value::String(text) if NAMED_SECRETS.contains(&flag) => match text.split_once('=') {
                Some((name, file)) => {
                    let mut word = OsString::from(format!("{name}="));
                    word.push(self.file(file));
                    Ok(word)
                }
                None => Err(format!("{key:?} has names and files: {key} = [\"NAME=FILE\"]")),
            },
            Value::String(text) if flag.ends_with("-file") || FILES.contains(&flag) => Ok(self.file(text)),
            Value::String(text) => Ok(text.into()),
            Value::Integer(number) => Ok(number.to_string().into()),
            Value::Float(number) => Ok(number.to_string().into()),
            Value::Boolean(word) => Ok(word.to_string().into()),
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                Err(format!("{key:?} is a text, a number, true or false, or a list of such"))
            }
        }
    }

    /// Where a secret is. A text is one only where it names a file.
    fn secret(&self, key: &str, value: &Value, may_be_file: bool) -> Result<OsString, String> {
        match value {
            Value::String(file) if may_be_file => Ok(self.file(file)),
            Value::Table(table) => match Reference::parse(table) {
                Some(Reference::File(file)) => Ok(self.file(&file)),
                Some(reference) => Ok(reference.word()),
                None => Err(format!("{key:?} is a secret; {ADVICE}")),
            },
            _ => Err(format!(
                "{key:?} is a secret, which does not stand here, where copies and backups take it along; {ADVICE}"
            )),
        }
    }

    fn file(&self, file: &str) -> OsString {
        if file == "-" { file.into() } else { self.folder.join(file).into() }
    }
}

const ADVICE: &str =
    "name its place by { file = \"…\" }, { env = \"…\" } or { keyring = { service = \"…\", user = \"…\" } }";
