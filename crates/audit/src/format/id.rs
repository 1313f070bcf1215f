//! A name for a record that is the same whoever renders it, whenever: what a receiver tells duplicates by.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Origin, json};
use crate::entry::Entry;

/// The UUID of `entry` as `origin` tells it: version 8 (RFC 9562 §5.8), from the SHA-256 of the host, the program and the record.
pub(super) fn uuid(entry: &Entry, origin: &Origin) -> String {
    let mut hash = Sha256::new();
    for part in [origin.host(), "\n", origin.application(), "\n", &json::render(entry)] {
        hash.update(part.as_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut uuid = String::with_capacity(36);
    for (index, byte) in hash.iter().take(16).enumerate() {
        let byte = match index {
            6 => byte & 0x0f | 0x80, // the version
            8 => byte & 0x3f | 0x80, // the variant
            _ => *byte,
        };
        if matches!(index, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        // Writing to a String does not fail.
        let _ = write!(uuid, "{byte:02x}");
    }
    uuid
}
