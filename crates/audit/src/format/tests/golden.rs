//! One line for each event and format, kept beside the code, so that a change of a mapping shows in review.

use std::fmt::Write as _;
use std::path::Path;

use super::samples;
use crate::format::Format;

/// Each event with all its fields, as `format` renders it.
fn rendered(format: Format) -> String {
    let renderer = samples::renderer(format);
    let mut lines = String::new();
    let mut sequence = 0;
    for sample in samples::FULL {
        sequence += 1;
        let event = serde_json::from_str(&sample.replace('$', "someone")).unwrap();
        let session = Some(auth_core::observe::Label::new("orders"));
        let entry = crate::Entry::new(sequence, samples::AT, session, event);
        writeln!(lines, "{}", renderer.render(&entry)).unwrap();
    }
    lines
}

/// `BLESS=1 cargo nextest run -p audit golden` writes the files anew.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes a mapping says so")]
fn every_event_reads_in_every_format_as_it_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/formats");
    for format in Format::ALL {
        let path = folder.join(format!("{format}.txt"));
        let now = rendered(format);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &now).unwrap();
        }
        let before = std::fs::read_to_string(&path).unwrap();
        for (now, before) in now.lines().zip(before.lines()) {
            assert_eq!(now, before, "{format} has changed: bless it if that is meant");
        }
        assert_eq!(now.lines().count(), before.lines().count(), "{format} has other events");
    }
}
