//! Logs made by hand, untouched and tampered with.

mod accepted;
mod tampering;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Finding, Verification, Verified, VerifyError};
use crate::chain::{Frontier, Hash, Head};
use crate::checkpoint::{Checkpoint, SigningKey};
use crate::log::layout::{CHECKPOINT, seal as seal_name, segment as segment_name};

/// A log that is being made, record by record.
struct Maker {
    directory: TempDir,
    key: Option<SigningKey>,
    head: Head,
    tree: Frontier,
    first: u64,
    lines: Vec<u8>,
}

const TIME: &str = r#""time":"2026-11-22T05:00:00.000Z""#;

impl Maker {
    fn new(key: Option<SigningKey>) -> Self {
        let mut maker = Self {
            directory: tempfile::tempdir().unwrap(),
            key,
            head: Head::EMPTY,
            tree: Frontier::new(),
            first: 1,
            lines: Vec::new(),
        };
        maker.open("created");
        maker
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn push(&mut self, members: &str) {
        self.head.append(&mut self.lines, members.as_bytes());
        self.tree.push(&self.head.hash);
    }

    fn open(&mut self, reason: &str) {
        self.first = self.head.sequence + 1;
        let peaks: Vec<_> = self.tree.peaks().iter().map(Hash::to_string).collect();
        let peaks = serde_json::to_string(&peaks).unwrap();
        let key = self.key.as_ref().map(|key| key.verifier().to_string());
        let key = serde_json::to_string(&key).unwrap();
        let first = self.first;
        self.push(&format!(
            r#"{TIME},"event":"segment_opened","origin":"log","reason":"{reason}","first":{first},"peaks":{peaks},"verifier_key":{key}"#
        ));
    }

    fn records(&mut self, count: u32) {
        for attempt in 0..count {
            self.push(&format!(
                r#"{TIME},"session":"a \"b\"","event":"token_requested","attempt":{attempt},"redeems":false,"valid_for_ms":null"#
            ));
        }
    }

    /// Writes the segment out.
    fn write(&mut self) {
        fs::write(self.path(&segment_name(self.first)), &self.lines).unwrap();
        self.lines.clear();
    }

    fn note(&self) -> Option<String> {
        let (size, root, head) = (self.tree.size(), self.tree.root().0, self.head.hash.0);
        self.key.as_ref().map(|key| Checkpoint { origin: "log".to_owned(), size, root, head }.sign(key))
    }

    /// Ends the segment, seals it, and begins another.
    fn rotate(&mut self) {
        self.write();
        if let Some(note) = self.note() {
            fs::write(self.path(&seal_name(self.first)), note).unwrap();
        }
        self.open("rotated");
    }

    /// Ends the log as its writer does.
    fn close(mut self) -> TempDir {
        self.write();
        if let Some(note) = self.note() {
            fs::write(self.path(CHECKPOINT), note).unwrap();
        }
        self.directory
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed("log", [1; 32]).unwrap()
}

/// 1,000 records in five segments.
fn thousand(key: Option<SigningKey>) -> TempDir {
    let mut maker = Maker::new(key);
    for _ in 0..4 {
        maker.records(199);
        maker.rotate();
    }
    maker.records(199);
    maker.close()
}

fn with_key(directory: &TempDir) -> Result<Verified, VerifyError> {
    Verification::of(directory.path()).with_key(key().verifier()).run()
}

/// The file, the record and the finding of what must be wrong.
fn found(result: Result<Verified, VerifyError>) -> (String, Option<u64>, Finding) {
    match result {
        Err(VerifyError::Bad { file, sequence, finding }) => (file, sequence, finding),
        other => panic!("expected something bad, got {other:?}"),
    }
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    fs::read(path).unwrap().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
