//! A writer in a process of its own, what it said, and how it is stopped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{env, fs};

use crate::failed::{Done, Failed};
use crate::mounts::quietly;

/// What a writer said until it ended.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) opened: bool,
    pub(crate) acknowledged: Vec<String>,
    pub(crate) refused: Vec<String>,
    pub(crate) closed: bool,
}

/// A writer at work.
pub(crate) struct Writer {
    process: Child,
    opened: Receiver<()>,
    ended: Receiver<()>,
    listener: JoinHandle<Said>,
}

/// The command that starts a writer; it wants its options.
pub(crate) fn command(directory: &Path, run: &str) -> Done<Command> {
    let mut command = Command::new(env::current_exe()?);
    add_arguments(&mut command, directory, run);
    Ok(command)
}

/// The same below another program, which is given the writer's command after its own arguments.
pub(crate) fn command_below(program: &mut Command, directory: &Path, run: &str) -> Done {
    program.arg(env::current_exe()?);
    add_arguments(program, directory, run);
    Ok(())
}

fn add_arguments(command: &mut Command, directory: &Path, run: &str) {
    command.arg("write").arg(directory).args(["--run", run]);
}

impl Writer {
    pub(crate) fn start(command: &mut Command) -> Done<Self> {
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = process.map_err(|error| Failed(format!("the writer can't be started: {error}")))?;
        let output = process.stdout.take().ok_or_else(|| Failed::new("the writer has no output"))?;
        let (opening, opened) = sync_channel(1);
        let (ending, ended) = sync_channel(1);
        let listener = spawn(move || {
            let said = listen(output, &opening);
            // Whoever does not wait for it has dropped the other end.
            let _ = ending.send(());
            said
        })?;
        Ok(Self { process, opened, ended, listener })
    }

    /// Waits until the log is open; `false` where that does not come.
    pub(crate) fn wait_until_open(&self) -> bool {
        self.opened.recv_timeout(PATIENCE).is_ok()
    }

    /// Stops all of its threads where they are; system calls under way come to their end.
    pub(crate) fn stop(&self) -> Done {
        let id = self.process.id();
        quietly(Command::new("kill").args(["-STOP", &id.to_string()]))?;
        while !all_stopped(id)? {
            pause(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Kills it; what it said until then.
    pub(crate) fn kill(mut self) -> Done<Said> {
        self.process.kill()?;
        self.process.wait()?;
        self.listened()
    }

    /// Waits for its own end; what it said, how it ended, and its complaints.
    pub(crate) fn wait(mut self) -> Done<(Said, ExitStatus, String)> {
        if self.ended.recv_timeout(PATIENCE).is_err() {
            quietly(Command::new("kill").args(["-TERM", &self.process.id().to_string()]))?;
            self.process.wait()?;
            return Err(Failed::new("the writer hangs"));
        }
        let mut complaints = String::new();
        if let Some(mut errors) = self.process.stderr.take() {
            errors.read_to_string(&mut complaints)?;
        }
        let status = self.process.wait()?;
        Ok((self.listened()?, status, complaints))
    }

    fn listened(self) -> Done<Said> {
        self.listener.join().map_err(|_| Failed::new("listening to the writer ended early"))
    }
}

/// How long the log may take to open, and a session of a few records to end.
const PATIENCE: Duration = Duration::from_secs(20);

fn listen(output: ChildStdout, opening: &SyncSender<()>) -> Said {
    let mut said = Said::default();
    // An end within a line: it was not said.
    let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
    for line in lines {
        let line = String::from_utf8_lossy(&line).into_owned();
        match line.split_once(' ') {
            Some(("open", _)) => {
                said.opened = true;
                // It is said once, and there is room for it.
                let _ = opening.try_send(());
            }
            Some(("ok", name)) => said.acknowledged.push(name.to_owned()),
            Some(("refused", name)) => said.refused.push(name.to_owned()),
            Some(("closed", _)) => said.closed = true,
            _ => {}
        }
    }
    said
}

/// Whether no thread of a process runs, in user mode or for it in the kernel.
fn all_stopped(id: u32) -> Done<bool> {
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let state = fs::read_to_string(thread?.path().join("stat"))?;
        // The name before it is in parentheses, and may hold anything.
        if !state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "a moment is chosen by waiting for it")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[expect(clippy::disallowed_methods, reason = "a pipe must be emptied while its writer is at work")]
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Done<JoinHandle<T>> {
    Ok(std::thread::Builder::new().spawn(work)?)
}
