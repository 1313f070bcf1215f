//! A real browser without a window, without the network, and with a profile that is thrown away.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::shell::{Done, Failed, version};

/// The names under which it is installed.
const NAMES: [&str; 2] = ["chromium", "chromium-browser"];

/// What it says of itself, such as `Chromium 120.0.6099.224`; `None` where it is not installed.
pub(crate) fn installed() -> Option<String> {
    NAMES.iter().find_map(version)
}

/// A browser, and the folder that it lives in.
pub(crate) struct Chromium {
    name: &'static str,
    folder: TempDir,
}

/// What came of a page.
pub(crate) struct Loaded {
    /// The page as it is after its script.
    pub(crate) dom: String,
    /// What the page, or the browser about it, wrote to the console.
    pub(crate) console: Vec<String>,
    /// Each address that the page asked for over a network, or would have.
    pub(crate) requests: Vec<String>,
}

impl Chromium {
    pub(crate) fn new() -> Done<Self> {
        let name = NAMES.into_iter().find(|name| version(name).is_some());
        let name = name
            .ok_or_else(|| Failed("chromium is missing; on Debian: apt-get install chromium".to_owned()))?;
        Ok(Self { name, folder: tempfile::tempdir()? })
    }

    /// Loads a page from a file, and lets its script run.
    pub(crate) fn load(&self, page: &Path) -> Done<Loaded> {
        let log = self.folder.path().join("net.json");
        let mut command = self.command();
        command
            .arg(format!("--log-net-log={}", log.display()))
            .args(["--enable-logging=stderr", "--dump-dom"]);
        let output = command.arg(address(page)?).output()?;
        if !output.status.success() {
            return Err(Failed(format!("{} failed ({})", self.name, output.status)));
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let console = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
        Ok(Loaded {
            dom: String::from_utf8(output.stdout)?,
            console,
            requests: requests(&std::fs::read_to_string(log)?),
        })
    }

    /// A picture of the top of a page, of this size.
    pub(crate) fn picture(&self, page: &Path, (width, height): (u32, u32), to: &Path) -> Done {
        let mut command = self.command();
        command.args(["--hide-scrollbars", "--force-device-scale-factor=1"]);
        command.arg(format!("--window-size={width},{height}")).arg(format!("--screenshot={}", to.display()));
        let output = command.arg(address(page)?).output()?;
        if output.status.success() {
            Ok(())
        } else {
            Err(Failed(format!("{} failed ({})", self.name, output.status)))
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.name);
        // The sandbox needs rights that a container has not; what is loaded here is our own.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]);
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
        ]);
        // No name is resolved: there is no network for anybody.
        command.arg("--host-resolver-rules=MAP * ~NOTFOUND");
        command.arg(format!("--user-data-dir={}", self.folder.path().join("profile").display()));
        command
    }
}

fn address(page: &Path) -> Done<String> {
    Ok(format!("file://{}", PathBuf::from(page).canonicalize()?.display()))
}

/// The addresses in a log of the browser's network that a page began to ask for, and not the browser for itself. The log is cut off
/// where the browser ended, so it is searched as text.
fn requests(log: &str) -> Vec<String> {
    let begun = log.split("\"initiator\":\"").skip(1).filter(|rest| !rest.starts_with("not an origin"));
    let address = |rest: &str| {
        rest.split_once("\"url\":\"").and_then(|(_, rest)| rest.split('"').next()).map(str::to_owned)
    };
    begun.filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_browser_asks_for_itself_is_not_the_pages_doing() {
        let log = concat!(
            r#"{"params":{"initiator":"not an origin","method":"GET","url":"https://browser.example/"}}"#,
            r#"{"params":{"initiator":"null","method":"GET","url":"http://report.example/fetched"}}"#,
        );
        assert_eq!(requests(log), ["http://report.example/fetched"]);
    }
}
