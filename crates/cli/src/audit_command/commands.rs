//! What each of the commands does.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;

use audit::checkpoint::SigningKey;
use audit::format::{Renderer, escaped};
use audit::verify::{Verified, VerifyError};
use serde_json::{Value, json};

use super::destination::Destination;
use super::options::{Choice, ExportOptions, KeyOptions, ReportOptions, VerifyOptions};
use super::reading::{self, Record, Unknown};
use super::report::{Report, Tone, counted};
use super::trust::{self, Trust};
use crate::exit::{self, Failure};
use crate::shown::shown;
use crate::trail;

pub(super) fn verify(options: &VerifyOptions) -> Result<(), Failure> {
    let trust = Trust::of(&options.trust)?;
    let verified = match trust.run() {
        Ok(verified) => verified,
        Err(error) => {
            if options.json {
                print(escaped(&bad(&error).to_string()))?;
            }
            return Err(trust::failure(&error));
        }
    };
    if options.json {
        return print(escaped(&told(&verified, !options.trust.key.is_empty()).to_string()));
    }
    for claim in trust.standing(&verified).claims {
        let mark = match claim.tone {
            Tone::Good => '✓',
            Tone::Neutral => '·',
            Tone::Warning => '!',
            Tone::Bad => '✗',
        };
        print(format_args!("{mark} {}", shown(&claim.text)))?;
    }
    print(format_args!("head {}", verified.head))
}

/// Writes a line of a verdict, which stands whether anybody reads it or not.
fn print(line: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Operation(format!("standard output can't be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// What was verified, for programs.
fn told(verified: &Verified, has_key: bool) -> Value {
    json!({
        "event": "verified", "origin": verified.origin, "records": verified.records, "first": verified.first, "last": verified.last,
        "head": verified.head, "segments": verified.segments, "key_given": has_key, "signatures": verified.signatures,
        "sealed_through": verified.sealed_through, "unsealed_tail": verified.unsealed_tail, "dropped": verified.dropped,
        "opened": verified.opened, "closed": verified.closed, "broken_off": verified.broken_off, "is_open": verified.is_open,
        "superseded": verified.superseded, "unfinished_bytes": verified.unfinished, "keys": verified.keys, "foreign": verified.foreign,
    })
}

fn bad(error: &VerifyError) -> Value {
    match error {
        VerifyError::Bad { file, sequence, finding } if !trust::is_no_checkpoint(error) => {
            json!({ "event": "bad", "file": file, "seq": sequence, "reason": finding.to_string() })
        }
        other => json!({ "event": "unreadable", "reason": other.to_string() }),
    }
}

pub(super) fn export(options: &ExportOptions) -> Result<(), Failure> {
    let origin = trail::origin(options.host.as_deref(), options.service.as_deref());
    let renderer = Renderer::new(options.format, origin);
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut written, mut unknown) = (Ok(()), 0_u64);
    let mut take = |record: Record<'_>| {
        if options.choice.takes(&record) {
            let text = match &record {
                Record::Known(entry) => Some(renderer.render(entry)),
                Record::Unknown(record) => renderer.render_unknown(record.line),
            };
            match text {
                Some(text) => written = writeln!(output, "{text}"),
                None => unknown += 1,
            }
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let read = if options.unverified {
        reading::unverified(&options.directory, &mut take)
    } else {
        let trust = Trust::in_chain(&options.directory, options.archived)?;
        trust.read(take).map(|(_, bad)| bad).map_err(|error| trust::failure(&error))
    };
    let written = written.and_then(|()| output.flush());
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Operation(format!("standard output can't be written: {error}"))),
        Ok(()) => left_out(unknown, read?),
    }
}

/// Says what is not in an export, if anything.
fn left_out(unknown: u64, bad: u64) -> Result<(), Failure> {
    let mut parts = Vec::new();
    if unknown > 0 {
        let unknown = counted(unknown, "record");
        parts.push(format!(
            "{unknown} of events that this version does not know; --format json has every record, or use a newer rtauth"
        ));
    }
    if bad > 0 {
        parts.push(format!("{} that had no record", counted(bad, "line")));
    }
    if parts.is_empty() {
        Ok(())
    } else {
        Err(Failure::Operation(format!("left out {}", parts.join("; and "))))
    }
}

impl Choice {
    /// Whether a record is wanted.
    fn takes(&self, record: &Record<'_>) -> bool {
        let (at, session, event) = match record {
            Record::Known(entry) => {
                (entry.at, entry.session.as_ref().map(|name| name.as_str()), entry.event.name())
            }
            Record::Unknown(Unknown { frame, .. }) => (frame.at, frame.session.as_deref(), &*frame.event),
        };
        self.from.is_none_or(|from| record.sequence() >= from)
            && self.since.is_none_or(|since| at >= since)
            && (self.session.is_empty() || self.session.iter().any(|name| session == Some(name)))
            && (self.event.is_empty() || self.event.iter().any(|name| name == event))
    }
}

pub(super) fn report(options: &ReportOptions) -> Result<(), Failure> {
    let trust = Trust::of(&options.trust)?;
    let destination = Destination::of(&options.out, &options.trust.directory)?;
    let mut report = Report::new();
    let read = trust.read(|record| {
        match record {
            Record::Known(entry) => report.take(&entry),
            Record::Unknown(_) => report.pass_over(1),
        }
        ControlFlow::Continue(())
    });
    if report.choose() {
        // What is wrong with the log is known by now.
        let _ = trust.read(|record| match record {
            Record::Known(entry) if !report.look_again(&entry) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    }
    let (standing, outcome) = match read {
        Ok((verified, bad)) => {
            let mut standing = trust.standing(&verified.unwrap_or_default());
            report.pass_over(bad);
            if let Some(claim) = report.unknown() {
                exit::complain("audit report", &claim.text);
                standing.claims.push(claim);
            }
            (standing, Ok(()))
        }
        Err(error) => match trust::failure(&error) {
            usage @ Failure::Usage(_) => return Err(usage),
            failure => (trust.broken(&error), Err(failure)),
        },
    };
    destination.write(&report.page(&standing))?;
    outcome
}

pub(super) fn key(options: &KeyOptions) -> Result<(), Failure> {
    let key = SigningKey::from_seed(&options.name, rand::random());
    let key = key.map_err(|error| Failure::Usage(format!("--name: {error}")))?;
    let path = options.out.display();
    let unwritable = |error: io::Error| {
        Failure::Usage(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("--out: {path} exists; a key is never written over, move it away first")
            }
            _ => format!("--out: {path} can't be written: {error}"),
        })
    };
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(&options.out).map_err(unwritable)?;
    let written =
        file.write_all(format!("{}\n", key.to_secret().expose()).as_bytes()).and_then(|()| file.sync_all());
    written.map_err(unwritable)?;
    let verifier = key.verifier().to_string();
    if options.json { exit::print(json!({ "verifier_key": verifier })) } else { exit::print(verifier) }
}
