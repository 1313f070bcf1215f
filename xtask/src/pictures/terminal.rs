//! A real terminal that a program types into and looks at: tmux, on a socket of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::shell::{Done, Failed, quietly};

/// A terminal with a shell in it. It ends with this.
pub(super) struct Terminal {
    socket: PathBuf,
}

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(90);

impl Terminal {
    /// Of so many columns and rows. The shell finds programs in `programs` first, its home and its configuration in `home`,
    /// and nothing of the environment of whoever runs this.
    pub(super) fn open(home: &Path, programs: &Path, columns: usize, rows: usize) -> Done<Self> {
        // It states its version by a flag of its own.
        if Command::new("tmux").arg("-V").output().is_err() {
            return Err(Failed(
                "a real terminal is needed: install tmux (apt-get install tmux, brew install tmux)"
                    .to_owned(),
            ));
        }
        let terminal = Self { socket: home.join(format!("tmux-{columns}x{rows}")) };
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin", programs.display());
        let mut command = terminal.tmux(&["-f", "/dev/null", "-u", "new-session", "-d"]);
        command.args(["-x", &columns.to_string(), "-y", &rows.to_string()]);
        command.args(["bash", "--norc", "--noprofile"]).current_dir(home).env_clear();
        command.env("PATH", path).env("HOME", home).env("PS1", "$ ").env("LC_ALL", "C.UTF-8");
        quietly(command.env("BASH_SILENCE_DEPRECATION_WARNING", "1"))?;
        terminal.until("$")?;
        Ok(terminal)
    }

    /// Types a line, and ends it with the enter key.
    pub(super) fn type_in(&self, line: &str) -> Done {
        quietly(&mut self.tmux(&["send-keys", "-l", line]))?;
        quietly(&mut self.tmux(&["send-keys", "Enter"]))
    }

    /// Waits until this is to be seen.
    pub(super) fn until(&self, expected: &str) -> Done {
        let begun = Instant::now();
        loop {
            let seen = self.read(&[])?;
            if seen.contains(expected) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failed(format!(
                    "{expected:?} never came; the terminal shows:\n{}",
                    seen.trim_end()
                )));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// What is to be seen, with the escape sequences of its colours.
    pub(super) fn look(&self) -> Done<String> {
        Ok(self.read(&["-e"])?.trim_end().to_owned())
    }

    fn read(&self, more: &[&str]) -> Done<String> {
        crate::shell::read(self.tmux(&["capture-pane", "-p"]).args(more))
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX").stdin(Stdio::null());
        command
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}
