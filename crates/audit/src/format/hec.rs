//! The event object of Splunk's HTTP Event Collector; several are sent one after another, with nothing between.

use serde_json::Value;

use super::fields::Object;
use super::meaning::{Meaning, Weight};
use super::{Origin, json};
use crate::entry::Entry;

/// What Splunk chooses a parser by.
const SOURCE_TYPE: &str = "realtime_auth:audit";

/// `{"time":1715769005.123,"host":…,"source":…,"sourcetype":…,"event":{the log's own record},"fields":{…}}`.
pub(super) fn render(entry: &Entry, origin: &Origin, id: &str) -> String {
    let meaning = Meaning::of(&entry.event);
    let fields = Object::new()
        .with("id", id)
        .with("outcome", meaning.outcome.name())
        .with("service", origin.service())
        .with("severity", severity(meaning.weight));
    let millis = entry.at.as_millis();
    format!(
        r#"{{"time":{}.{:03},"host":{},"source":{},"sourcetype":"{SOURCE_TYPE}","event":{},"fields":{fields}}}"#,
        millis / 1_000,
        millis % 1_000,
        Value::from(origin.host()),
        Value::from(origin.application()),
        json::render(entry),
    )
}

/// The words of Splunk's Common Information Model.
const fn severity(weight: Weight) -> &'static str {
    match weight {
        Weight::Routine | Weight::Normal => "informational",
        Weight::Notable => "low",
        Weight::Warning => "medium",
        Weight::Alarm => "high",
    }
}
