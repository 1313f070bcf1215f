//! The page of `rtauth audit report` in a real browser: it counts what the log has, and does nothing that it should not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Absent, Outcome, Report, debian};
use crate::chromium::{self, Chromium, Loaded};
use crate::shell::{Done, cargo, quietly, root};

const PEER: &str = "Chromium";

/// A page that does all that a report must not: if nothing of it is noticed, nothing would be noticed of a report.
const CONTROL: &str = "<!doctype html><title>x</title><script>console.error('noticed');document.title='stranger'</script>\
    <img src=\"http://report.example/fetched\"><b id=stranger>";

pub(super) fn run() -> Done<Vec<Outcome>> {
    let missing = || chromium::installed().is_none().then_some("chromium");
    if let Err(Absent(reason)) = debian::provide(&["chromium"], missing)? {
        return Ok(vec![Outcome::Absent { peer: PEER, reason }]);
    }
    let folder = tempfile::tempdir()?;
    let (page, log) = story(folder.path(), true)?;
    let browser = Chromium::new()?;
    let loaded = browser.load(&page)?;
    let scriptless = browser.load(&without_script(&page)?)?;
    let control_page = folder.path().join("control.html");
    fs::write(&control_page, CONTROL)?;
    let control = browser.load(&control_page)?;
    let counts = Counts::of(&log)?;
    let rows = |loaded: &Loaded| loaded.dom.matches("<td class=\"detail\"").count();
    let cases = [
        ("the counts are those of the log", counts.are_in(&loaded.dom)),
        ("a label of a stranger's makes no element", !has_stranger(&loaded.dom)),
        ("the label is there as text", loaded.dom.contains("&lt;img src=x onerror=")),
        ("nothing is asked for over a network", loaded.requests.is_empty()),
        ("nothing is written to the console", loaded.console.is_empty()),
        ("the script has shown the filter", !loaded.dom.contains("id=\"filter\" hidden")),
        ("without the script there is no filter", scriptless.dom.contains("id=\"filter\" hidden")),
        (
            "without the script there is all else",
            rows(&scriptless) == rows(&loaded) && counts.are_in(&scriptless.dom),
        ),
        ("a request would be noticed", !control.requests.is_empty()),
        ("a message on the console would be noticed", !control.console.is_empty()),
        ("an element would be noticed", has_stranger(&control.dom)),
    ];
    for (case, _) in cases.iter().filter(|(_, holds)| !holds) {
        eprintln!("does not hold: {case}");
    }
    let version = chromium::installed().unwrap_or_default();
    Ok(vec![Outcome::Ran(Report {
        peer: PEER,
        version: version.split_whitespace().nth(1).unwrap_or_default().to_owned(),
        cases: cases.len(),
        passed: cases.iter().filter(|(_, holds)| *holds).count(),
        counts: vec![("records", counts.records), ("bytes", fs::metadata(&page)?.len())],
    })])
}

/// Makes the page of the story's hour, with hostile labels or without, and the log that it is of.
pub(crate) fn story(folder: &Path, is_hostile: bool) -> Done<(PathBuf, PathBuf)> {
    quietly(&mut cargo(&[
        "build",
        "--locked",
        "-p",
        "rtauth",
        "-p",
        "realtime-auth-tests",
        "--bin",
        "rtauth",
        "--bin",
        "audit-story",
    ]))?;
    let programs = root().canonicalize()?.join("target").join("debug");
    let mut story = Command::new(programs.join("audit-story"));
    quietly(story.current_dir(folder).arg("audit").args(is_hostile.then_some("--hostile")))?;
    let report = ["audit", "report", "audit", "--key", "audit.vkey", "--out", "report.html"];
    quietly(Command::new(programs.join("rtauth")).current_dir(folder).args(report))?;
    Ok((folder.join("report.html"), folder.join("audit")))
}

/// A copy of the page without its script: for the browser has no way to switch scripts off that leaves the page readable.
fn without_script(page: &Path) -> Done<PathBuf> {
    let text = fs::read_to_string(page)?;
    let (before, after) = text.split_once("<script>").unwrap_or((&text, ""));
    let after = after.split_once("</script>").map_or("", |(_, after)| after);
    let copy = page.with_file_name("scriptless.html");
    fs::write(&copy, format!("{before}{after}"))?;
    Ok(copy)
}

/// Whether the label of the story's stranger, or the control's, became an element or was run.
fn has_stranger(dom: &str) -> bool {
    dom.contains("<img") || dom.contains("id=\"stranger\"") || dom.contains("<title>stranger")
}

/// What there is in a log, by its lines alone.
struct Counts {
    records: u64,
    sessions: usize,
    events: BTreeMap<String, u64>,
}

impl Counts {
    fn of(log: &Path) -> Done<Self> {
        let mut counts = Self { records: 0, sessions: 0, events: BTreeMap::new() };
        let mut sessions = BTreeSet::new();
        for entry in fs::read_dir(log)? {
            let path = entry?.path();
            if path.extension().is_none_or(|kind| kind != "jsonl") {
                continue;
            }
            for line in fs::read_to_string(path)?.lines() {
                let record: Value = serde_json::from_str(line)?;
                counts.records += 1;
                sessions.extend(record["session"].as_str().map(str::to_owned));
                *counts.events.entry(record["event"].as_str().unwrap_or_default().to_owned()).or_default() +=
                    1;
            }
        }
        counts.sessions = sessions.len();
        Ok(counts)
    }

    fn are_in(&self, dom: &str) -> bool {
        let Self { records, sessions, events } = self;
        let event = |(name, count): (&String, &u64)| dom.contains(&format!("data-event=\"{name}\">{count}<"));
        dom.contains(&format!("data-records=\"{records}\" data-sessions=\"{sessions}\""))
            && dom.matches("data-event=").count() == events.len()
            && events.iter().all(event)
    }
}
