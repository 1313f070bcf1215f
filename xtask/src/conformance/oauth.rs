//! Authorization servers that others wrote, and our client at each: every grant, every way to authenticate, and faults.
//!
//! The servers are configured by the scripts in `tests/peers`, and the program `oauth-peer-cases` of `tests/` asks them over
//! real sockets. Each peer has its own server and its own run of the program, and all of them go at once. What a server says
//! beside its address is in `target/peers/oauth`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use super::peers::{self, sources, target};
use super::served::Served;
use super::{Absent, Outcome, Present, Report};
use crate::shell::{Done, Failed, cargo, read};

/// A server that others wrote.
struct Peer {
    /// The name of its package.
    package: &'static str,
    /// The script that configures and starts it.
    script: &'static str,
    runtime: Runtime,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Runtime {
    Node,
    Python,
}

const PEERS: [Peer; 5] = [
    Peer { package: "oidc-provider", script: "oidc_provider.mjs", runtime: Runtime::Node },
    Peer { package: "oauth2-mock-server", script: "oauth2_mock_server.mjs", runtime: Runtime::Node },
    Peer { package: "django-oauth-toolkit", script: "django_toolkit.py", runtime: Runtime::Python },
    Peer { package: "authlib", script: "authlib_flask.py", runtime: Runtime::Python },
    Peer { package: "idpyoidc", script: "idpyoidc_server.py", runtime: Runtime::Python },
];

pub(super) fn run() -> Done<Vec<Outcome>> {
    let (npm, python) = (peers::npm()?, peers::python()?);
    let folder = target()?.join("oauth");
    fs::create_dir_all(&folder)?;
    // One line of certificates, and a build of the program that the runs below find done.
    let material = read(&mut ours("material"))?;
    thread::scope(|scope| {
        let running: Vec<_> = PEERS
            .iter()
            .map(|peer| {
                let installed = match peer.runtime {
                    Runtime::Node => &npm,
                    Runtime::Python => &python,
                };
                let (folder, material) = (&folder, material.trim_end());
                scope.spawn(move || peer.run(installed, material, folder))
            })
            .collect();
        running
            .into_iter()
            .map(|peer| peer.join().unwrap_or_else(|_| Err(Failed("a peer's thread panicked".to_owned()))))
            .collect()
    })
}

impl Peer {
    fn run(&self, installed: &Present<PathBuf>, material: &str, folder: &Path) -> Done<Outcome> {
        let place = match installed {
            Ok(place) => place,
            Err(Absent(reason)) => {
                return Ok(Outcome::Absent { peer: self.package, reason: reason.clone() });
            }
        };
        let script = sources().join(self.script);
        let (mut command, version) = match self.runtime {
            Runtime::Node => {
                let mut command = Command::new("node");
                command.arg(script).arg(place);
                (command, peers::npm_version(place, self.package)?)
            }
            Runtime::Python => {
                let mut command = Command::new(place);
                command.args(["-W", "ignore"]).arg(script);
                (command, peers::python_version(place, self.package)?)
            }
        };
        let log = folder.join(format!("{}.log", self.package));
        let answers = Served::start(&mut command, material, &log)
            .and_then(|served| asked(self.package, &format!("{material}\n{}", served.told)));
        // The other peers are told of all the same: no case at all is a complaint of its own.
        let answers = answers.unwrap_or_else(|Failed(reason)| {
            eprintln!("{}: {reason}", self.package);
            Vec::new()
        });

        let mut passed = 0;
        for answer in &answers {
            if answer["passed"] == true {
                passed += 1;
            } else {
                let [case, expected, happened] = ["case", "expected", "happened"].map(|name| &answer[name]);
                eprintln!("{}: {case}\n  expected {expected}\n  happened {happened}", self.package);
            }
        }
        let (cases, counts) = (answers.len(), Vec::new());
        Ok(Outcome::Ran(Report { peer: self.package, version, cases, passed, counts }))
    }
}

/// Our side: the program of `tests/`.
fn ours(mode: &str) -> Command {
    let program = ["-p", "realtime-auth-tests", "--bin", "oauth-peer-cases"];
    let mut command = cargo(&["run", "--quiet", "--locked"]);
    command.args(program).args(["--", mode]);
    command
}

/// What came of each case: a JSON object a line. The input tells where the server is, and holds its clients' secrets.
fn asked(peer: &str, input: &str) -> Done<Vec<Value>> {
    let mut command = ours(peer);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(Failed(format!("oauth-peer-cases failed ({})", output.status)));
    }
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
