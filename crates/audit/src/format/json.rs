//! The log's own record: flat JSON, without the hashes that chain it.

use crate::entry::Entry;

/// `{"seq":7,"time":"…","session":"orders","event":"session_closed","lasted_ms":1500}`.
pub(super) fn render(entry: &Entry) -> String {
    // It can't fail: all keys are text.
    serde_json::to_string(entry).unwrap_or_default()
}

/// A line of the log, without its hashes; `None` where it is no JSON, or has none.
pub(super) fn without_hashes(line: &str) -> Option<String> {
    // Within a text of JSON, the quotes would be escaped.
    let (members, _) = line.rsplit_once(r#","prev":""#)?;
    let record = format!("{members}}}");
    serde_json::from_str::<serde::de::IgnoredAny>(&record).is_ok().then_some(record)
}
