//! Commands that must end within a time: one that does not is killed, with its children and theirs.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::shell::{Done, Failed};

/// Runs a command to its end, and that of all that hold its output: what it printed; `None` where it took longer and was killed.
pub(crate) fn within(limit: Duration, command: &mut Command) -> Done<Option<Output>> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = piped.spawn()?;
    let id = child.id().to_string();
    let (ended, waiting) = mpsc::channel();
    // Reads meanwhile, so that no full pipe holds it up.
    thread::spawn(move || drop(ended.send(child.wait_with_output())));
    if let Ok(output) = waiting.recv_timeout(limit) {
        return Ok(Some(output?));
    }
    kill(&id)?;
    // It has ended when nobody holds its output any more.
    match waiting.recv_timeout(AFTER_KILL) {
        Ok(_) => Ok(None),
        Err(_) => Err(Failed(format!(
            "{:?} took too long and was killed, and what it had left behind still runs; end that by hand",
            command.get_program()
        ))),
    }
}

/// How long the system may take to end what was killed.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// Kills a process and its children, and theirs; not one whose parent has ended. A group of its own would do that at once, and keep the terminal's Ctrl-C from it.
fn kill(id: &str) -> Done {
    // It is stopped first, and starts no more of them.
    signal("-STOP", id)?;
    let children = kill_children(id);
    // Whatever became of those, it does not stay stopped.
    signal("-KILL", id).and(children)
}

fn kill_children(id: &str) -> Done {
    let children = Command::new("pgrep").args(["-P", id]).output()?;
    String::from_utf8_lossy(&children.stdout).lines().map(kill).fold(Ok(()), Result::and)
}

/// One that has just ended by itself needs none.
fn signal(signal: &str, id: &str) -> Done {
    Command::new("kill").args([signal, id]).stderr(Stdio::null()).status()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    /// Each of them holds its output: were one left, this would be an error.
    #[test]
    fn what_takes_too_long_is_killed_with_its_children() {
        for script in
            ["while :; do :; done", "sleep 1000 & (sleep 1000 & wait) & wait", "sleep 1000; echo late"]
        {
            let ended = within(Duration::from_millis(200), &mut shell(script)).unwrap();
            assert!(ended.is_none(), "{script}");
        }
    }

    #[test]
    fn what_a_command_has_left_behind_holds_nobody_up() {
        let error = within(Duration::from_millis(200), &mut shell("(sleep 60 &); sleep 1000")).unwrap_err();
        assert!(error.0.contains("left behind"), "{}", error.0);
    }

    #[test]
    fn what_ends_in_time_says_what_it_would_however_much_that_is() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 3";
        let ended = within(Duration::from_secs(600), &mut shell(script)).unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(ended.stdout.ends_with(b"line 19999\n"));
    }
}
