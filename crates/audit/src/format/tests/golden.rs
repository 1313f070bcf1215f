//! One line for each event and format, kept beside the code, so that a change of a mapping shows in review.

use std::path::Path;

use auth_core::observe::Label;
use serde_json::Value;

use super::samples;
use crate::Entry;
use crate::format::Format;

/// Each event with all its fields.
fn entries() -> Vec<Entry> {
    let sequences = 1..;
    let numbered = samples::FULL.iter().zip(sequences);
    let entry = |(sample, sequence): (&&str, u64)| {
        let event = serde_json::from_str(&sample.replace('$', "someone")).unwrap();
        Entry::new(sequence, samples::AT, Some(Label::new("orders")), event)
    };
    numbered.map(entry).collect()
}

/// The rows of the manual's table: what each event is in each format, taken from what is rendered.
fn table() -> String {
    let [ecs, ocsf, syslog, cef] =
        [Format::Ecs, Format::Ocsf, Format::Syslog, Format::Cef].map(samples::renderer);
    let mut rows = vec![
        "| Event | ECS: category; type; outcome | OCSF: type; status, severity | RFC 5424 | CEF |".to_owned(),
        "| --- | --- | --- | --- | --- |".to_owned(),
    ];
    for entry in entries() {
        let (ecs, ocsf): (Value, Value) = (parsed(&ecs.render(&entry)), parsed(&ocsf.render(&entry)));
        let list = |name: &str| crate::format::fields::text(&ecs["event"][name]).replace(' ', ", ");
        let text = |name: &str| ocsf[name].as_str().unwrap_or_default().to_owned();
        let activity = format!("{}: {} ({})", text("class_name"), text("activity_name"), ocsf["type_uid"]);
        let row = format!(
            "| `{}` | {}; {}; {} | {activity}; {}, {} | {} | {} |",
            entry.event.name(),
            list("category"),
            list("type"),
            list("outcome"),
            text("status"),
            text("severity"),
            &syslog.render(&entry)[1..3],
            cef.render(&entry).split('|').nth(6).unwrap(),
        );
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows.join("\n") + "\n"
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Fails unless the file says `now`; `BLESS=1 cargo nextest run -p audit golden` writes all files anew.
#[expect(clippy::disallowed_methods, reason = "whoever changes a mapping says so")]
fn compare(path: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap();
    for (now, before) in now.lines().zip(before.lines()) {
        assert_eq!(now, before, "{} has changed: bless it if that is meant", path.display());
    }
    assert_eq!(now.lines().count(), before.lines().count(), "{} has other events", path.display());
}

#[test]
fn every_event_reads_in_every_format_as_it_did() {
    for format in Format::ALL {
        let renderer = samples::renderer(format);
        let lines: String = entries().iter().map(|entry| renderer.render(entry) + "\n").collect();
        compare(&format!("../../tests/vectors/formats/{format}.txt"), &lines);
    }
}

#[test]
fn the_manuals_table_is_what_is_rendered() {
    compare("src/format/events.md", &table());
}
