//! The same record in the words of whoever receives it: the log's own JSON, and the formats of SIEMs.

mod cef;
mod ecs;
mod fields;
mod generic;
mod hec;
mod id;
mod json;
mod line;
mod meaning;
mod ocsf;
mod origin;
mod syslog;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use self::fields::is_unsafe;
pub use self::origin::{DOCUMENTATION_ENTERPRISE_NUMBER, Origin};
use crate::entry::Entry;

/// A format that records can be rendered in.
///
/// Displays as, and is read from, its name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The log's own record, without the hashes that chain it.
    Json,
    /// The audit entry of the Genesys document.
    Generic,
    /// The SIEM event of the Genesys document.
    Siem,
    /// The Elastic Common Schema, 9.4.
    Ecs,
    /// The Open Cybersecurity Schema Framework, 1.8.0.
    Ocsf,
    /// The Common Event Format, version 0.
    Cef,
    /// RFC 5424, without framing.
    Syslog,
    /// The event object of Splunk's HTTP Event Collector.
    Hec,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Json, Self::Generic, Self::Siem, Self::Ecs, Self::Ocsf, Self::Cef, Self::Syslog, Self::Hec];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Generic => "generic",
            Self::Siem => "siem",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
            Self::Syslog => "syslog",
            Self::Hec => "hec",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or(UnknownFormat)
    }
}

/// A name that no format has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no format has this name: choose json, generic, siem, ecs, ocsf, cef, syslog or hec")]
pub struct UnknownFormat;

/// Renders entries in one format, as one origin.
///
/// Each rendering is one line: it holds no control character, whatever the event holds. What a receiver sends between records (a line
/// end, a count of octets) is for whoever sends them.
///
/// The same entry gives the same text, whenever and wherever it is rendered, except for the running totals of [`Format::Generic`]
/// and [`Format::Siem`], which count what this renderer has rendered.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    origin: Origin,
    totals: Mutex<generic::Totals>,
}

impl Renderer {
    /// A renderer whose totals are zero.
    #[must_use]
    pub fn new(format: Format, origin: Origin) -> Self {
        Self { format, origin, totals: Mutex::default() }
    }

    /// The format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Who speaks.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// `entry` in this format: one line, without its end.
    #[must_use]
    pub fn render(&self, entry: &Entry) -> String {
        let origin = &self.origin;
        let id = || id::uuid(entry, origin);
        let text = match self.format {
            Format::Json => json::render(entry),
            Format::Generic | Format::Siem => {
                let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
                generic::render(entry, origin, &id(), &mut totals, self.format == Format::Siem)
            }
            Format::Ecs => ecs::render(entry, origin, &id()),
            Format::Ocsf => ocsf::render(entry, origin, &id()),
            Format::Hec => hec::render(entry, origin, &id()),
            Format::Cef => return cef::render(entry, origin, &id()),
            Format::Syslog => return syslog::render(entry, origin, &id()),
        };
        match escaped(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(escaped) => escaped,
        }
    }
}

/// JSON lets some unsafe characters stand as they are: they are escaped too.
fn escaped(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unsafe(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests;
