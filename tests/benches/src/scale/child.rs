//! The processes of this suite: which parts there are, and how they are begun and asked.
//!
//! A part is this program again, with its role as an argument. Each speaks lines of JSON: what it is told comes by its standard input,
//! whose end is its own, and what it has to say leaves by its standard output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{connecting, idle, server, storming};

/// What a process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The other end of all sessions.
    Server(server::Settings),
    /// Holds idle connections and says what they weigh.
    Idle(idle::Settings),
    /// Connects again and again.
    Connecting(connecting::Settings),
    /// Holds the sessions that the storm hits.
    Storming(storming::Settings),
}

/// A process that plays a part, until this is dropped.
pub(super) struct Playing {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// As many descriptors as may be had, on one processor where that is wanted and can be.
const LAUNCH: &str = r#"ulimit -n "$(ulimit -H -n)"; if [ "$1" ] && command -v taskset >/dev/null; then cpu=$1; shift; exec taskset -c "$cpu" "$@"; fi; shift; exec "$@""#;

impl Part {
    /// Begins with it, in a process of its own. `pinned` parts all run on the same processor, which is what their processor time is
    /// compared by: whether another one has to be woken is no property of either side.
    #[expect(clippy::expect_used, reason = "a bench without its processes measures nothing")]
    pub(super) fn play(&self, pinned: bool) -> Playing {
        let program = std::env::current_exe().expect("this program is a file");
        let role = serde_json::to_string(self).expect("a part is plain data");
        let mut child = Command::new("sh")
            .args(["-c", LAUNCH, "sh", if pinned { "0" } else { "" }])
            .arg(program)
            .args(["--part", &role])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the system has a shell and room for another process");
        let (to, from) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        Playing { child, to, from: BufReader::new(from) }
    }

    /// Plays it in this process.
    pub(crate) fn run(self) {
        match self {
            Self::Server(settings) => server::run(&settings),
            Self::Idle(settings) => say(&idle::run(&settings)),
            Self::Connecting(settings) => say(&connecting::run(&settings)),
            Self::Storming(settings) => storming::run(&settings),
        }
    }
}

impl Playing {
    /// The next that it says.
    #[expect(clippy::expect_used, reason = "a bench whose process has failed measures nothing")]
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> T {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("its output is text");
        serde_json::from_str(&line).expect("the process has said on its standard error why it ended")
    }

    /// Tells it something, and hears its answer.
    #[expect(clippy::expect_used, reason = "a bench whose process has failed measures nothing")]
    pub(super) fn ask<T: DeserializeOwned>(&mut self, order: &str) -> T {
        let to = self.to.as_mut().expect("it is open until this is dropped");
        writeln!(to, "{order}").expect("the process has said on its standard error why it ended");
        self.hear()
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It ends by itself when nobody can tell it anything any more.
        self.to = None;
        let _ = self.child.wait();
    }
}

/// Says something to whoever began this process.
#[expect(clippy::expect_used, reason = "nobody is left to hear it")]
pub(super) fn say(what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("it is plain data");
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).expect("somebody reads it");
}
