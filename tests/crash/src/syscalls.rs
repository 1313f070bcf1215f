//! Each system call that a session makes at the files of its log fails once, and is the last one once: as Tessera's tests do it.
//!
//! There are two sessions: one that makes a log, and one that finds a log that ends within a record. strace counts the calls of each thread by
//! itself, so a call that two threads make at the same file is met in the one that comes first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::seq::IndexedRandom as _;

use crate::child::{Said, Writer, command, command_below};
use crate::failed::{Done, Failed};
use crate::inspect::{Found, segments};
use crate::log::reopen_and_verify;
use crate::mounts;
use crate::strace::{Call, Fault, calls, injecting, listing, was_injected};

/// How many records a session writes, one after the other.
const RECORDS: usize = 12;

/// How many there are before, in the log that ends within a record.
const RECORDS_BEFORE: usize = 5;

/// So small that a session has several segments.
const SEGMENT_BYTES: &str = "2000";

/// What the faults came to.
#[derive(Debug, Default)]
struct Tally {
    runs: usize,
    met: usize,
    not_opened: usize,
    acknowledged: usize,
    refused: usize,
    complaints: Vec<String>,
}

pub(crate) fn run(sample: Option<usize>) -> Done {
    let folder = mounts::folder()?;
    let stage = Stage { folder: folder.path().to_owned() };
    stage.prepare_torn_log()?;
    let mut failed = false;
    for (session, survives) in [("fresh", true), ("torn", true), ("careless", false)] {
        let calls = stage.list(session)?;
        let mut tally = Tally::default();
        let faults: Vec<_> =
            calls.iter().flat_map(|call| call.faults().into_iter().map(move |fault| (call, fault))).collect();
        let drawn: Vec<_> = match sample {
            Some(sample) => faults.sample(&mut rand::rng(), sample).collect(),
            None => faults.iter().collect(),
        };
        for (call, fault) in drawn {
            stage.inject(session, call, *fault, &mut tally)?;
        }
        println!("{}", tally.line(session, calls.len(), faults.len()));
        println!("  {}", by_name(&calls));
        // Of the control, one says enough.
        for complaint in tally.complaints.iter().take(if survives { usize::MAX } else { 1 }) {
            println!("  {complaint}");
        }
        failed |= survives != tally.complaints.is_empty() || tally.met == 0;
    }
    if failed {
        Err(Failed::new("a fault was not survived, or the careless control survived all"))
    } else {
        Ok(())
    }
}

impl Tally {
    fn line(&self, session: &str, calls: usize, faults: usize) -> String {
        let Self { runs, met, not_opened, acknowledged, refused, complaints } = self;
        let complaints = complaints.len();
        format!(
            "syscalls, {session}: {calls} calls, {runs} of {faults} faults, {met} met, {not_opened} logs not opened, {acknowledged} \
             acknowledged, {refused} refused, {complaints} complaints"
        )
    }
}

fn by_name(calls: &[Call]) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for call in calls {
        *counts.entry(&call.name).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Where the sessions take place: the same paths each time, since faults are named by path.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A log of a session before, which ends within a record.
    fn prepare_torn_log(&self) -> Done {
        let torn = self.folder.join("torn");
        let mut command = command(&torn, "before")?;
        let (said, status, complaints) = Writer::start(command.args([
            "--records",
            &RECORDS_BEFORE.to_string(),
            "--segment-bytes",
            SEGMENT_BYTES,
        ]))?
        .wait()?;
        if !status.success() || said.acknowledged.len() != RECORDS_BEFORE {
            return Err(Failed(format!("a session without a fault failed: {complaints}")));
        }
        let last = segments(&torn)?.pop().ok_or_else(|| Failed::new("the log has no segment"))?.1;
        let mut text = fs::read(&last)?;
        text.extend_from_slice(b"{\"seq\":7,\"time\":\"20");
        Ok(fs::write(last, text)?)
    }

    fn reset(&self, session: &str) -> Done {
        let log = self.log();
        if log.exists() {
            fs::remove_dir_all(&log)?;
        }
        if session == "torn" {
            copy(&self.folder.join("torn"), &log)?;
        }
        Ok(())
    }

    /// A session below a strace: what it said, and whether it ended by itself.
    fn session(&self, session: &str, mut strace: Command) -> Done<(Said, bool, String)> {
        self.reset(session)?;
        command_below(&mut strace, &self.log(), session)?;
        strace.args(["--records", &RECORDS.to_string(), "--segment-bytes", SEGMENT_BYTES]);
        strace.args((session == "careless").then_some("--careless"));
        let (said, status, complaints) = Writer::start(&mut strace)?.wait()?;
        Ok((said, status.code().is_some(), complaints))
    }

    fn list(&self, session: &str) -> Done<Vec<Call>> {
        let written = self.folder.join("strace");
        let (said, _, complaints) = self.session(session, listing(&written))?;
        if said.acknowledged.len() != RECORDS || !said.closed {
            return Err(Failed(format!("a session without a fault failed: {complaints}")));
        }
        calls(&written, &self.log())
    }

    fn inject(&self, session: &str, call: &Call, fault: Fault, tally: &mut Tally) -> Done {
        let written = self.folder.join("strace");
        let (said, ended, complaints) = self.session(session, injecting(call, fault, &written))?;
        tally.runs += 1;
        tally.met += usize::from(was_injected(&written)?);
        tally.not_opened += usize::from(!said.opened);
        tally.acknowledged += said.acknowledged.len();
        tally.refused += said.refused.len();
        let judged = judge(&self.log(), session, &said, ended, &complaints);
        if let Err(Failed(complaint)) = judged {
            let Call { name, path, number } = call;
            let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            tally.complaints.push(format!("{fault:?} at {name} {number} of {file}: {complaint}"));
        }
        Ok(())
    }
}

/// What must hold after a session, whatever failed in it.
fn judge(log: &Path, session: &str, said: &Said, ended: bool, complaints: &str) -> Done {
    if complaints.contains("panicked") {
        return Err(Failed(format!("the writer panicked: {complaints}")));
    }
    if ended && said.opened && (!said.closed || said.acknowledged.len() + said.refused.len() != RECORDS) {
        return Err(Failed(format!("the session is not accounted for: {complaints}")));
    }
    if ended && !said.opened && complaints.trim().is_empty() {
        return Err(Failed::new("the log was not opened, and nobody was told why"));
    }
    if session != "careless" {
        reopen_and_verify(log)?;
    }
    let found = Found::in_log(log)?;
    let before: Vec<_> = (0..RECORDS_BEFORE).map(|number| format!("before.0.{number}")).collect();
    let missing = found.missing(said.acknowledged.iter().chain(before.iter().filter(|_| session == "torn")));
    if missing > 0 || found.doubled > 0 {
        return Err(Failed(format!("{missing} acknowledged records are lost, {} doubled", found.doubled)));
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Done {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
