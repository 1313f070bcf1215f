//! The log's own record: flat JSON, without the hashes that chain it.

use std::fmt::Write as _;

use crate::entry::Entry;

/// `{"seq":7,"time":"…","session":"orders","event":"session_closed","lasted_ms":1500}`.
pub(super) fn render(entry: &Entry) -> String {
    let mut record = String::with_capacity(256);
    // Writing to a String does not fail, nor does serializing an event, whose keys are all text.
    let _ = write!(record, r#"{{"seq":{},"time":"{}","#, entry.sequence, entry.at);
    if let Some(session) = &entry.session {
        record.push_str("\"session\":");
        record.push_str(&serde_json::to_string(session).unwrap_or_default());
        record.push(',');
    }
    let event = serde_json::to_string(&entry.event).unwrap_or_default();
    record.push_str(event.strip_prefix('{').unwrap_or(&event));
    record
}

/// A line of the log, without its hashes; `None` where it is no JSON, or has none.
pub(super) fn without_hashes(line: &str) -> Option<String> {
    // Within a text of JSON, the quotes would be escaped.
    let (members, _) = line.rsplit_once(r#","prev":""#)?;
    let record = format!("{members}}}");
    serde_json::from_str::<serde::de::IgnoredAny>(&record).is_ok().then_some(record)
}
