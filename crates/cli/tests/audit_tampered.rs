//! `rtauth audit` with logs that somebody else wrote: of a later version, broken, or made to act upon whoever looks at them.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A log of lines that fit each other, whatever they say.
struct Log {
    folder: TempDir,
    lines: Vec<String>,
    previous: String,
}

impl Log {
    fn new(origin: &str, key: &str) -> Self {
        let mut log =
            Self { folder: tempfile::tempdir().unwrap(), lines: Vec::new(), previous: "0".repeat(64) };
        log.push(&format!(
            r#""event":"segment_opened","origin":"{origin}","reason":"created","first":1,"peaks":[],"verifier_key":{key}"#
        ));
        log
    }

    fn push(&mut self, members: &str) {
        let (number, previous) = (self.lines.len() + 1, &self.previous);
        let record =
            format!(r#"{{"seq":{number},"time":"2026-11-22T05:00:00.000Z",{members},"prev":"{previous}""#);
        let hash: String =
            Sha256::digest(record.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        self.lines.push(format!("{record},\"hash\":\"{hash}\"}}"));
        self.previous = hash;
    }

    fn write(&self, first: u64, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.folder.path().join(format!("{first:020}.jsonl")), text).unwrap();
    }

    fn written(self) -> TempDir {
        self.write(1, &self.lines);
        self.folder
    }
}

fn rtauth(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtauth"));
    command.args(["audit"]).args(line.split(' ')).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const CLOSED: &str = r#""event":"session_closed","lasted_ms":5"#;
const LATER: &str = r#""session":"a","event":"of_a_later_version","what":"a \"prev\":\" of its own""#;

#[test]
fn a_record_of_a_later_version_is_exported_as_it_is_or_missed_loudly() {
    let mut log = Log::new("log", "null");
    log.push(LATER);
    log.push(CLOSED);
    let folder = log.written();
    let run = |line: &str| rtauth(folder.path(), line);

    let json = run("export . --format json");
    assert_eq!(json.status.code(), Some(0), "{json:?}");
    let later = format!(r#"{{"seq":2,"time":"2026-11-22T05:00:00.000Z",{LATER}}}"#);
    assert_eq!(text(&json.stdout).lines().nth(1), Some(&*later));
    assert_eq!(text(&json.stdout).lines().count(), 3);

    let ecs = run("export . --format ecs");
    assert_eq!((ecs.status.code(), text(&ecs.stdout).lines().count()), (Some(1), 2));
    assert!(text(&ecs.stderr).contains("left out 1 record of events"), "{ecs:?}");
    let chosen = run("export . --format ecs --event session_closed");
    assert_eq!((chosen.status.code(), text(&chosen.stdout).lines().count()), (Some(0), 1), "the control");

    let report = run("report . --out -");
    assert_eq!(report.status.code(), Some(0), "{report:?}");
    assert!(text(&report.stdout).contains(r#"data-records="3""#));
    assert!(text(&report.stdout).contains("1 record of events that this version does not know"));
    assert!(text(&report.stderr).contains("1 record of events"), "{report:?}");
}

#[test]
fn a_broken_log_is_read_on_behind_each_line_that_is_no_record() {
    let mut log = Log::new("log", "null");
    for _ in 0..5 {
        log.push(CLOSED);
    }
    let mut lines = log.lines.clone();
    lines.insert(2, "no record".to_owned());
    log.write(1, &lines);
    // As after a fault of the disk: the records from the fifth on are here again.
    log.write(5, &log.lines[4..]);
    let output = rtauth(log.folder.path(), "export . --format json --unverified");
    let numbers: Vec<u64> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let told = text(&output.stderr);
    assert!(told.contains("00000000000000000001.jsonl: line 3 is no record"), "{told}");
    assert!(told.contains("2 records at its end are left out"), "{told}");
    assert_eq!(output.status.code(), Some(1), "{told}");
    let verified = rtauth(log.folder.path(), "export . --format json");
    assert_eq!(text(&verified.stdout).lines().count(), 2, "the control: a verified export ends there");
}

#[test]
fn no_log_acts_upon_the_terminal_of_whoever_looks_at_it() {
    const ESCAPE: &str = r"\u001b[2J\u009b31m\u202e\u2066\n";
    let mut log = Log::new(ESCAPE, &format!("\"{ESCAPE}\""));
    log.push(&format!(r#""session":"{ESCAPE}{}","event":"session_closed","lasted_ms":5"#, '\u{202e}'));
    log.push(&format!(r#""event":"later","what":"{}""#, '\u{9b}'));
    let folder = log.written();
    let broken = folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::copy(folder.path().join("00000000000000000001.jsonl"), broken.join("00000000000000000001.jsonl"))
        .unwrap();
    let mut bytes = fs::read(broken.join("00000000000000000001.jsonl")).unwrap();
    bytes.extend_from_slice(b"\x1b[2J\xc2\x9b31m \xff broken\n");
    fs::write(broken.join("00000000000000000001.jsonl"), bytes).unwrap();
    fs::write(folder.path().join("foreign\u{1b}[2J"), "").unwrap();
    let made = rtauth(folder.path(), "key --out audit.key");
    let key = text(&made.stdout);
    for line in [
        "verify .",
        "verify . --json",
        &format!("verify . --key {}", key.trim()),
        &format!("verify . --json --key {}", key.trim()),
        "verify broken",
        "tail .",
        "tail . --json",
        "tail broken",
        "tail broken --json",
        "export . --format json",
        "export broken --format json --unverified",
    ] {
        let output = rtauth(folder.path(), line);
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        let acts = |character: &char| {
            (character.is_control() && *character != '\n')
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert_eq!(shown.chars().find(acts), None, "{line}: {shown:?}");
        assert!(shown.len() > 20, "the control: {line} shows something: {output:?}");
    }
}

#[test]
fn what_no_key_vouches_for_is_not_said_to_be_unchanged() {
    let folder = Log::new("log", "null").written();
    let said = text(&rtauth(folder.path(), "verify .").stdout);
    assert!(said.contains("Each record fits the one before"), "{said}");
    assert!(!said.contains("No record was"), "{said}");
}
