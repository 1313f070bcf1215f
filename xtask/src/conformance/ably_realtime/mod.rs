//! The realtime clients of Ably's own libraries, as they come from their registries, against `rtauth gateway` on loopback.
//!
//! A script for each library runs the cases of [`expected`] and tells what came of each, without knowing what should. It does
//! so against two gateways at once: one has the key that the script uses, and the other a key of the same name with another
//! secret. Each case must come out otherwise there, or it finds nothing.

mod expected;

use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use self::expected::cases;
use super::ably::{Server, answers, in_order};
use super::peers::{self, Script};
use super::{Absent, Outcome, Present, Report};
use crate::shell::{Done, Failed};

const KEY: &str = "appid1.keyid1:SecretSecretSecret";

const OTHER_SECRET: &str = "appid1.keyid1:OtherOtherOther";

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"

[[ably_key]]
key_file = "key.txt"
capability = '{"chat:*":["*"],"news":["subscribe"]}'
revocable = true
"#;

pub(super) fn run() -> Done<Vec<Outcome>> {
    let mut peers = Vec::new();
    let mut outcomes = Vec::new();
    for (peer, script) in [("ably-js", js as fn() -> _), ("ably-python", python)] {
        match script()? {
            // Once for each of the gateways.
            Ok(Script { version, command }) => peers.push((peer, version, [command, again(script()?)?])),
            Err(Absent(reason)) => outcomes.push(Outcome::Absent { peer, reason }),
        }
    }
    if peers.is_empty() {
        return Ok(outcomes);
    }
    let server = Server::start(CONFIGURATION, &[("key.txt", KEY)])?;
    let other = Server::start(CONFIGURATION, &[("key.txt", OTHER_SECRET)])?;
    // Most of the time of a case goes by waiting: all of them run at once.
    let reports: Vec<_> = thread::scope(|scope| {
        let ran = peers.into_iter().map(|(peer, version, [command, control])| {
            let asked = [(command, server.port), (control, other.port)]
                .map(|(command, port)| scope.spawn(move || run_cases(peer, command, port)));
            (peer, version, asked)
        });
        // Each is started before the first is waited for.
        let ran: Vec<_> = ran.collect();
        ran.into_iter()
            .map(|(peer, version, asked)| {
                let [came, control] = asked.map(|asked| {
                    asked.join().unwrap_or_else(|_| Err(Failed(format!("{peer}: the job panicked"))))
                });
                report(peer, version, &came?, &control?)
            })
            .collect()
    });
    for report in reports {
        outcomes.push(Outcome::Ran(report?));
    }
    Ok(outcomes)
}

fn again(script: Present<Script>) -> Done<Command> {
    script.map(|script| script.command).map_err(|Absent(reason)| Failed(reason))
}

fn js() -> Done<Present<Script>> {
    peers::ably_js("ably_realtime.mjs")
}

fn python() -> Done<Present<Script>> {
    peers::ably_python("ably_realtime.py")
}

/// What comes of each case at the gateway with this port.
fn run_cases(peer: &str, mut command: Command, port: u16) -> Done<Vec<Value>> {
    let cases = cases(peer);
    let names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
    let setup = json!({ "host": "127.0.0.1", "port": port, "key": KEY });
    in_order(peer, &names, answers(&mut command, &setup.to_string())?)
}

fn report(peer: &'static str, version: String, came: &[Value], control: &[Value]) -> Done<Report> {
    let cases = cases(peer);
    let mut passed = 0;
    for ((name, expected), came) in cases.iter().zip(came) {
        if came["ok"] == *expected {
            passed += 1;
        } else {
            eprintln!("{peer}: {name}: {came}, where {expected} was expected");
        }
    }
    let unnoticed = cases.iter().zip(control).find(|((_, expected), came)| came["ok"] == *expected);
    if let Some(((name, _), _)) = unnoticed {
        return Err(Failed(format!("{peer}: {name} comes out the same where the key has another secret")));
    }
    let counts = vec![("refused where the key has another secret", control.len() as u64)];
    Ok(Report { peer, version, cases: cases.len(), passed, counts })
}
