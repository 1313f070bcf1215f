//! Checkpoints: signed statements of how far a log goes and what it says until there (C2SP tlog-checkpoint).
//!
//! Whoever keeps a [`Checkpoint`] elsewhere can tell later whether records were cut off or written anew. It is a text of
//! a few lines, which any tool for transparency logs can check: signed by [`SigningKey`], opened by [`VerifierKey`].
//!
//! ```
//! use audit::checkpoint::{Checkpoint, SigningKey};
//!
//! let key = SigningKey::from_seed("audit.example.com", [7; 32])?; // 32 random bytes, kept secret
//! let checkpoint = Checkpoint { origin: "audit.example.com".to_owned(), size: 0, root: [1; 32], head: [0; 32] };
//! let note = checkpoint.sign(&key);
//! assert!(note.starts_with("audit.example.com\n0\nAQEB"));
//! assert_eq!(Checkpoint::open(&note, &key.verifier())?, checkpoint);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod key;
mod note;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::key::{KeyError, SigningKey, VerifierKey};
pub(crate) use self::note::LONGEST_NOTE;
pub use self::note::NoteError;
use crate::chain::Hash;

/// What a log says of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it has the lines of the format")]
pub struct Checkpoint {
    /// The log's name: one line.
    pub origin: String,
    /// How many records it has.
    pub size: u64,
    /// The root of the Merkle tree of their hashes (RFC 6962 §2.1).
    pub root: [u8; 32],
    /// The hash of the last of them; zeros where there is none.
    pub head: [u8; 32],
}

impl Checkpoint {
    /// The note that says so, signed.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let Self { origin, size, root, head } = self;
        let root = STANDARD.encode(root);
        note::sign(&format!("{origin}\n{size}\n{root}\nhead {}\n", Hash(*head)), key)
    }

    /// Reads a note that has a good signature of `key`. Signatures of others are passed over, as those of witnesses.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] where it is no note or no checkpoint, [`NoteError::NotSigned`] where it has no signature
    /// of the key, [`NoteError::BadSignature`] where it has one for another text.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        Self::parse(note::open(note, key)?)
    }

    /// Reads a note whoever signed it: nothing vouches for it.
    pub(crate) fn read_unverified(note: &str) -> Result<Self, NoteError> {
        Self::parse(note::split(note)?.0)
    }

    fn parse(text: &str) -> Result<Self, NoteError> {
        const MALFORMED: NoteError = NoteError::Malformed("it is not a checkpoint of an audit log");
        let mut lines = text.lines();
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(MALFORMED);
        let origin = line()?.to_owned();
        let digits = line()?;
        let size = digits.parse::<u64>().map_err(|_| MALFORMED)?;
        let root = STANDARD.decode(line()?).ok().and_then(|root| root.try_into().ok()).ok_or(MALFORMED)?;
        let head =
            line()?.strip_prefix("head ").and_then(|head| head.parse::<Hash>().ok()).ok_or(MALFORMED)?;
        // One number has one spelling: no sign and no leading zeros. Later lines are extensions that we do not know.
        if digits == size.to_string() && lines.all(|line| !line.is_empty()) {
            Ok(Self { origin, size, root, head: head.0 })
        } else {
            Err(MALFORMED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (Checkpoint, SigningKey) {
        let checkpoint = Checkpoint { origin: "log".to_owned(), size: 12, root: [3; 32], head: [4; 32] };
        (checkpoint, SigningKey::from_seed("log", [1; 32]).unwrap())
    }

    #[test]
    fn a_checkpoint_is_the_text_that_other_tools_read() {
        let (checkpoint, key) = signed();
        let note = checkpoint.sign(&key);
        let head = "04".repeat(32);
        let text = format!("log\n12\nAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\nhead {head}\n\n— log ");
        assert!(note.starts_with(&text), "{note}");
        assert_eq!(Checkpoint::open(&note, &key.verifier()), Ok(checkpoint.clone()));
        assert_eq!(Checkpoint::read_unverified(&note), Ok(checkpoint));
    }

    #[test]
    fn every_changed_byte_of_a_checkpoint_is_found() {
        let (checkpoint, key) = signed();
        let note = checkpoint.sign(&key).into_bytes();
        for position in 0..note.len() {
            for mask in [1, 2, 0x20] {
                let mut changed = note.clone();
                changed[position] ^= mask;
                let Ok(changed) = String::from_utf8(changed) else { continue };
                assert!(Checkpoint::open(&changed, &key.verifier()).is_err(), "{position}: {changed}");
            }
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_although_it_is_signed() {
        let (checkpoint, key) = signed();
        let note = checkpoint.sign(&key);
        let (text, _) = note.split_once("\n\n").unwrap();
        for wrong in [
            text.replace("12", "012"),
            text.replace("12", "+12"),
            text.replace("12", "18446744073709551616"),
            text.replace("AwMD", "Aw=="),
            text.replace("head ", "tail "),
            text.replace("head 04", "head 4"),
            text.replace("log", ""),
            "log\n12".to_owned(),
        ] {
            let note = note::sign(&format!("{wrong}\n"), &key);
            let opened = Checkpoint::open(&note, &key.verifier());
            assert!(matches!(opened, Err(NoteError::Malformed(_))), "{wrong}: {opened:?}");
        }
        let extended = note::sign(&format!("{text}\nlater extension\n"), &key);
        assert_eq!(Checkpoint::open(&extended, &key.verifier()), Ok(checkpoint), "the control");
    }
}
