//! Signed notes (C2SP signed-note): some lines of text, an empty line, and a line for each signature.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{SigningKey, VerifierKey};

/// Why a note can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is no note, or not the kind of note that is looked for.
    #[error("the note can't be read: {0}")]
    Malformed(&'static str),
    /// The key that is asked for did not sign it.
    #[error(
        "the note has no signature of the key {name}+{id:08x}; use the verifier key of the log that it is from"
    )]
    NotSigned {
        /// The name of the key.
        name: String,
        /// Its number.
        id: u32,
    },
    /// It says that the key signed it, but the key signed another text.
    #[error("the signature of the key {name} is not for this text: the note was changed")]
    BadSignature {
        /// The name of the key.
        name: String,
    },
}

/// The longest note that is read, in bytes: ours have about 300.
pub(crate) const LONGEST_NOTE: u64 = 64 * 1024;
/// How many signatures are read, as in the notes of Go.
const MOST_SIGNATURES: usize = 100;

/// Signs `text`, which is one line or more, each with its end.
pub(super) fn sign(text: &str, key: &SigningKey) -> String {
    let signature = [&key.id().to_be_bytes(), key.signature(text.as_bytes()).as_ref()].concat();
    format!("{text}\n— {} {}\n", key.name(), STANDARD.encode(signature))
}

/// The text of a note that has a good signature of `key`, with the end of its last line.
pub(super) fn open<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str, NoteError> {
    let (text, signatures) = split(note)?;
    let name = || key.name().to_owned();
    let mut signed = false;
    for (index, line) in signatures.lines().enumerate() {
        const MALFORMED: NoteError = NoteError::Malformed("a line after its text is no signature");
        let (signer, encoded) =
            line.strip_prefix("— ").and_then(|line| line.split_once(' ')).ok_or(MALFORMED)?;
        let decoded = STANDARD.decode(encoded).map_err(|_| MALFORMED)?;
        let (id, signature) = decoded.split_first_chunk().ok_or(MALFORMED)?;
        if index == MOST_SIGNATURES || !super::key::is_name(signer) || signature.is_empty() {
            return Err(MALFORMED);
        }
        if signer == key.name() && u32::from_be_bytes(*id) == key.id() {
            UnparsedPublicKey::new(&ED25519, key.public_key())
                .verify(text.as_bytes(), signature)
                .map_err(|_| NoteError::BadSignature { name: name() })?;
            signed = true;
        }
    }
    if signed { Ok(text) } else { Err(NoteError::NotSigned { name: name(), id: key.id() }) }
}

/// The text of a note, and the lines of its signatures.
pub(super) fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() as u64 > LONGEST_NOTE {
        return Err(NoteError::Malformed("it is longer than 64 KiB"));
    }
    if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Malformed("it has control characters"));
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no empty line before signatures"))?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::Malformed("its last line is no signature"));
    }
    Ok((text, signatures))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The keys, the text and the signatures of golang.org/x/mod/sumdb/note's own tests.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const PETER_SIGNATURE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const ENOCH_SIGNATURE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

    fn open_with(note: &str, key: &str) -> Result<String, NoteError> {
        open(note, &key.parse().unwrap()).map(str::to_owned)
    }

    #[test]
    fn a_note_signed_here_is_the_one_that_go_signs() {
        let key = PETER_PRIVATE.parse::<SigningKey>().unwrap();
        assert_eq!(sign(TEXT, &key), format!("{TEXT}\n{PETER_SIGNATURE}"));
        assert_eq!(key.verifier().to_string(), PETER);
        assert_eq!(key.to_secret().expose(), PETER_PRIVATE);
    }

    #[test]
    fn a_note_that_go_signed_opens_with_the_key_of_either_signer() {
        let note = format!("{TEXT}\n{PETER_SIGNATURE}{ENOCH_SIGNATURE}");
        assert_eq!(open_with(&note, PETER).unwrap(), TEXT);
        assert_eq!(open_with(&note, ENOCH).unwrap(), TEXT);
        let of_enoch = format!("{TEXT}\n{ENOCH_SIGNATURE}");
        assert_eq!(
            open_with(&of_enoch, PETER),
            Err(NoteError::NotSigned { name: "PeterNeumann".to_owned(), id: 0xc74f_20a3 })
        );
    }

    #[test]
    fn a_good_signature_does_not_excuse_a_bad_one_of_the_same_key() {
        let bad = format!("{}AAAA{}", &PETER_SIGNATURE[..60], &PETER_SIGNATURE[60..]);
        let refused = Err(NoteError::BadSignature { name: "PeterNeumann".to_owned() });
        assert_eq!(open_with(&format!("{TEXT}\n{bad}"), PETER), refused);
        assert_eq!(open_with(&format!("{TEXT}\n{PETER_SIGNATURE}{bad}"), PETER), refused);
        let changed = TEXT.replace("cryptography", "Cryptography");
        assert_eq!(open_with(&format!("{changed}\n{PETER_SIGNATURE}"), PETER), refused);
    }

    #[test]
    fn what_go_calls_malformed_is_malformed() {
        let cut = &PETER_SIGNATURE[..PETER_SIGNATURE.len() - 1];
        for note in [
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            format!("{TEXT}\n{cut}"),
            format!("\u{1}{TEXT}\n{PETER_SIGNATURE}"),
            format!("{TEXT}\n{}", PETER_SIGNATURE.replace("PeterNeumann", "Bad Name")),
            format!("{TEXT}\n{PETER_SIGNATURE}Unexpected line.\n"),
            format!("{TEXT}\n{}", PETER_SIGNATURE.repeat(101)),
            format!("{}\n{PETER_SIGNATURE}", TEXT.repeat(1_000)),
            String::new(),
        ] {
            let opened = open_with(&note, PETER);
            assert!(matches!(opened, Err(NoteError::Malformed(_))), "{opened:?}: {note:.200}");
        }
        assert!(open_with(&format!("{TEXT}\n{}", PETER_SIGNATURE.repeat(100)), PETER).is_ok(), "the control");
    }
}
