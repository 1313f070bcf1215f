//! What happened, as text: hashed always, kept when somebody wants to read it, and searched for secrets.

use std::fmt::{Arguments, Write as _};

use crate::clock::{At, MILLI, SECOND};

/// Part of every secret of a simulated world: no line may hold it.
pub(crate) const MARKER: &str = "s3cr3t";

/// The lines of one run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    line: String,
    hash: u64,
    kept: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self { line: String::new(), hash: 0xCBF2_9CE4_8422_2325, kept: keep.then(Vec::new) }
    }

    /// Adds a line; false if it holds a secret.
    pub(crate) fn add(&mut self, at: At, what: Arguments<'_>) -> bool {
        self.line.clear();
        let written = write!(self.line, "{}.{:03} {what}", at / SECOND, at % SECOND / MILLI);
        for chunk in self.line.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.hash =
                (self.hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517C_C1B7_2722_0A95);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(self.line.clone());
        }
        written.is_ok() && !self.line.contains(MARKER)
    }

    /// Equal for equal traces.
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, where they were kept.
    pub(crate) fn lines(self) -> Vec<String> {
        self.kept.unwrap_or_default()
    }
}
