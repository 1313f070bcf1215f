//! Authorization servers that others wrote, and our client at each: every grant, every way to authenticate, and faults.
//!
//! The servers are configured by the scripts in `tests/peers`, and the program `oauth-peer-cases` of `tests/` asks them over
//! real sockets. Each peer has its own server and its own run of the program, and all of them go at once. What a server says
//! beside its address is in `target/peers/oauth`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use super::cases::{Program, Told};
use super::peers::{self, sources, target};
use super::{Absent, Outcome, Present};
use crate::shell::{Done, Failed};

/// Our side.
const CASES: Program = Program("oauth-peer-cases");

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
    let material = CASES.material()?;
    let told = &Told { material: &material, folder: &folder };
    thread::scope(|scope| {
        let running: Vec<_> = PEERS
            .iter()
            .map(|peer| {
                let installed = match peer.runtime {
                    Runtime::Node => &npm,
                    Runtime::Python => &python,
                };
                scope.spawn(move || peer.run(installed, told))
            })
            .collect();
        running
            .into_iter()
            .map(|peer| peer.join().unwrap_or_else(|_| Err(Failed("a peer's thread panicked".to_owned()))))
            .collect()
    })
}

impl Peer {
    fn run(&self, installed: &Present<PathBuf>, told: &Told<'_>) -> Done<Outcome> {
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
        Ok(CASES.at(self.package, version, &mut command, told))
    }
}
