//! A peer that serves: a process that says where it listens, and that does not outlive whoever started it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::shell::{Done, Failed};

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(60);

/// A server that runs. Dropping it ends it; if this process is killed, the server sees its input close, and ends by itself.
pub(super) struct Served {
    child: Child,
    /// What it said first.
    pub(super) told: String,
}

impl Served {
    /// Starts it, gives it a line to read, and waits for the one that it prints. What else it says goes to `log`.
    pub(super) fn start(command: &mut Command, line: &str, log: &Path) -> Done<Self> {
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(log)?).spawn()?;
        // From here on it is ended, whatever fails.
        let mut served = Self { child, told: String::new() };
        if let Some(stdin) = &mut served.child.stdin {
            stdin.write_all(format!("{line}\n").as_bytes())?;
            stdin.flush()?;
        }
        let Some(stdout) = served.child.stdout.take() else {
            return Err(Failed("a server without an output".to_owned()));
        };
        let (said, first) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody listens any more once the time is up.
            let _ = said.send(read.map(|_| line));
        });
        let unsaid = || Failed(format!("a server does not say where it listens; see {}", log.display()));
        served.told = first.recv_timeout(START).map_err(|_| unsaid())??;
        if served.told.ends_with('\n') { Ok(served) } else { Err(unsaid()) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
