//! One entry of a trail: what happened, when, to which part of the program, and where it stands in the trail.

use auth_core::AuthEvent;
use auth_core::observe::{EventClass, Label};
use auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What happened, with its place in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its number in the trail, from 1, without gaps.
    #[serde(rename = "seq")]
    pub sequence: u64,
    /// When it was observed; of what could only be recorded later, when it happened.
    #[serde(rename = "time")]
    pub at: Timestamp,
    /// The name that the program gave to the session or service that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Label>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What an entry tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "whoever renders entries must know both kinds")]
pub enum Event {
    /// Something that happened to a credential or a connection.
    Auth(AuthEvent),
    /// Something that happened to the trail itself.
    Trail(TrailEvent),
}

/// Something that happened to the trail itself. Serializes as [`AuthEvent`] does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrailEvent {
    /// The first record of each segment of the log.
    SegmentOpened {
        /// The log's name: the origin of its checkpoints.
        origin: Label,
        /// Why a segment begins here.
        reason: SegmentReason,
        /// The sequence number of this record, which names the file.
        first: u64,
        /// The peaks of the Merkle tree of all records before this one, from the largest, in hexadecimal.
        peaks: Vec<String>,
        /// The key that seals the log, as a C2SP verifier key; `None` where nothing does.
        verifier_key: Option<String>,
        /// The version of this library that began it; `None` in a segment of a version that told neither this nor when it was opened
        /// and closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        library_version: Option<Label>,
    },
    /// A program began to write: before the first event that it observed.
    TrailOpened {
        /// The host it runs on, where it was told.
        host: Option<Label>,
        /// Its name: what it was told, or else that of the program's file.
        application: Option<Label>,
        /// The program's version, where it was told.
        version: Option<Label>,
        /// The number of its process.
        process_id: Option<u32>,
        /// The version of this library.
        library_version: Label,
        /// How whoever wrote before came to their end.
        previous_end: PreviousEnd,
        /// How many bytes were cut off that a crash left of records which nobody had been told were safe.
        dropped_bytes: u64,
    },
    /// The program has closed the trail: the last record of it. Where there is none before the next `trail_opened`, it was broken off.
    TrailClosed {
        /// Events that were observed since it was opened: those that were written, dropped and failed.
        observed: u64,
        /// Events that are on record.
        written: u64,
        /// Events for which there was no room, in the queue or on the disk.
        dropped: u64,
        /// Events lost to a failing disk.
        failed: u64,
        /// Those of best effort that are on record.
        best_effort_written: u64,
        /// Those of best effort that are not.
        best_effort_lost: u64,
        /// Durable ones that are on record.
        durable_written: u64,
        /// Durable ones that are not.
        durable_lost: u64,
        /// Strict ones that are on record.
        strict_written: u64,
        /// Strict ones that are not; whoever waited for one was told so.
        strict_lost: u64,
    },
    /// Events were observed that are in no record.
    RecordsDropped {
        /// How many.
        count: u64,
        /// Why.
        reason: DropReason,
    },
    /// What a crash left of a record that nobody had been told was safe was cut off.
    LogRecovered {
        /// How many bytes.
        dropped_bytes: u64,
    },
    /// The disk failed. What was not safe yet is written again after this record.
    LogFault {
        /// What was tried.
        step: LogStep,
        /// The operating system's error number, where there was one.
        code: Option<i32>,
    },
    /// Only for a receiver of events: it was not given some of them.
    EventsDropped {
        /// The first that is missing.
        from_seq: u64,
        /// The last that is missing.
        to_seq: u64,
        /// How many of those between were not delivered.
        count: u64,
    },
    /// Only for a receiver of events that does not acknowledge them: these were on their way to it when the connection broke, and
    /// may or may not have arrived. They are not sent again.
    EventsInDoubt {
        /// The first in doubt.
        from_seq: u64,
        /// The last in doubt.
        to_seq: u64,
        /// How many of those between.
        count: u64,
    },
    /// Only in the log: an event that would make a longer line than a log has, of which no more is on record. The receivers of
    /// events are given it whole, under the same number.
    EventOversized {
        /// Its name in JSON.
        name: Label,
        /// How many bytes it has in JSON.
        bytes: u64,
    },
    /// A checkpoint was signed. Kept elsewhere, it shows whether records were cut off or written anew.
    CheckpointSigned {
        /// How many records it covers.
        size: u64,
        /// The signed note (C2SP tlog-checkpoint), with its line ends.
        note: String,
    },
}

/// Why a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SegmentReason {
    /// The log is new.
    Created,
    /// The one before was full, or old enough.
    Rotated,
    /// Somebody asked for a new file, or had moved the old one away.
    Reopened,
    /// The disk failed in the one before, which may hold records after the last that this one continues.
    Fault,
}

/// How a trail ended before it was opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PreviousEnd {
    /// There was none before: the log is new.
    None,
    /// It was closed.
    Clean,
    /// Nobody closed it: its process crashed or was killed, the power went, or the disk did not take its end.
    BrokenOff,
    /// Nobody can tell: there is no log, or an older version wrote it, which did not say so.
    Unknown,
}

/// Why events are in no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// They came faster than the disk took them.
    QueueFull,
    /// The disk was full.
    DiskFull,
    /// The disk failed.
    DiskFailed,
}

/// What was tried at the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogStep {
    /// Creating or opening a segment.
    Open,
    /// Writing records.
    Write,
    /// Bringing records to the disk.
    Sync,
    /// Bringing the name of a new segment to the disk.
    SyncDirectory,
}

impl Event {
    /// Its name in JSON, under `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Auth(event) => event.name(),
            Self::Trail(event) => event.name(),
        }
    }

    /// The class that decides how safely it is recorded; `None` for the trail's own events, which are always recorded.
    #[must_use]
    pub const fn class(&self) -> Option<EventClass> {
        match self {
            Self::Auth(event) => Some(event.class()),
            Self::Trail(_) => None,
        }
    }
}

impl TrailEvent {
    /// Its name in JSON, under `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SegmentOpened { .. } => "segment_opened",
            Self::TrailOpened { .. } => "trail_opened",
            Self::TrailClosed { .. } => "trail_closed",
            Self::RecordsDropped { .. } => "records_dropped",
            Self::LogRecovered { .. } => "log_recovered",
            Self::LogFault { .. } => "log_fault",
            Self::EventsDropped { .. } => "events_dropped",
            Self::EventsInDoubt { .. } => "events_in_doubt",
            Self::EventOversized { .. } => "event_oversized",
            Self::CheckpointSigned { .. } => "checkpoint_signed",
        }
    }
}

impl Entry {
    /// An entry, for a format or a sink that is tried by hand.
    #[must_use]
    pub const fn new(sequence: u64, at: Timestamp, session: Option<Label>, event: Event) -> Self {
        Self { sequence, at, session, event }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_entry_is_read_from_a_record_of_the_log() {
        let line = r#"{"seq":7,"time":"2026-11-22T05:00:00.123Z","session":"orders","event":"session_closed","lasted_ms":1500,"prev":"00","hash":"11"}"#;
        let entry: Entry = serde_json::from_str(line).unwrap();
        let lasted = Some(Duration::from_millis(1_500));
        assert_eq!((entry.sequence, entry.event), (7, Event::Auth(AuthEvent::SessionClosed { lasted })));
        assert_eq!(entry.at.to_string(), "2026-11-22T05:00:00.123Z");
    }

    #[test]
    fn an_event_of_the_trail_is_read_back_under_its_name() {
        let event = Event::Trail(TrailEvent::RecordsDropped { count: 3, reason: DropReason::DiskFull });
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"event":"records_dropped","count":3,"reason":"disk_full"}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        assert_eq!(event.name(), "records_dropped");
    }
}
