//! What `rtauth audit --help` shows is tried as it stands, in a shell: a demo leaves a sealed log, and all else reads it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder in which `rtauth` is a command.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rtauth"), folder.path().join("rtauth")).unwrap();
    folder
}

fn shell(folder: &Path, line: &str) -> Output {
    let line = format!("PATH=\"$PWD:$PATH\"; {line}");
    Command::new("sh").args(["-c", &line]).current_dir(folder).output().unwrap()
}

/// The examples in the help of a command; what filters JSON is another program, and what follows a log has no end.
fn examples(folder: &Path, command: &str) -> Vec<String> {
    let help = shell(folder, &format!("rtauth audit {command} --help"));
    let help = String::from_utf8(help.stdout).unwrap();
    let lines = help.lines().filter_map(|line| line.strip_prefix("    rtauth "));
    let lines = lines.filter(|line| !line.contains("--follow"));
    lines.map(|line| format!("rtauth {}", line.split(" | ").next().unwrap())).collect()
}

#[test]
fn the_examples_of_the_help_work_one_after_the_other() {
    let desk = desk();
    let folder = desk.path();
    let story = examples(folder, "");
    let run = |line: &str| {
        let output = shell(folder, line);
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(story.len(), 6, "{story:?}");
    let said: Vec<_> = story.iter().map(|line| run(line)).collect();
    assert!(
        said[2].contains("Records as far as ") && said[2].contains("are sealed by the key audit+"),
        "{}",
        said[2]
    );
    assert_eq!(said[5].lines().count(), 5);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("are what was written") && page.contains("<b>demo</b>"));
    let events = fs::read_to_string(folder.join("events.ndjson")).unwrap();
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|event| event["@timestamp"].is_string()) && events.len() > 20);

    fs::copy(folder.join("audit/checkpoint"), folder.join("yesterday.checkpoint")).unwrap();
    // Where there is one key, it is the old one and the new one.
    for key in ["old.vkey", "new.vkey"] {
        fs::copy(folder.join("audit.vkey"), folder.join(key)).unwrap();
    }
    for command in ["verify", "export", "tail", "report"] {
        let examples = examples(folder, command);
        assert!(!examples.is_empty(), "{command}");
        for line in examples {
            run(&line);
        }
    }
    let fresh = self::desk();
    for line in examples(fresh.path(), "key") {
        let output = shell(fresh.path(), &line);
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
    }
    assert!(
        fs::read_to_string(fresh.path().join("gateway.vkey"))
            .unwrap()
            .starts_with("gateway.example.com/audit+")
    );
}

#[test]
fn a_directory_that_can_not_be_read_is_no_verdict() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk();
    let closed = desk.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        // Whoever may do anything is refused nothing.
        return;
    }
    let output = shell(desk.path(), "rtauth audit verify closed");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("ermission denied"), "{output:?}");
}

#[test]
fn a_key_for_a_log_must_be_a_signing_key() {
    let desk = desk();
    let made = shell(desk.path(), "rtauth audit key --out audit.key > audit.vkey");
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    for (flags, says) in [
        ("--audit audit --audit-key-file audit.vkey", "--audit-key-file: a signing key has the form"),
        ("--audit audit --audit-key-file nowhere", "nowhere can't be read"),
        ("--audit-key-file audit.key", "--audit <DIR>"),
    ] {
        let output = shell(desk.path(), &format!("rtauth demo {flags}"));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{output:?}");
    }
    assert!(!desk.path().join("audit").exists(), "nothing is begun with a wrong key");
}

#[test]
fn standard_input_is_one_secret_and_not_the_key_of_the_log_too() {
    let desk = desk();
    let made = shell(desk.path(), "rtauth audit key --out audit.key > audit.vkey");
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let connect =
        "rtauth connect --dialect bearer-header --url ws://127.0.0.1:1 --source static --token-file";
    let both = format!("{connect} - --audit audit --audit-key-file - < audit.key");
    let output = shell(desk.path(), &both);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--token-file and --audit-key-file can't both come from standard input"), "{told}");
    assert!(!desk.path().join("audit").exists(), "nothing is begun");
}

/// A folder with a sealed log in `audit`, and its key.
fn desk_with_log() -> TempDir {
    let desk = desk();
    let made = shell(
        desk.path(),
        "rtauth audit key --out audit.key > audit.vkey && rtauth demo --audit audit --audit-key-file audit.key",
    );
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    desk
}

/// All files of a folder, with what they hold.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_page_is_written_over_nothing_but_a_page() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk_with_log();
    let folder = desk.path();
    fs::write(folder.join("other.html"), "<!doctype html>\n<html>of somebody else's</html>\n").unwrap();
    std::os::unix::fs::symlink("audit/00000000000000000001.jsonl", folder.join("link.html")).unwrap();
    std::os::unix::fs::symlink("audit", folder.join("place")).unwrap();
    let before = (contents(folder), contents(&folder.join("audit")));
    for (out, says) in [
        ("audit/00000000000000000001.jsonl", "is in the directory of the log"),
        ("audit/report.html", "is in the directory of the log"),
        ("place/report.html", "is in the directory of the log"),
        ("link.html", "is in the directory of the log"),
        ("audit.key", "is not a page of rtauth audit report"),
        ("other.html", "is not a page of rtauth audit report"),
        ("audit", "is a directory"),
    ] {
        let output = shell(folder, &format!("rtauth audit report audit --out {out}"));
        assert_eq!(output.status.code(), Some(2), "{out}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{out}: {output:?}");
        assert!((contents(folder), contents(&folder.join("audit"))) == before, "{out}: nothing is changed");
    }
    for _ in 0..2 {
        let output = shell(folder, "umask 0; rtauth audit report audit --out report.html");
        assert_eq!(output.status.code(), Some(0), "the control, and a page over a page: {output:?}");
    }
    let mode = fs::metadata(folder.join("report.html")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "the page has the names that the log has");
    assert_eq!(contents(folder).len(), before.0.len() + 1, "nothing else is left there");
}

#[test]
fn a_place_that_can_not_be_written_is_a_failed_output() {
    let desk = desk_with_log();
    for out in ["nowhere/report.html", "/dev/full"] {
        let output = shell(desk.path(), &format!("rtauth audit report audit --out {out}"));
        assert_eq!(output.status.code(), Some(1), "{out}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("can't be written"), "{output:?}");
    }
    let output = shell(desk.path(), "rtauth audit report audit --out /dev/stdout | head -c 15");
    assert_eq!(output.stdout, b"<!doctype html>", "the control: {output:?}");
}

#[test]
fn the_help_shows_json_as_it_is() {
    for command in ["verify", "key"] {
        let help = shell(desk().path(), &format!("rtauth audit {command} --help"));
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains("{\"") && !help.contains("{\\\""), "{help}");
    }
}

#[test]
fn what_is_no_checkpoint_and_who_reads_no_verdict_say_nothing_about_the_log() {
    let desk = desk_with_log();
    let code = |line: &str| {
        let output = shell(desk.path(), line);
        (output.status.code(), format!("{output:?}"))
    };
    for key in ["", " --key audit.vkey"] {
        let (code, said) = code(&format!("rtauth audit verify audit{key} --checkpoint audit.vkey"));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--checkpoint: the checkpoint kept elsewhere is none"), "{said}");
    }
    let closed = "{ rtauth audit verify audit; echo $? >code; } | true; cat code";
    assert!(code(closed).1.contains(r#"stdout: "0\n""#), "{}", code(closed).1);

    // The control: another log's checkpoint is a finding, and a changed log is one whoever reads of it.
    let other = desk_with_log();
    fs::copy(other.path().join("audit/checkpoint"), desk.path().join("other.checkpoint")).unwrap();
    let (found, said) = code("rtauth audit verify audit --checkpoint other.checkpoint");
    assert_eq!(found, Some(1), "{said}");
    let segment = desk.path().join("audit/00000000000000000001.jsonl");
    fs::write(&segment, fs::read_to_string(&segment).unwrap().replace("demo", "demi")).unwrap();
    assert!(code(closed).1.contains(r#"stdout: "1\n""#), "{}", code(closed).1);
}

#[test]
fn an_event_that_is_none_is_named_with_those_that_are_near() {
    let desk = desk();
    fs::create_dir(desk.path().join("audit")).unwrap();
    let output = shell(desk.path(), "rtauth audit export audit --format json --event sesion_failed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("'sesion_failed'") && said.contains("'session_failed'"), "{said}");
}

#[test]
fn a_log_that_is_moved_away_is_waited_for() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    let (desk, log) = (desk(), desk_with_log());
    let audit = desk.path().join("audit");
    let records = fs::read_to_string(log.path().join("audit/00000000000000000001.jsonl")).unwrap();
    let records: Vec<_> = records.lines().collect();
    fs::create_dir(&audit).unwrap();
    fs::write(audit.join("00000000000000000001.jsonl"), format!("{}\n", records[0])).unwrap();
    let mut tail = Command::new(env!("CARGO_BIN_EXE_rtauth"));
    tail.args(["audit", "tail", "audit", "--follow", "--json"]).current_dir(desk.path());
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), records[0]);
    // It reads what is written where the log was moved to, so it has seen that the log is not in its place.
    let moved = desk.path().join("moved");
    fs::rename(&audit, &moved).unwrap();
    let mut segment =
        fs::OpenOptions::new().append(true).open(moved.join("00000000000000000001.jsonl")).unwrap();
    for record in &records[1..3] {
        std::io::Write::write_all(&mut segment, format!("{record}\n").as_bytes()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), *record);
    }
    fs::create_dir(&audit).unwrap();
    fs::write(audit.join("00000000000000000004.jsonl"), format!("{}\n", records[3])).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), records[3]);
    tail.kill().unwrap();
    tail.wait().unwrap();
}
