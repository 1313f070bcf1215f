//! The files of a log, by the letter of its format.

use std::fs;
use std::io;
use std::path::Path;

use audit::Event;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::plot::Scene;

/// Where the second segment begins: after a fault of the disk.
const FAULT: usize = 3;

type Hash = [u8; 32];

/// Writes the scenes as a log of two segments; how many records it has.
pub fn write(directory: &Path, scenes: &[Scene]) -> io::Result<u64> {
    fs::create_dir_all(directory)?;
    let mut book = Book { text: String::new(), previous: [0; 32], leaves: Vec::new() };
    let Some(first) = scenes.first() else { return Ok(0) };
    book.record(&first.at.to_string(), None, &book.opening("created"));
    let mut begins = 1;
    for scene in scenes {
        let event = members(&scene.event)?;
        book.record(&scene.at.to_string(), scene.session.as_deref(), &event);
        if matches!(scene.event.name(), "records_dropped") {
            fs::write(directory.join(format!("{begins:020}.jsonl")), &book.text)?;
            book.text.clear();
            begins = book.leaves.len() + 1;
            book.record(&scene.at.to_string(), None, &book.opening("fault"));
            book.record(&scene.at.to_string(), None, r#""event":"log_fault","step":"sync","code":5"#);
        }
    }
    fs::write(directory.join(format!("{begins:020}.jsonl")), &book.text)?;
    let _ = FAULT;
    Ok(book.leaves.len() as u64)
}

/// What an event has between the braces of its JSON.
fn members(event: &Event) -> io::Result<String> {
    let json = serde_json::to_string(event)?;
    Ok(json.trim_start_matches('{').trim_end_matches('}').to_owned())
}

struct Book {
    text: String,
    previous: Hash,
    leaves: Vec<Hash>,
}

impl Book {
    fn record(&mut self, time: &str, session: Option<&str>, members: &str) {
        let sequence = self.leaves.len() + 1;
        let session = session.map_or_else(String::new, |name| format!(r#""session":{},"#, json!(name)));
        let previous = hex(&self.previous);
        let text = format!(r#"{{"seq":{sequence},"time":"{time}",{session}{members},"prev":"{previous}""#);
        let hash: Hash = Sha256::digest(text.as_bytes()).into();
        self.text.push_str(&format!("{text},\"hash\":\"{}\"}}\n", hex(&hash)));
        self.previous = hash;
        self.leaves.push(leaf(&hash));
    }

    /// The first record of a segment.
    fn opening(&self, reason: &str) -> String {
        let first = self.leaves.len() + 1;
        let mut peaks = Vec::new();
        let mut rest = self.leaves.as_slice();
        while !rest.is_empty() {
            let size = 1_usize << rest.len().ilog2();
            let (peak, others) = rest.split_at(size);
            peaks.push(hex(&root(peak)));
            rest = others;
        }
        let opened = json!({
            "event": "segment_opened", "origin": "story.example", "reason": reason, "first": first, "peaks": peaks,
            "verifier_key": null,
        });
        opened.to_string().trim_start_matches('{').trim_end_matches('}').to_owned()
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
            Sha256::new().chain_update([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
