//! What a log is verified against, and what is known of it then, in words.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use audit::checkpoint::{NoteError, VerifierKey};
use audit::verify::{Finding, Verification, Verified, VerifyError};

use super::options::TrustOptions;
use super::reading::Record;
use super::report::{Claim, Standing, Tone, counted, grouped};
use crate::exit::Failure;
use crate::files;
use crate::shown::shown;

/// How to verify a log.
pub(super) struct Trust {
    verification: Verification,
    /// The keys that were given.
    keys: Vec<VerifierKey>,
    /// Whether a checkpoint was given.
    has_checkpoint: bool,
    name: String,
}

impl Trust {
    pub(super) fn of(options: &TrustOptions) -> Result<Self, Failure> {
        let mut trust = Self::in_chain(&options.directory, options.archived)?;
        for given in &options.key {
            let key = verifier_key(given)?;
            trust.verification = trust.verification.with_key(key.clone());
            trust.keys.push(key);
        }
        for path in &options.checkpoint {
            trust.verification = trust.verification.with_checkpoint(files::text(path)?);
            trust.has_checkpoint = true;
        }
        Ok(trust)
    }

    /// Nothing but the chain, and what the log says of itself.
    pub(super) fn in_chain(directory: &Path, archived: bool) -> Result<Self, Failure> {
        super::reading::segments(directory)?;
        let verification = Verification::of(directory);
        let verification = if archived { verification.allowing_archived() } else { verification };
        let name = directory.display().to_string();
        Ok(Self { verification, keys: Vec::new(), has_checkpoint: false, name })
    }

    pub(super) fn run(&self) -> Result<Verified, VerifyError> {
        self.verification.run()
    }

    /// Verifies, and hands on each record once it fits: what was verified, or `None` where whoever takes them has enough; and how
    /// many lines fit the chain although nothing can be read from them.
    pub(super) fn read(
        &self,
        mut take: impl FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(Option<Verified>, u64), VerifyError> {
        let mut bad = 0;
        let verified = self.verification.read(&mut |line| {
            if let Some(record) = Record::of(line) {
                return take(record);
            }
            bad += 1;
            ControlFlow::Continue(())
        })?;
        Ok((verified, bad))
    }

    /// What is known of a log in which nothing is wrong.
    pub(super) fn standing(&self, verified: &Verified) -> Standing {
        let Verified { records, first, last, unsealed_tail, .. } = verified;
        let mut claims = vec![good(format!(
            "Each record fits the one before: the chain is whole from record {} to record {}.",
            grouped(*first),
            grouped(*last)
        ))];
        claims.extend(self.seals(verified));
        if *first > 1 {
            claims.push(note(format!(
                "The records before {} were archived, and are not in this report.",
                grouped(*first)
            )));
        }
        if verified.unfinished > 0 {
            claims.push(note(format!(
                "A last record of {} was never finished: a crash or a write in progress, and nobody had been told that it was safe.",
                counted(verified.unfinished, "byte")
            )));
        }
        if verified.superseded > 0 {
            claims.push(note(format!(
                "{} written again after a fault of the disk; nobody had been told that the first ones were safe.",
                if verified.superseded == 1 { "1 record was".to_owned() } else { format!("{} records were", grouped(verified.superseded)) }
            )));
        }
        claims.extend(runs(verified));
        if verified.dropped > 0 {
            claims.push(warning(match verified.dropped {
                1 => "The log says itself that 1 event is in no record: it came faster than the disk, or the disk failed.".to_owned(),
                dropped => format!(
                    "The log says itself that {} events are in no record: they came faster than the disk, or the disk failed.",
                    grouped(dropped)
                ),
            }));
        }
        if !verified.foreign.is_empty() {
            claims.push(note(format!(
                "In the directory, but not of the log: {}.",
                verified.foreign.join(", ")
            )));
        }
        let is_sealed = !self.keys.is_empty() && verified.sealed_through > 0;
        let tone = if is_sealed { Tone::Good } else { Tone::Warning };
        let headline = match (is_sealed, *unsealed_tail, *records) {
            (false, _, 1) => "The one record fits, but nothing proves who wrote it".to_owned(),
            (false, ..) => {
                format!("All {} records fit together, but nothing proves who wrote them", grouped(*records))
            }
            (true, 0, 1) => "The one record is what was written".to_owned(),
            (true, 0, _) => format!("All {} records are what was written", grouped(*records)),
            (true, tail, _) => {
                let sealed = records.saturating_sub(tail);
                format!("All {} records fit together, and {} are sealed", grouped(*records), grouped(sealed))
            }
        };
        Standing { name: self.name.clone(), headline, tone, claims }
    }

    /// What the signatures say.
    fn seals(&self, verified: &Verified) -> Vec<Claim> {
        let mut claims = Vec::new();
        let Verified { sealed_through, unsealed_tail, last, .. } = verified;
        match &self.keys[..] {
            [key] => claims.push(good(format!(
                "Records as far as {} are sealed by the key {}: nobody without that key has written them anew.",
                grouped(*sealed_through),
                short(key)
            ))),
            [_, ..] => claims.push(good(format!(
                "Records as far as {} are sealed by the keys {}: nobody without one of them has written them anew.",
                grouped(*sealed_through),
                self.keys.iter().map(short).collect::<Vec<_>>().join(" and ")
            ))),
            [] if *sealed_through > 0 => claims.push(warning(
                "No signature was checked, since no key was given (--key): whoever may write the files could have written all of \
                 them anew."
                    .to_owned(),
            )),
            [] => claims.push(warning(
                "Nothing seals this log: whoever may write the files could have written all of them anew, or cut off the end."
                    .to_owned(),
            )),
        }
        if !self.keys.is_empty() && *unsealed_tail > 0 {
            claims.push(warning(match *unsealed_tail {
                1 => format!("Record {}, the last, is not sealed yet: it could have been written anew, or others cut off after it.", grouped(*last)),
                tail => format!(
                    "The last {} records, after {}, are not sealed yet: they could have been written anew, or others cut off after them.",
                    grouped(tail),
                    grouped(*sealed_through)
                ),
            }));
        }
        if self.has_checkpoint {
            claims.push(good(
                "All that the checkpoint which was kept elsewhere covers is still there, unchanged."
                    .to_owned(),
            ));
        } else if !self.keys.is_empty() {
            claims.push(note(
                "Only a checkpoint that was kept elsewhere (--checkpoint) shows whether an older state of the whole log was put in its place."
                    .to_owned(),
            ));
        }
        claims
    }

    /// What is said of a log in which something is wrong.
    pub(super) fn broken(&self, error: &VerifyError) -> Standing {
        let text = error.to_string();
        let claims = vec![
            Claim { tone: Tone::Bad, text: format!("{text}.") },
            warning(
                "This page shows the records before that place. They fit together, but what came after them is not known, and \
                 the log must be kept as it is for whoever looks into it."
                    .to_owned(),
            ),
        ];
        let headline = "This log can't be trusted".to_owned();
        Standing { name: self.name.clone(), headline, tone: Tone::Bad, claims }
    }
}

/// How often the log was opened, and how that ended, where its records tell.
fn runs(verified: &Verified) -> Option<Claim> {
    let Verified { opened, closed, broken_off, is_open, .. } = *verified;
    if opened == 0 && closed == 0 {
        return None;
    }
    let mut text = match (opened, closed) {
        (0, closed) => {
            format!("The log was closed {}, and opened in records that were archived", times(closed))
        }
        (opened, 0) => format!("The log was opened {}, and never closed", times(opened)),
        (opened, closed) => format!("The log was opened {} and closed {}", times(opened), times(closed)),
    };
    if broken_off > 0 {
        let times = times(broken_off);
        text.push_str(&format!("; {times} it was broken off, by a crash, a kill or the loss of power"));
    }
    text.push_str(if is_open {
        ". It is not closed: it is being written, or was broken off at its end."
    } else {
        "."
    });
    Some(match (broken_off, is_open) {
        (0, false) => good(text),
        (0, true) => note(text),
        _ => warning(text),
    })
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{} times", grouped(more)),
    }
}

/// A failed verification, with the exit code that it has.
pub(super) fn failure(error: &VerifyError) -> Failure {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    // In one line, whatever the log says in it.
    let text = if let VerifyError::Bad { file, finding, .. } = error
        && is_no_checkpoint(error)
    {
        format!("{file} is none: {finding}")
    } else {
        error.to_string()
    };
    let text = shown(&text).into_owned();
    match error {
        VerifyError::Unreadable { path, error } if error.kind() == NotADirectory => Failure::Usage(format!(
            "{} is a file; an audit log is a directory of segments. A log of one file, as they were once, can't be read any more",
            path.display()
        )),
        VerifyError::NoLog(_) => Failure::Usage(text),
        error if is_no_checkpoint(error) => Failure::Usage(format!(
            "--checkpoint: {text}; give a copy of the file checkpoint of the log's directory"
        )),
        VerifyError::Unreadable { error: cause, .. }
            if matches!(cause.kind(), NotFound | PermissionDenied) =>
        {
            Failure::Usage(text)
        }
        _ => Failure::Operation(text),
    }
}

/// Whether what was given as a checkpoint is none at all, which says nothing about the log.
pub(super) fn is_no_checkpoint(error: &VerifyError) -> bool {
    matches!(
        error,
        VerifyError::Bad { file, finding: Finding::Note(NoteError::Malformed(_)), .. } if file == "the checkpoint kept elsewhere"
    )
}

/// A key as people compare them: its name and number.
fn short(key: &VerifierKey) -> String {
    let text = key.to_string();
    text.rsplit_once('+').map_or_else(|| text.clone(), |(short, _)| short.to_owned())
}

/// The key itself, or the file that has it.
fn verifier_key(given: &str) -> Result<VerifierKey, Failure> {
    let wrong = |error| Failure::Usage(format!("--key: {error}"));
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let path = Path::new(given);
    if !path.exists() && given.contains('+') {
        return given.parse().map_err(wrong);
    }
    let text = files::text(path)?;
    if text.starts_with("PRIVATE+KEY+") {
        return Err(Failure::Usage(format!(
            "--key: {given} holds the signing key, which belongs to the writer alone; give the public key that rtauth audit key printed"
        )));
    }
    text.trim().parse().map_err(wrong)
}

const fn good(text: String) -> Claim {
    Claim { tone: Tone::Good, text }
}

const fn note(text: String) -> Claim {
    Claim { tone: Tone::Neutral, text }
}

const fn warning(text: String) -> Claim {
    Claim { tone: Tone::Warning, text }
}
