//! Token requests that Ably's own libraries sign, against ours, both ways.
//!
//! Each library and we sign the same sets of parameters. In each set
//!
//! * the capability text that the library signed is the one that [`texts`] foretells;
//! * where that is also ours, everything is the same, the MAC byte for byte: *identical*;
//! * where it is not, the MAC that we compute over the library's text is the library's, and the text means to us what
//!   was asked for: *own text*;
//! * a `clientId` with control characters, which the libraries sign, is refused by us, on both ends: *refused*;
//! * what the library sends, as it sends it, is read and verified by us;
//! * with one character of one signed value changed it is refused for its MAC.
//!
//! Not asked for, since there is no answer to compare: what the libraries' types or ours don't take (an empty
//! capability, an empty list of operations, unknown operations, a resource that is named twice in one text, half of a
//! surrogate pair), and what a library draws itself (a timestamp or a nonce).

mod forgeries;
mod sets;
mod texts;

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use self::forgeries::forgeries;
use self::sets::{Resources, Set};
use super::peers::{self, Script, target};
use super::{Absent, Outcome, Present, Report};
use crate::shell::{Done, Failed, cargo, read};

const SETS: usize = 1_000;

/// One of Ably's libraries.
struct Library {
    peer: &'static str,
    version: String,
    /// The text that it signs for a capability.
    text: fn(&Resources) -> String,
    /// What signs with it.
    command: Command,
}

pub(super) fn run(seed: Option<u64>) -> Done<Vec<Outcome>> {
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(()));
    let libraries = [("ably-js", javascript()?), ("ably-python", python()?)];
    let sets: Vec<_> = (0..SETS).map(|number| Set::draw(seed, number)).collect();
    let folder = target()?.join("token-request");
    fs::create_dir_all(&folder)?;
    let asked = folder.join("sets.jsonl");
    fs::write(&asked, sets.iter().map(|set| set.line() + "\n").collect::<String>())?;

    let mut outcomes = Vec::new();
    let mut signed = None;
    for (peer, library) in libraries {
        outcomes.push(match library {
            Err(Absent(reason)) => Outcome::Absent { peer, reason },
            Ok(mut library) => {
                eprintln!("{peer} signs {SETS} sets of seed {seed}");
                let theirs = answers(&mut library.command, &asked, SETS)?;
                let ours = match signed.take() {
                    Some(ours) => ours,
                    None => answers(&mut ours("sign"), &asked, SETS)?,
                };
                let mut report = compare(&library, &sets, signed.insert(ours), &theirs, &folder)?;
                report.counts.push(("seed", seed));
                Outcome::Ran(report)
            }
        });
    }
    Ok(outcomes)
}

fn javascript() -> Done<Present<Library>> {
    let library =
        |Script { version, command }| Library { peer: "ably-js", version, text: texts::javascript, command };
    Ok(peers::ably_js("token_request.mjs")?.map(library))
}

fn python() -> Done<Present<Library>> {
    let library =
        |Script { version, command }| Library { peer: "ably-python", version, text: texts::python, command };
    Ok(peers::ably_python("token_request.py")?.map(library))
}

/// Our side: the program of `tests/` that reads and writes the same lines.
fn ours(mode: &str) -> Command {
    let program = ["-p", "realtime-auth-tests", "--bin", "token-request-lines"];
    let mut command = cargo(&["run", "--quiet", "--locked"]);
    command.args(program).args(["--", mode]);
    command
}

/// What a command answers to the lines of a file: a JSON object a line.
fn answers(command: &mut Command, lines: &Path, count: usize) -> Done<Vec<Value>> {
    let answers = read(command.stdin(Stdio::from(File::open(lines)?)))?;
    let answers = answers.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>()?;
    if answers.len() == count {
        Ok(answers)
    } else {
        Err(Failed(format!("{} answers to {count} lines of {}", answers.len(), lines.display())))
    }
}

/// How a set passed.
enum Passed {
    Identical,
    OwnText,
    Refused,
}

fn compare(library: &Library, sets: &[Set], ours: &[Value], theirs: &[Value], folder: &Path) -> Done<Report> {
    let mut lines = String::new();
    let mut counts = Vec::new();
    for (set, theirs) in sets.iter().zip(theirs) {
        let sent = theirs["sent"].as_str().ok_or_else(|| {
            Failed(format!("{} does not sign set {}: {}", library.peer, set.number, theirs["error"]))
        })?;
        let line = |key: &str, sent: &str| {
            json!({ "key": key, "now": set.received_at, "sent": sent }).to_string() + "\n"
        };
        let forgeries = forgeries(set, &serde_json::from_str(sent)?);
        counts.push(forgeries.len());
        lines += &line(&set.key, sent);
        lines.extend(forgeries.iter().map(|(key, forged)| line(key, &forged.to_string())));
    }
    let path = folder.join(format!("{}.jsonl", library.peer));
    fs::write(&path, lines)?;
    let forged: usize = counts.iter().sum();
    let mut verdicts = answers(&mut self::ours("verify"), &path, sets.len() + forged)?.into_iter();

    let (mut identical, mut own_text, mut refused, mut found, mut complaints) = (0, 0, 0, 0, 0);
    for (((set, ours), theirs), forgeries) in sets.iter().zip(ours).zip(theirs).zip(counts) {
        let verdict = verdicts.next().unwrap_or_default();
        let forged: Vec<_> = verdicts.by_ref().take(forgeries).collect();
        found += forged.iter().filter(|verdict| verdict["refused"] == "Mac").count() as u64;
        let passed = check(library, set, ours, theirs, &verdict).and_then(|passed| {
            match forged.iter().find(|verdict| verdict["refused"] != "Mac") {
                Some(verdict) => Err(format!("a changed character was answered with {verdict}")),
                None => Ok(passed),
            }
        });
        match passed {
            Ok(Passed::Identical) => identical += 1,
            Ok(Passed::OwnText) => own_text += 1,
            Ok(Passed::Refused) => refused += 1,
            Err(complaint) => {
                complaints += 1;
                if complaints <= MOST_COMPLAINTS {
                    eprintln!("{}: {complaint}\n  {}\n  {theirs}\n  {ours}", library.peer, set.line());
                }
            }
        }
    }
    Ok(Report {
        peer: library.peer,
        version: library.version.clone(),
        cases: sets.len(),
        passed: sets.len() - complaints,
        counts: vec![
            ("identical", identical),
            ("own text", own_text),
            ("refused", refused),
            ("forgeries refused", found),
        ],
    })
}

/// The most failed sets that are shown.
const MOST_COMPLAINTS: usize = 5;

/// Checks one set; see the top of this file.
fn check(
    library: &Library,
    set: &Set,
    ours: &Value,
    theirs: &Value,
    verdict: &Value,
) -> Result<Passed, String> {
    let theirs = members(theirs)?;
    let foretold = |text: fn(&Resources) -> String| {
        set.capability.as_ref().map(|asked| Value::from(text(&asked.resources)))
    };
    let (our_text, their_text) = (foretold(texts::ours), foretold(library.text));
    if theirs.get("capability") != their_text.as_ref() {
        return Err(format!("it was to sign the capability {}", their_text.unwrap_or_default()));
    }
    if set.client_id.as_ref().is_some_and(|client_id| client_id.contains(char::is_control)) {
        let refused = json!("ClientId(Control)");
        return if verdict["refused"] == refused && ours["refused"] == "Control" {
            Ok(Passed::Refused)
        } else {
            Err(format!("a clientId with control characters was answered with {verdict}"))
        };
    }
    let mut meant = Map::new();
    meant.extend(set.ttl.filter(|ttl| *ttl > 0).map(|ttl| ("ttl".to_owned(), json!(ttl))));
    meant.extend(our_text.clone().map(|text| ("capability".to_owned(), text)));
    meant.extend(set.client_id.as_ref().map(|client_id| ("clientId".to_owned(), json!(client_id))));
    if verdict["verified"] != Value::Object(meant) {
        return Err(format!("verified as {verdict}"));
    }
    let ours = members(ours)?;
    if ours.get("capability") != our_text.as_ref() {
        return Err(format!("we were to sign the capability {}", our_text.unwrap_or_default()));
    }
    if our_text == their_text {
        return if ours == theirs { Ok(Passed::Identical) } else { Err("they differ".to_owned()) };
    }
    let rest = |mut members: Map<String, Value>| {
        members.remove("capability");
        members.remove("mac");
        members
    };
    if rest(ours) == rest(theirs) {
        Ok(Passed::OwnText)
    } else {
        Err("they differ beside the capability".to_owned())
    }
}

/// The members of what was sent, without those that mean nothing: `null`, and a lifetime of zero.
fn members(answer: &Value) -> Result<Map<String, Value>, String> {
    let sent = answer["sent"].as_str().ok_or_else(|| format!("not signed: {answer}"))?;
    let mut members: Map<String, Value> = serde_json::from_str(sent).map_err(|error| error.to_string())?;
    members.retain(|name, value| !(value.is_null() || name == "ttl" && *value == 0));
    Ok(members)
}
