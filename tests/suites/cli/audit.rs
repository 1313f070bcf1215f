//! `rtauth audit` against the log of a story that another program wrote: what it accepts, what it names, and what it prints.

use std::collections::BTreeSet;

use super::*;

/// The story's log and the key that verifies it, in a folder.
struct Shelf {
    desk: Desk,
    records: usize,
}

impl Shelf {
    async fn new() -> Self {
        let desk = Desk::new();
        let mut story = Command::new(env!("CARGO_BIN_EXE_audit-story"));
        let told = story.arg(desk.path("log")).output().await.unwrap();
        assert!(told.status.success(), "{told:?}");
        Self { records: String::from_utf8(told.stdout).unwrap().trim().parse().unwrap(), desk }
    }

    async fn audit(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.desk.run(&[&["audit"], arguments].concat()).await;
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), stdout, stderr)
    }

    /// The segments, the first one first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.desk.path("log")).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")).collect();
        segments.sort();
        segments
    }

    /// Changes a text of the first segment.
    fn tamper(&self, from: &str, to: &str) {
        let path = &self.segments()[0];
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

#[tokio::test]
async fn an_untouched_log_is_verified_and_what_is_not_known_is_said() {
    let shelf = Shelf::new().await;
    let (code, stdout, stderr) = shelf.audit(&["verify", "log", "--key", "log.vkey"]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("the chain is whole from record 1 to record 141"), "{stdout}");
    assert!(stdout.contains("The last 4 records, after 137, are not sealed yet"), "{stdout}");
    assert!(stdout.contains("37 events are in no record"), "{stdout}");
    let key = fs::read_to_string(shelf.desk.path("log.vkey")).unwrap();
    let (_, json, _) = shelf.audit(&["verify", "log", "--json", "--key", key.trim()]).await;
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(told["records"].as_u64(), Some(shelf.records as u64));
    assert_eq!((&told["sealed_through"], &told["unsealed_tail"]), (&137.into(), &4.into()));
    assert!(stdout.ends_with(&format!("head {}\n", told["head"].as_str().unwrap())));
    let (_, keyless, _) = shelf.audit(&["verify", "log"]).await;
    assert!(keyless.contains("No signature was checked, since no key was given"), "{keyless}");
}

#[tokio::test]
async fn the_first_record_that_was_changed_is_named() {
    let shelf = Shelf::new().await;
    shelf.tamper("\"latency_ms\":", "\"latency_ms\":1");
    let (code, _, stderr) = shelf.audit(&["verify", "log"]).await;
    let first = fs::read_to_string(&shelf.segments()[0]).unwrap();
    let bad = 1 + first.lines().position(|line| line.contains("\"latency_ms\":")).unwrap();
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("00000000000000000001.jsonl, record {bad}: ")), "{stderr}");
    let (code, json, _) = shelf.audit(&["verify", "log", "--json"]).await;
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, told["event"].as_str(), told["seq"].as_u64()),
        (Some(1), Some("bad"), Some(bad as u64))
    );

    let (code, exported, _) = shelf.audit(&["export", "log", "--format", "json"]).await;
    assert_eq!((code, exported.lines().count()), (Some(1), bad - 1), "an export ends before it");
    let (code, exported, _) = shelf.audit(&["export", "log", "--format", "json", "--unverified"]).await;
    assert_eq!(
        (code, exported.lines().count()),
        (Some(0), shelf.records),
        "unless nothing is to be verified"
    );
    let (code, _, _) = shelf.audit(&["report", "log", "--out", "report.html"]).await;
    let page = fs::read_to_string(shelf.desk.path("report.html")).unwrap();
    assert_eq!(code, Some(1));
    assert!(
        page.contains("This log can&#39;t be trusted")
            && page.contains(&format!("data-records=\"{}\"", bad - 1))
    );
}

#[tokio::test]
async fn records_cut_off_the_end_are_missed_with_an_older_checkpoint_and_found_with_the_newest() {
    let shelf = Shelf::new().await;
    let last = &shelf.segments()[1];
    let text = fs::read_to_string(last).unwrap();
    let cut: String = text.lines().take(20).flat_map(|line| [line, "\n"]).collect();
    fs::write(last, cut).unwrap();
    let (code, _, stderr) = shelf.audit(&["verify", "log", "--key", "log.vkey"]).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("the checkpoint covers 137 records"), "{stderr}");
    let kept = shelf.desk.path("log").join("checkpoint");
    fs::rename(&kept, shelf.desk.path("kept.checkpoint")).unwrap();
    let (code, _, stderr) = shelf.audit(&["verify", "log", "--key", "log.vkey"]).await;
    assert_eq!(code, Some(1), "it is missed: {stderr}");
    // An older one in its place is signed as well.
    fs::copy(shelf.segments()[0].with_extension("checkpoint"), kept).unwrap();
    let (code, _, stderr) = shelf.audit(&["verify", "log", "--key", "log.vkey"]).await;
    assert_eq!(code, Some(0), "the control: {stderr}");
    let given = ["verify", "log", "--key", "log.vkey", "--checkpoint", "kept.checkpoint"];
    let (code, _, stderr) = shelf.audit(&given).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("records were cut off"), "{stderr}");
}

#[tokio::test]
async fn what_is_no_log_is_told_apart_from_a_log_that_is_wrong() {
    let shelf = Shelf::new().await;
    fs::create_dir(shelf.desk.path("empty")).unwrap();
    shelf.desk.put("file.jsonl", "{}\n");
    let segment = "00000000000000000001.jsonl";
    for (name, bytes) in [("binary", &[0xff_u8, 0xfe, b'\n'][..]), ("long", &[b'x'; 10_000_000])] {
        fs::create_dir(shelf.desk.path(name)).unwrap();
        fs::write(shelf.desk.path(name).join(segment), bytes).unwrap();
    }
    for (directory, code, says) in [
        ("missing", 2, "missing can't be read: No such file"),
        ("empty", 2, "there is no audit log in empty"),
        ("file.jsonl", 2, "file.jsonl is a file; an audit log is a directory"),
        ("binary", 1, "record 1: "),
        ("long", 1, "the line is longer than any record"),
    ] {
        for command in [&["verify"][..], &["export", "--format", "json"], &["report", "--out", "r.html"]] {
            let (ended, stdout, stderr) = shelf.audit(&[command, &[directory]].concat()).await;
            assert_eq!(ended, Some(code), "{command:?} {directory}: {stderr}");
            assert!(stderr.contains(says) && stdout.is_empty(), "{command:?} {directory}: {stderr}");
        }
        // What is no record is shown as it is, or told of where it is too long, and the rest is shown all the same.
        let shown = ["binary", "long"].contains(&directory);
        let (ended, _, stderr) = shelf.audit(&["tail", directory]).await;
        assert_eq!(ended, Some(if shown { 0 } else { code }), "tail {directory}: {stderr}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_apart_from_a_log_that_is_wrong() {
    let shelf = Shelf::new().await;
    let (code, other, _) = shelf.audit(&["key", "--out", "other.key", "--name", "story.example"]).await;
    assert_eq!(code, Some(0));
    let (code, _, stderr) = shelf.audit(&["verify", "log", "--key", other.trim()]).await;
    assert_eq!(code, Some(1), "{stderr}");
    for (key, says) in [
        ("other.key", "holds the signing key"),
        ("nowhere.vkey", "nowhere.vkey can't be read"),
        ("story.example+00000000+AAAA", "--key: "),
        ("secret", "--key: "),
    ] {
        let (code, _, stderr) = shelf.audit(&["verify", "log", "--key", key]).await;
        assert_eq!(code, Some(2), "{key}: {stderr}");
        assert!(
            stderr.contains(says) && !stderr.contains("canary") && !stderr.contains("PRIVATE"),
            "{key}: {stderr}"
        );
    }
}

#[tokio::test]
async fn a_key_is_its_owners_only_and_never_written_over() {
    let shelf = Shelf::new().await;
    let (code, verifier, _) = shelf.audit(&["key", "--out", "audit.key"]).await;
    assert_eq!(code, Some(0));
    assert!(verifier.starts_with("audit+"), "{verifier}");
    let path = shelf.desk.path("audit.key");
    let key = fs::read_to_string(&path).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert!(key.starts_with("PRIVATE+KEY+audit+"), "it is a signing key");
    assert_eq!(mode & 0o777, 0o600);
    let (code, stdout, stderr) = shelf.audit(&["key", "--out", "audit.key"]).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert_eq!(fs::read_to_string(&path).unwrap(), key);
    let (code, _, stderr) = shelf.audit(&["key", "--out", "b.key", "--name", "two words"]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(!shelf.desk.path("b.key").exists());
}

#[tokio::test]
async fn every_format_has_one_line_for_each_record() {
    let shelf = Shelf::new().await;
    let mut lines = BTreeSet::new();
    for format in ["json", "generic", "siem", "ecs", "ocsf", "cef", "syslog", "hec"] {
        let (code, exported, stderr) =
            shelf.audit(&["export", "log", "--format", format, "--host", "h"]).await;
        assert_eq!((code, exported.lines().count()), (Some(0), shelf.records), "{format}: {stderr}");
        lines.insert(exported.lines().last().unwrap().to_owned());
    }
    assert_eq!(lines.len(), 8, "they differ");
    let (code, _, stderr) = shelf.audit(&["export", "log", "--format", "xml"]).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("ocsf"), "it says what there is: {stderr}");
}

#[tokio::test]
async fn an_export_has_what_was_asked_for_and_no_more() {
    let shelf = Shelf::new().await;
    let all = ["export", "log", "--format", "json"];
    let numbers = async |asked: &[&str]| -> Vec<u64> {
        let (code, exported, stderr) = shelf.audit(&[&all, asked].concat()).await;
        assert_eq!(code, Some(0), "{stderr}");
        let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
        exported.lines().map(number).collect()
    };
    assert_eq!(numbers(&["--from", "139"]).await, [139, 140, 141]);
    assert_eq!(numbers(&["--since", "2026-11-22T04:55:01.250Z"]).await, [139, 140, 141]);
    assert!(numbers(&["--since", "2026-11-23"]).await.is_empty());
    let failed = numbers(&["--event", "session_failed", "--event", "records_dropped"]).await;
    assert_eq!(failed.len(), 2);
    let presence = numbers(&["--session", "presence"]).await;
    assert!(!presence.is_empty() && presence.len() < shelf.records);
    assert!(numbers(&["--session", "presence", "--event", "records_dropped"]).await.is_empty());
}

#[tokio::test]
async fn whoever_has_seen_enough_of_an_export_may_go() {
    let shelf = Shelf::new().await;
    let mut export = shelf.desk.rtauth(&["audit", "export", "log", "--format", "json"]);
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(export.stdout.take());
    let output = tokio::time::timeout(PATIENCE, export.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test]
async fn the_last_records_are_shown_across_segments() {
    let shelf = Shelf::new().await;
    let second = fs::read_to_string(&shelf.segments()[1]).unwrap().lines().count();
    let (code, shown, _) =
        shelf.audit(&["tail", "log", "--json", "--lines", &(second + 2).to_string()]).await;
    assert_eq!((code, shown.lines().count()), (Some(0), second + 2));
    let last: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    assert_eq!(last["seq"].as_u64(), Some(shelf.records as u64));
    let (_, shown, _) = shelf.audit(&["tail", "log", "--lines", "1"]).await;
    assert!(shown.contains("04:55:01  orders       ✓ authenticated"), "{shown}");
}

#[tokio::test]
async fn a_log_is_followed_into_its_next_segment() {
    let shelf = Shelf::new().await;
    let [first, second] = <[PathBuf; 2]>::try_from(shelf.segments()).unwrap();
    let rest = fs::read_to_string(&second).unwrap();
    fs::remove_file(&second).unwrap();
    let text = fs::read_to_string(&first).unwrap();
    let (begin, end) = text.split_at(text.trim_end().rfind('\n').unwrap() + 30);
    fs::write(&first, begin).unwrap();

    let mut tail = shelf.desk.rtauth(&["audit", "tail", "log", "--follow", "--json", "--lines", "1"]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut number = async || -> u64 {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["seq"].as_u64().unwrap()
    };
    let last = text.lines().count() as u64;
    assert_eq!(number().await, last - 1, "a record that is not finished is not shown");
    fs::OpenOptions::new()
        .append(true)
        .open(&first)
        .map(|mut file| std::io::Write::write_all(&mut file, end.as_bytes()).unwrap())
        .unwrap();
    assert_eq!(number().await, last);
    fs::write(&second, &rest).unwrap();
    assert_eq!([number().await, number().await], [last + 1, last + 2]);
    tail.kill().await.unwrap();
}

#[tokio::test]
async fn a_report_of_a_log_counts_what_the_log_has() {
    let shelf = Shelf::new().await;
    let (code, stdout, stderr) =
        shelf.audit(&["report", "log", "--key", "log.vkey", "--out", "report.html"]).await;
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""));
    let page = fs::read_to_string(shelf.desk.path("report.html")).unwrap();
    assert!(page.contains("All 141 records fit together, and 137 are sealed"));
    assert!(page.contains(r#"data-records="141" data-sessions="3""#));
    let (code, same, _) = shelf.audit(&["report", "log", "--key", "log.vkey", "--out", "-"]).await;
    assert_eq!((code, same), (Some(0), page), "the same log makes the same page");
    let (code, _, stderr) = shelf.audit(&["report", "log", "--out", "nowhere/report.html"]).await;
    assert_eq!(code, Some(1), "{stderr}");
}
