//! Which flags stood on the command line, and whether the source that was chosen takes them.

use std::collections::BTreeSet;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::options::{SourceKind, name};
use crate::exit::Failure;

/// The names of the flags that were given. It stands first in its group: what is parsed after it is gone from the matches.
#[derive(Debug)]
pub(crate) struct Given(BTreeSet<String>);

/// The name of a flag, and the sources that take it.
pub(crate) type Flag = (&'static str, &'static [SourceKind]);

impl Given {
    /// Refuses flags that the source does not take: they would not be heeded.
    pub(crate) fn check(&self, kind: SourceKind, flags: &[Flag]) -> Result<(), Failure> {
        let foreign = flags.iter().find(|(flag, owners)| self.0.contains(*flag) && !owners.contains(&kind));
        let Some((flag, owners)) = foreign else { return Ok(()) };
        let kind = match (kind, reason(kind, flag)) {
            (kind, None) => name(kind),
            (kind, Some(reason)) => {
                let text = format!("--{flag} is not for --source {}, {reason}; leave it out", name(kind));
                return Err(Failure::Usage(text));
            }
        };
        let owners: Vec<_> = owners.iter().copied().map(name).collect();
        let (all, first) = (owners.join(" or "), owners.first().map_or("", String::as_str));
        let text =
            format!("--{flag} is for --source {all}, not for {kind}; leave it out, or say --source {first}");
        Err(Failure::Usage(text))
    }
}

/// Why a source keeps no tokens.
fn reason(kind: SourceKind, flag: &str) -> Option<&'static str> {
    match (kind, flag) {
        (SourceKind::Static, "store" | "lead" | "refresh") => Some("whose token is as it is"),
        (SourceKind::Optave, "store" | "lead" | "refresh") => {
            Some("each token of which opens one connection, so that there is none to keep or to renew")
        }
        _ => None,
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.ids().filter(|id| {
            matches.value_source(id.as_str()).is_some_and(|source| source == ValueSource::CommandLine)
        });
        // Flags are called like their fields.
        Ok(Self(given.map(|id| id.as_str().replace('_', "-")).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
