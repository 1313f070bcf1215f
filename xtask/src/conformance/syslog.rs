//! The syslog sink of `audit`, to Debian's rsyslog. What it wrote down is in `target/peers/syslog`.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::cases::Program;
use super::peers::target;
use super::{Absent, Outcome, debian};
use crate::shell::Done;

/// Our side, which starts, stops and restarts the receiver itself.
const CASES: Program = Program("syslog-peer-cases");

const PEER: &str = "rsyslog";

/// Where Debian keeps servers, which not everybody searches.
const PROGRAM: &str = "/usr/sbin/rsyslogd";

/// Its modules are in a folder that is named after the processor.
const TLS: &str = "rsyslog/lmnsd_gtls.so";

pub(super) fn run(stop: u64) -> Done<Vec<Outcome>> {
    let missing = || {
        let module = !has_module();
        version().is_none().then_some(PROGRAM).or_else(|| module.then_some(TLS))
    };
    if let Err(Absent(reason)) = debian::provide(&["rsyslog", "rsyslog-gnutls"], missing)? {
        return Ok(vec![Outcome::Absent { peer: PEER, reason }]);
    }
    let folder = target()?.join("syslog");
    // What an earlier run received is no news.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let settings = json!({ "program": PROGRAM, "folder": folder, "stop_seconds": stop });
    Ok(vec![CASES.with(PEER, version().unwrap_or_default(), &settings.to_string())])
}

/// As `rsyslogd -v` says it: `rsyslogd  8.2302.0 (aka 2023.02) compiled with:`.
fn version() -> Option<String> {
    let output = Command::new(PROGRAM).arg("-v").output().ok()?;
    let stated = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(stated.split_whitespace().nth(1)?.to_owned())
}

fn has_module() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join(TLS)).any(|module| module.exists())
}
