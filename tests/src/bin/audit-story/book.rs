//! The files of a log, by the letter of its format.

use std::fs;
use std::io;
use std::path::Path;

use audit::checkpoint::{Checkpoint, KeyError, SigningKey};
use auth_core::time::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::plot::Scene;

type Hash = [u8; 32];

/// What seals the log; anybody may know it, since the log is a story.
const SEED: Hash = [9; 32];
const NAME: &str = "story.example";

/// Writes the scenes as a log, which goes on in another segment after the disk has failed; how many records it has.
pub(crate) fn write(directory: &Path, scenes: &[Scene]) -> io::Result<u64> {
    fs::create_dir_all(directory)?;
    let key = SigningKey::from_seed(NAME, SEED).map_err(|error: KeyError| io::Error::other(error))?;
    let mut book = Book { text: String::new(), previous: [0; 32], leaves: Vec::new(), key };
    let Some(first) = scenes.first() else { return Ok(0) };
    book.open(first.at, "created");
    let mut begins = 1;
    for (place, scene) in scenes.iter().enumerate() {
        book.record(scene.at, scene.session.as_deref(), &members(&serde_json::to_string(&scene.event)?));
        if scene.event.name() == "records_dropped" {
            book.close(directory, begins)?;
            begins = book.leaves.len() + 1;
            book.open(scene.at, "fault");
            book.record(scene.at, None, r#""event":"log_fault","step":"sync","code":5"#);
        }
        // The last records come after the newest checkpoint, as they do in a log that is being written.
        if place + 5 == scenes.len() {
            fs::write(directory.join("checkpoint"), book.checkpoint())?;
        }
    }
    fs::write(directory.join(segment(begins, "jsonl")), &book.text)?;
    fs::write(directory.with_extension("vkey"), format!("{}\n", book.key.verifier()))?;
    Ok(book.leaves.len() as u64)
}

fn segment(begins: usize, kind: &str) -> String {
    format!("{begins:020}.{kind}")
}

/// What a JSON object has between its braces.
fn members(json: &str) -> String {
    let inner = json.strip_prefix('{').and_then(|json| json.strip_suffix('}'));
    inner.unwrap_or(json).to_owned()
}

struct Book {
    text: String,
    previous: Hash,
    leaves: Vec<Hash>,
    key: SigningKey,
}

impl Book {
    fn record(&mut self, at: Timestamp, session: Option<&str>, members: &str) {
        let sequence = self.leaves.len() + 1;
        let session = session.map_or_else(String::new, |name| format!(r#""session":{},"#, json!(name)));
        let previous = hex(&self.previous);
        let text = format!(r#"{{"seq":{sequence},"time":"{at}",{session}{members},"prev":"{previous}""#);
        let hash: Hash = Sha256::digest(text.as_bytes()).into();
        self.text.push_str(&format!("{text},\"hash\":\"{}\"}}\n", hex(&hash)));
        self.previous = hash;
        self.leaves.push(leaf(&hash));
    }

    /// The first record of a segment.
    fn open(&mut self, at: Timestamp, reason: &str) {
        let mut peaks = Vec::new();
        let mut rest = self.leaves.as_slice();
        while !rest.is_empty() {
            let (peak, others) = rest.split_at(1 << rest.len().ilog2());
            peaks.push(hex(&root(peak)));
            rest = others;
        }
        let opened = json!({
            "event": "segment_opened", "origin": NAME, "reason": reason, "first": self.leaves.len() + 1, "peaks": peaks,
            "verifier_key": self.key.verifier().to_string(),
        });
        // A map of serde_json has its members in the order of their names; the event comes first in a record.
        let text = members(&opened.to_string()).replace(r#""event":"segment_opened","#, "");
        self.record(at, None, &format!(r#""event":"segment_opened",{text}"#));
    }

    /// Writes the segment and its seal.
    fn close(&mut self, directory: &Path, begins: usize) -> io::Result<()> {
        fs::write(directory.join(segment(begins, "jsonl")), &self.text)?;
        fs::write(directory.join(segment(begins, "checkpoint")), self.checkpoint())?;
        self.text.clear();
        Ok(())
    }

    fn checkpoint(&self) -> String {
        let (size, root) = (self.leaves.len() as u64, root(&self.leaves));
        Checkpoint { origin: NAME.to_owned(), size, root, head: self.previous }.sign(&self.key)
    }
}

/// RFC 6962 §2.1.
fn leaf(data: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// RFC 6962 §2.1, of leaves that are hashed already.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            Sha256::new()
                .chain_update([1])
                .chain_update(root(left))
                .chain_update(root(right))
                .finalize()
                .into()
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
