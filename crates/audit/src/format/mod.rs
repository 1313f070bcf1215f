//! The same record in the words of whoever receives it: the log's own JSON, and the formats of SIEMs.
//!
//! ```
//! use audit::format::{Format, Origin, Renderer};
//! use audit::{Entry, Event};
//! use auth_core::AuthEvent;
//! use auth_core::time::Timestamp;
//!
//! let renderer = Renderer::new(Format::Cef, Origin::new("gw-1", "gateway").with_version("1.0"));
//! let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
//! let record = renderer.render(&Entry::new(7, Timestamp::from_millis(0), None, event));
//! assert!(record.starts_with("CEF:0|realtime-auth|gateway|1.0|session_closed|Session Closed|3|rt=0 "));
//! ```
//!
//! # Where fields go
//!
//! What is not in this table keeps its name in the log, under `rtauth` in ECS, `unmapped` in OCSF, `metadata` in the Genesys document's
//! entry, with `rtauth` before it in CEF, and as it is in RFC 5424 and Splunk's `event`.
//!
//! | In the log | ECS | OCSF | CEF | RFC 5424 | Genesys |
//! | --- | --- | --- | --- | --- | --- |
//! | `time` | `@timestamp` | `time` (ms) | `rt` (ms) | TIMESTAMP | `timestamp` |
//! | `event` | `event.action` | `metadata.event_code` | signature, `act` | MSGID | `event_type` |
//! | `seq` | `event.sequence` | `metadata.sequence` | `cn3` | `seq` | |
//! | its UUID | `event.id` | `metadata.uid` | `externalId` | `id` | `id` |
//! | `session` | `rtauth.session` | `unmapped.session` | `cs6` | `session` | |
//! | `client_id` | `user.id`, `related.user` | `user.uid` | `suser` | | |
//! | `key_name` | | `user.credential_uid` | `cs1` | | |
//! | `peer` | `client.ip`, `.port`, `related.ip` | `src_endpoint.ip`, `.port` | `src`, `spt` | `src`, `spt` | |
//! | `session_id` | | `session.uid` | `cs4` | | |
//! | `token` | | `session.credential_uid` | `cs5` | | |
//! | `reason`, `kind` | `event.reason`, `error.type` | `status_detail` | `reason` | | |
//! | `code` | `error.code`, or `event.code` | `status_code` | `cn2` | | |
//! | `latency_ms`, `took_ms`, `lasted_ms` | `event.duration` (ns) | `duration` (ms) | `cn1` (ms) | | `latency_ms` of attempts that were let in |
//! | `required`, `missing` | | `privileges`, `unmapped.missing` | `cs3`, `cs2` | | |
//! | host, program, process | `host.hostname`, `event.provider`, `process.pid` | `metadata.reporter`, `.product`, `unmapped.process_id` | `dvchost`, product, `dvcpid` | HOST, APP-NAME, PROCID | of SIEM events `metadata.host`, `source`, `metadata.process_id` |
//! | `application`, `version` of `trail_opened` | | `app.name`, `app.version` | | | |
//! | `host`, `process_id` of `trail_opened` | | | | | of SIEM events `metadata.host`, `metadata.process_id`, where it has them |
//! | service | `service.name` | `service.name`, `dst_endpoint.svc_name` | `destinationServiceName` | `service` | |
//!
//! The UUID (version 8) comes from the record, the host and the program, so a receiver that gets a record twice can tell. The document's
//! `success_rate` is in per cent of the attempts that this renderer has rendered, and 100 before the first; `avg_latency_ms` is of those that were
//! let in, and `null` before the first. An attempt is a connection that was let in, or was not,
//! or for which no token could be had; its `event_type` is `authentication_attempt`.
//!
//! # What events are
//!
//! The RFC's number is PRI: facility 10 (authpriv) times 8, plus the severity.
//!

#![doc = include_str!("events.md")]

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
pub(crate) use self::generic::{Attempt, ratio, success_rate};
pub use self::meaning::Weight;
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

    /// A record of the log whose event is not known here, as a later version may write it: [`Format::Json`] has it as it is, without its
    /// hashes. `None` in every other format, which has to know what an event means, and for what is no record.
    ///
    /// ```
    /// use audit::format::{Format, Origin, Renderer};
    ///
    /// let line = r#"{"seq":1,"time":"2030-01-01T00:00:00.000Z","event":"later","prev":"00","hash":"11"}"#;
    /// let json = Renderer::new(Format::Json, Origin::new("gw-1", "gateway")).render_unknown(line);
    /// assert_eq!(json.as_deref(), Some(r#"{"seq":1,"time":"2030-01-01T00:00:00.000Z","event":"later"}"#));
    /// ```
    #[must_use]
    pub fn render_unknown(&self, line: &str) -> Option<String> {
        let is_json = self.format == Format::Json;
        is_json.then(|| json::without_hashes(line)).flatten().map(|record| escaped(&record).into_owned())
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

/// The same JSON without a character that would act upon a terminal, end a line, or turn text about: JSON lets some of these stand as they
/// are in its texts, where they are escaped instead.
///
/// ```
/// assert_eq!(audit::format::escaped("{\"session\":\"a\u{9b}2J\"}"), r#"{"session":"a\u009b2J"}"#);
/// ```
#[must_use]
pub fn escaped(json: &str) -> Cow<'_, str> {
    let is_unsafe = |character: char| {
        let turns = '\u{202a}'..='\u{202e}';
        let isolates = '\u{2066}'..='\u{2069}';
        let marks = ['\u{61c}', '\u{200e}', '\u{200f}'];
        is_unsafe(character)
            || turns.contains(&character)
            || isolates.contains(&character)
            || marks.contains(&character)
    };
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
