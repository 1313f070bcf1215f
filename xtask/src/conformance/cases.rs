//! Our side at a peer that serves: a program of `tests/`, which asks it over real sockets, and says a line of JSON a case.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::served::Served;
use super::{Outcome, Report};
use crate::shell::{Done, Failed, cargo, read};

/// A program of `tests/`, by its name.
#[derive(Clone, Copy)]
pub(super) struct Program(pub(super) &'static str);

impl Program {
    /// A line for the peers' scripts and for the cases: what the program draws. After it, the program is built.
    pub(super) fn material(self) -> Done<String> {
        Ok(read(&mut self.command("material"))?.trim_end().to_owned())
    }

    /// Starts the peer, gives it the material, asks it each case, and prints those that did not pass.
    pub(super) fn at(
        self,
        peer: &'static str,
        version: String,
        server: &mut Command,
        how: &Told<'_>,
    ) -> Outcome {
        let log = how.folder.join(format!("{peer}.log"));
        let answers = Served::start(server, how.material, &log)
            .and_then(|served| self.asked(peer, &format!("{}\n{}", how.material, served.told)));
        Self::counted(peer, version, answers)
    }

    /// The same with a peer that the program starts itself.
    pub(super) fn with(self, peer: &'static str, version: String, settings: &str) -> Outcome {
        Self::counted(peer, version, self.asked(peer, settings))
    }

    fn counted(peer: &'static str, version: String, answers: Done<Vec<Value>>) -> Outcome {
        // The other peers are told of all the same: no case at all is a complaint of its own.
        let answers = answers.unwrap_or_else(|Failed(reason)| {
            eprintln!("{peer}: {reason}");
            Vec::new()
        });

        let mut passed = 0;
        for answer in &answers {
            if answer["passed"] == true {
                passed += 1;
            } else {
                let [case, expected, happened] = ["case", "expected", "happened"].map(|name| &answer[name]);
                eprintln!("{peer}: {case}\n  expected {expected}\n  happened {happened}");
            }
        }
        let (cases, counts) = (answers.len(), Vec::new());
        Outcome::Ran(Report { peer, version, cases, passed, counts })
    }

    fn command(self, mode: &str) -> Command {
        let Self(name) = self;
        let mut command = cargo(&["run", "--quiet", "--locked"]);
        command.args(["-p", "realtime-auth-tests", "--bin", name, "--", mode]);
        command
    }

    /// What came of each case: a JSON object a line. The input tells where the server is, and holds its clients' secrets.
    fn asked(self, peer: &str, input: &str) -> Done<Vec<Value>> {
        let mut command = self.command(peer);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(Failed(format!("{} failed ({})", self.0, output.status)));
        }
        let lines = String::from_utf8(output.stdout)?;
        Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }
}

/// What all peers of a job share.
pub(super) struct Told<'a> {
    /// The line that [`Program::material`] gave.
    pub(super) material: &'a str,
    /// Where a server's log is left.
    pub(super) folder: &'a Path,
}
