//! What waits to be written, and its text.

use std::io::Write as _;

use auth_core::observe::{EventClass, Label};
use auth_core::time::Timestamp;

use super::options::Mode;
use crate::chain::{Head, LONGEST_MEMBERS};
use crate::entry::{DropReason, Event, TrailEvent};
use crate::trail::Pledge;

/// An event on its way to the disk.
pub(crate) struct Item {
    pub(crate) at: Timestamp,
    pub(crate) session: Option<Label>,
    pub(crate) event: Event,
    pub(crate) mode: Mode,
    /// Whoever waits for it; told that it is lost if nobody says otherwise.
    pub(crate) ticket: Option<Pledge>,
    /// What became of it.
    pub(crate) fate: Fate,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet.
    Waiting,
    /// It is on record under this number.
    Recorded(u64),
    /// It is in no record.
    Lost(DropReason),
}

impl Item {
    /// An item that nobody waits for.
    pub(crate) const fn new(at: Timestamp, session: Option<Label>, event: Event, mode: Mode) -> Self {
        Self { at, session, event, mode, ticket: None, fate: Fate::Waiting }
    }

    /// Whether it is written while the disk is full: what the trail says of itself, revocations, and what nobody may go
    /// on without.
    pub(super) fn is_last_to_go(&self) -> bool {
        self.mode == Mode::Strict || matches!(self.event.class(), None | Some(EventClass::Revoking))
    }
}

/// Writes the members of records, and keeps what it needs for that.
#[derive(Default)]
pub(super) struct Rendering {
    members: Vec<u8>,
    second: Option<u64>,
    /// The time up to the point after the seconds.
    date: String,
}

impl Rendering {
    /// Appends one record to `lines`.
    pub(super) fn append(
        &mut self,
        lines: &mut Vec<u8>,
        head: &mut Head,
        at: Timestamp,
        session: Option<&Label>,
        event: &Event,
    ) {
        self.members.clear();
        self.time(at);
        if let Some(session) = session {
            self.members.extend_from_slice(b",\"session\":");
            // A string, and a vector to write it to: neither can fail.
            let _ = serde_json::to_writer(&mut self.members, session);
        }
        let start = self.members.len();
        self.event(event);
        if self.members.len() > LONGEST_MEMBERS {
            // No reader takes such a line: it would look torn, or break the log.
            let bytes = (self.members.len() - start) as u64;
            tracing::warn!(event = event.name(), bytes, "an event is too long for the audit log");
            self.members.truncate(start);
            let name = Label::new(event.name());
            self.event(&Event::Trail(TrailEvent::EventOversized { name, bytes }));
        }
        head.append(lines, &self.members);
    }

    /// Adds the members of `event`.
    fn event(&mut self, event: &Event) {
        let start = self.members.len();
        let whole = serde_json::to_writer(&mut self.members, event).is_ok();
        match self.members.get_mut(start) {
            // The event's members stand between ours, so that a record reads from left to right as one object.
            Some(brace @ b'{') if whole => {
                *brace = b',';
                self.members.pop();
            }
            // No event of ours gets here; one that would is on record at least by its name.
            _ => {
                self.members.truncate(start);
                let _ = write!(self.members, ",\"event\":\"{}\"", event.name());
            }
        }
    }

    fn time(&mut self, at: Timestamp) {
        if self.second != Some(at.as_secs()) {
            self.second = Some(at.as_secs());
            self.date = at.to_string();
            self.date.truncate(self.date.len() - "123Z".len());
        }
        self.members.extend_from_slice(b"\"time\":\"");
        self.members.extend_from_slice(self.date.as_bytes());
        let millis = at.as_millis() % 1_000;
        let digit = |divisor: u64| b"0123456789"[(millis / divisor % 10) as usize];
        self.members.extend_from_slice(&[digit(100), digit(10), digit(1), b'Z', b'"']);
    }
}

#[cfg(test)]
mod tests {
    use auth_core::AuthEvent;

    use super::*;
    use crate::Entry;

    #[test]
    fn a_record_has_the_text_that_an_entry_is_read_from() {
        let mut rendering = Rendering::default();
        let (mut lines, mut head) = (Vec::new(), Head::EMPTY);
        let session = Label::new("a\"b");
        let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
        for millis in [0, 7, 999, 1_000, 1_763_787_600_123, 1_763_787_600_120] {
            lines.clear();
            let at = Timestamp::from_millis(millis);
            rendering.append(&mut lines, &mut head, at, Some(&session), &event);
            let entry: Entry = serde_json::from_slice(&lines).unwrap();
            assert_eq!(entry, Entry::new(head.sequence, at, Some(session.clone()), event.clone()));
        }
        let text = String::from_utf8(lines).unwrap();
        let begin = r#"{"seq":6,"time":"2025-11-22T05:00:00.120Z","session":"a\"b","event":"session_closed","lasted_ms":null,"prev":""#;
        assert!(text.starts_with(begin), "{text}");
    }
}
